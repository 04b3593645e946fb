const HELP = `Castellan, a reverse proxy that gets, serves and renews its own HTTPS certificates.

  castellan run [CONFIG]        serve what the config says, until stopped
  castellan reload              have the program that runs take up its config as it is now, and say what
                                has changed (--dry-run: what would)
  castellan upgrade             have the program as it is on the disk take over from the one that runs
  castellan proxy --from NAME --to :3000
                                the same for one app without a config: --from is localhost unless given, and
                                there is an option for each variable
  castellan validate [CONFIG]   check the config and print every problem
  castellan certs list          each certificate: how long it is good, and what is done next
  castellan certs show NAME     all that is known of the certificates for a name
  castellan certs plan          what is done next, when and why, for all of them
  castellan certs retry NAME    try at once what failed and waits (--all: all of it)
  castellan certs renew NAME    order anew, due or not
  castellan certs spread        renew some early, once, so that no day has too many
  castellan certs revoke NAME   have its CA take it back, and replace it (--reason keyCompromise, …)
  castellan certs import FILE…  take over certificates and keys from PEM files
  castellan certs export NAME --to FOLDER
                                copy certificates and keys into PEM files
  castellan limits              what the rate limits of the CAs leave, and when more comes
  castellan doctor [NAME…]      look at all that must be well for certificates: ports, clock, storage,
                                CAs, names, CAA, what is served; and say what to do
  castellan audit               the recommendations of Let's Encrypt's Integration Guide, whether each is
                                kept here, and the evidence
  castellan drill --ca-down 10d which names would be without a good certificate, had their CA an outage
                                from now on; nothing is changed
  castellan explain GET URL     which site, route and app would take a request, which certificate its client
                                would see, and why (--header, --sni, --from); where a program runs, also which
                                addresses are down or drained, and whether the site is closed
  castellan maintenance [SITE on|off|hold]
                                close a site to visitors, open it, or let them wait while its app is swapped;
                                alone it says which are closed
  castellan upstreams           each address that requests go to: whether it is well, what it has to do
  castellan upstreams drain URL give it no more requests; "undrain URL" gives it some again
  castellan notify test         send a test notice to everywhere that "notify" names
  castellan account show [ISSUER]
                                the accounts at CAs; "rollover" gives them new keys, and
                                "deactivate ISSUER" ends one for good
  castellan hash-password       the hash of a password, for auth.basic: typed unseen, or from standard input
  castellan health              whether the program serves, by the exit code (--storage FOLDER)
  castellan variables           what the environment can say in place of a config
  castellan schema              print the JSON Schema of the config, for editors
  castellan version             print the version
  castellan help                print this

CONFIG is a YAML file, castellan.yaml in this folder unless given. The shortest that works:

  sites:
    example.com: http://localhost:3000

Without that file, but with CASTELLAN_SITE, the environment is the config, as it is with "env:" for CONFIG:

  CASTELLAN_SITE=example.com CASTELLAN_UPSTREAM=http://app:3000 CASTELLAN_ACCEPT_TERMS=on castellan run

"reload", "upgrade", "upstreams" and "maintenance" act on the program that runs. They take --config FILE and --json.
"certs", "doctor", "audit", "explain", "limits" and "account" ask the program that runs, and where none does they read
the storage. They take --config FILE and, for programs that read it, --json. "notify test" takes --config FILE.

A public CA wants its terms accepted (acceptTerms: true). config.example.yaml shows every key.

SIGTERM and SIGINT (Ctrl-C) finish what is being served and exit; a second one exits at once.
SIGUSR1 begins new log files after the former ones were moved.
SIGHUP does that too and takes up the config as it is now; where the terminal closes, it is SIGTERM.
SIGUSR2 lets the program as it is on the disk take over.
Exit codes: 0 well, 1 failed, 2 used wrongly.
`

/** `castellan help` */
export async function help(): Promise<number> {
  process.stdout.write(HELP)
  return 0
}
