const HELP = `Castellan, a reverse proxy that gets, serves and renews its own HTTPS certificates.

  castellan run [CONFIG]        serve what the config says, until stopped
  castellan validate [CONFIG]   check the config and print every problem
  castellan version             print the version
  castellan help                print this

CONFIG is a YAML file, castellan.yaml in this folder unless given. The shortest that works:

  sites:
    example.com: http://localhost:3000

A public CA wants its terms accepted (acceptTerms: true). config.example.yaml shows every key.

SIGTERM and SIGINT (Ctrl-C) finish what is being served and exit; a second one exits at once.
SIGUSR1 begins new log files after the former ones were moved.
SIGHUP changes nothing, unless the terminal closes: restart to use a config that has changed.
Exit codes: 0 well, 1 failed, 2 used wrongly.
`

/** `castellan help` */
export async function help(): Promise<number> {
  process.stdout.write(HELP)
  return 0
}
