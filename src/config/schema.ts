import { z } from 'zod'
import { keyKinds } from '../pki/key-kind.ts'
import { accessFormats } from '../telemetry/access-log.ts'
import { logLevels } from '../telemetry/log.ts'
import type { HstsPolicy } from './config.ts'
import { DAY_MS, durationFormat, SECOND_MS } from './duration.ts'
import { listenAddressFormat, metricsAddressFormat } from './listen-address.ts'
import { networkFormat } from './network.ts'
import { notify } from './notify-schema.ts'
import { onDemand } from './on-demand-schema.ts'
import {
  directoryFormat,
  emailFormat,
  MAX_WORKERS,
  storageFormat,
  switchFormat,
  WORKERS_ALLOWED,
  workersFormat,
} from './plain-formats.ts'
import { canonicalSwitch, policyKeys } from './policy-schema.ts'
import { Refusal } from './problem.ts'
import { rateFormat } from './rate.ts'
import { redirectCode, redirectTo, respond, routes } from './route-schema.ts'
import { count, distinctList, list, mapping, onOff, refuse, text } from './schema-elements.ts'
import { siteNameFormat } from './site-name.ts'
import { sizeFormat } from './size.ts'
import { socketModeFormat } from './socket-mode.ts'
import { choiceFormat, type TextFormat, wordsFormat } from './text-format.ts'
import { tls } from './tls-schema.ts'
import { upstream, upstreamUrl } from './upstream-schema.ts'
import { upstreamFormat } from './upstream-url.ts'

/** Keys whose values are secrets: no problem repeats them. */
export const secretKeys: ReadonlySet<string> = new Set(['hmacKey', 'webhook', 'secret', 'password', 'basic'])

/** Mappings with a secret in them, and lists of such: text in the place of one may be that secret. */
export const secretHolders: ReadonlySet<string> = new Set(['externalAccount', 'notify', 'auth'])

/** HSTS without a max-age of its own: what the Integration Guide of Let's Encrypt recommends. */
const HSTS_DEFAULT_MAX_AGE = '60d'

/** What browsers ask of a site before they take it into their preload lists (hstspreload.org). */
const PRELOAD_MIN_SECONDS = (365 * DAY_MS) / SECOND_MS

const filePath = (example: string) => wordsFormat('allowed: the path of a file', { examples: [example] })
const keyKindFormat = choiceFormat(keyKinds)
const issuerNames = distinctList(wordsFormat('allowed: the name of an issuer, such as letsencrypt or internal'))

/** Strict-Transport-Security (RFC 6797). `maxAge: 0` would be `retire`, which tells browsers to forget. */
const hstsMapping = mapping('hsts', {
  maxAge: text(durationFormat({ atLeast: '1s', atMost: '3650d' }))
    .prefault(HSTS_DEFAULT_MAX_AGE)
    .describe('How long browsers insist on HTTPS after each visit.'),
  includeSubdomains: onOff().prefault(false).describe('Also for every name below this one.'),
  preload: onOff()
    .prefault(false)
    .describe("Consent to the browsers' built-in lists. Needs a maxAge of 365d or more and includeSubdomains."),
  ramp: onOff()
    .prefault(false)
    .describe('Begin with 5 minutes, then a day, then maxAge; moves on only while certificates are renewed in time.'),
}).transform(({ maxAge, includeSubdomains, preload, ramp }, context): HstsPolicy => {
  const maxAgeSeconds = Math.floor(maxAge / SECOND_MS)
  const allowed = 'preload needs a maxAge of 365d or more and includeSubdomains: true (hstspreload.org)'
  if (preload && (maxAgeSeconds < PRELOAD_MIN_SECONDS || !includeSubdomains))
    refuse(context, new Refusal(allowed), ['preload'])
  return { mode: ramp ? 'ramp' : 'on', maxAgeSeconds, includeSubdomains, preload }
})

/** What browsers are told that are to forget it. */
const retiredHsts: HstsPolicy = { mode: 'retire', maxAgeSeconds: 0, includeSubdomains: false, preload: false }

const HSTS_ALLOWED = 'allowed: on, off, retire, or a mapping with maxAge, includeSubdomains, preload, ramp'
const hstsSwitch = switchFormat(HSTS_ALLOWED)
const hstsWord: TextFormat<boolean | HstsPolicy> = {
  allowed: HSTS_ALLOWED,
  schema: { enum: ['on', 'off', 'retire'] },
  read: (word) => (word === 'retire' ? retiredHsts : hstsSwitch.read(word)),
}
const hsts = z
  .union([z.boolean(), text(hstsWord), hstsMapping], {
    error: () => HSTS_ALLOWED,
  })
  .transform((value) => (value === true ? hstsMapping.parse({}) : value))
  .describe(
    'HTTP Strict Transport Security; on is a max-age of 60 days, retire makes browsers forget it. They refuse the site over plain HTTP for ' +
      'all that time, and let nobody click past a certificate error.',
  )

const forwarded = onOff().describe('Tells the app who asks by Forwarded (RFC 7239), too; X-Forwarded-* is always sent.')
const via = onOff().describe('Adds Via, to requests and responses (RFC 9110 §7.6.3).')

const redirect = onOff().describe('Port 80 answers 308 to HTTPS; off: port 80 is served like HTTPS.')

const certificateKeys = distinctList(keyKindFormat).describe(
  'A certificate of each kind of key; each client gets the best that it can verify.',
)
const grouping = text(choiceFormat(['perSite', 'perName'])).describe(
  "One certificate for all of a site's names, or one for each.",
)

const mustStaple = onOff().describe(
  'Ask for certificates that clients refuse without a fresh OCSP response (RFC 7633). For CAs that still have OCSP.',
)

const certificateFile = mapping('certificate.files', {
  certificate: text(filePath('./my.crt')).describe('PEM: the certificate, then its intermediates.'),
  key: text(filePath('./my.key')).describe('PEM: its private key, not encrypted.'),
})

const siteCertificate = mapping('site.certificate', {
  keys: certificateKeys.optional(),
  grouping: grouping.optional(),
  mustStaple: mustStaple.optional(),
  files: z
    .union(
      [
        certificateFile.transform((file) => [file]),
        z
          .array(certificateFile)
          .min(1, { error: () => 'at least one is needed; allowed: a list of mappings with certificate and key' }),
      ],
      { error: () => 'allowed: a list of mappings with certificate and key' },
    )
    .optional()
    .describe('Certificates of your own, reread when they change; none is then asked for.'),
})

/** Settings of a site that are still to come, in `defaults` as well. */
const SITE_KEYS_LATER = ['timeouts', 'challenge']

const siteMapping = mapping(
  'site',
  {
    aliases: list(siteNameFormat, { atLeast: 0 }).optional().describe('More names, served alike.'),
    upstream: upstream.optional().describe('Where the app answers: its URL, or a mapping with to and more.'),
    redirectTo: redirectTo.optional(),
    code: redirectCode.optional(),
    respond: respond.optional(),
    routes: routes.optional(),
    canonical: canonicalSwitch.optional(),
    redirect: redirect.optional(),
    hsts: hsts.optional(),
    forwarded: forwarded.optional(),
    via: via.optional(),
    tls: tls.optional(),
    issuer: issuerNames.optional().describe('Who certifies this site, in order of preference.'),
    certificate: siteCertificate.optional().describe("This site's certificates."),
    ...policyKeys,
    onDemand: onDemand
      .optional()
      .describe('For the site "*" alone: who else may have a certificate, issued when the first client comes.'),
  },
  { later: SITE_KEYS_LATER },
).meta({
  anyOf: ['upstream', 'redirectTo', 'respond', 'routes'].map((key) => ({
    type: 'object',
    properties: { [key]: true },
    required: [key],
  })),
})

/** A site's settings as they stand in the file; the URL alone is short for `{ upstream: URL }`. */
export type SiteSettings = z.output<typeof siteMapping>

const site = z.union([upstreamUrl.transform((to): SiteSettings => ({ upstream: to })), siteMapping], {
  error: ({ input }) =>
    typeof input === 'number'
      ? upstreamFormat.otherwise?.(input)
      : "allowed: the app's URL, such as http://localhost:3000, or a mapping with upstream, redirectTo, respond or routes",
})

const sites = z
  .record(z.string(), site, { error: () => 'allowed: a mapping of names to sites' })
  .describe('Names, and the app behind each or a mapping with upstream, redirectTo, respond or routes.')

const profile = z
  .union(
    [
      text(wordsFormat('allowed: the name of a profile')).transform((name) => ({ name, required: false })),
      mapping('profile', {
        name: text(wordsFormat('allowed: the name of a profile')).describe('As the CA calls it.'),
        required: onOff().prefault(false).describe('Fail where the CA lacks it, instead of doing without.'),
      }),
    ],
    { error: () => 'allowed: the name of a profile, or a mapping with name and required' },
  )
  .describe('The kind of certificate (draft-ietf-acme-profiles), where the CA offers kinds.')

const issuer = mapping('issuer', {
  directory: text(directoryFormat).optional().describe("The ACME directory's URL. Built-in issuers have theirs."),
  trust: text(filePath('./corp-root.pem')).optional().describe("PEM: what signs the directory's own certificate."),
  externalAccount: mapping('externalAccount', {
    kid: text(wordsFormat('allowed: the key identifier that the CA gave')).describe('The key identifier.'),
    hmacKey: text(
      wordsFormat('allowed: base64url text, env:NAME or file:PATH', { examples: ['env:EAB_KEY'] }),
    ).describe('The MAC key in base64url; better env:NAME or file:PATH.'),
  })
    .optional()
    .describe('The account that you have with the CA already (RFC 8555 §7.3.4).'),
  profile: profile.optional(),
  preferredChain: text(wordsFormat("allowed: the common name of a chain's top issuer, or shortest"))
    .optional()
    .describe("The common name of the chain's top issuer; or shortest."),
  challenges: distinctList(
    choiceFormat(['tls-alpn-01', 'http-01'], { later: ['dns-01', 'dns-persist-01', 'dns-account-01'] }),
  )
    .prefault(['tls-alpn-01', 'http-01'])
    .describe('Tried in this order.'),
  accountKey: text(keyKindFormat).prefault('ecdsa-p256').describe("The account's own key."),
  account: text(choiceFormat(['perIssuer', 'perSite']))
    .prefault('perIssuer')
    .describe('One account, or one for each site, for those who host others.'),
  rateLimits: mapping('rateLimits', {
    orders: text(rateFormat).optional().describe('Orders of an account.'),
    certificates: text(rateFormat).optional().describe('Certificates of a registered domain.'),
    sameNames: text(rateFormat).optional().describe('Certificates for exactly the same names.'),
    failures: text(rateFormat).optional().describe('Failed authorizations of a name, of an account.'),
    accounts: text(rateFormat).optional().describe('New accounts from one address.'),
  })
    .optional()
    .describe('What the CA lets you do, where that is known to be other than what it publishes.'),
  maxNames: count({ atLeast: 1, atMost: 100 })
    .optional()
    .describe(
      'The most names that it puts into one certificate; a site with more gets several. 25 for the profiles tlsserver and ' +
        'shortlived, else 100.',
    ),
})

/** What a custom issuer is made of, or what refines a built-in one. */
export type IssuerSettings = z.output<typeof issuer>

const listenList = list(listenAddressFormat, { atLeast: 0 })

const listen = mapping('listen', {
  https: listenList.prefault([':443']).describe('Where HTTPS is served; [] for nowhere.'),
  http: listenList.prefault([':80']).describe('Where plain HTTP is served; [] for nowhere.'),
  socketMode: text(socketModeFormat)
    .prefault('0660')
    .describe('Who may connect to its Unix sockets, beginning with read and write for owner and group.'),
  proxyProtocol: mapping('proxyProtocol', {
    from: list(networkFormat, { atLeast: 1 }).describe(
      'Peers whose connections begin with a PROXY protocol header (v1 or v2); one without is closed.',
    ),
  })
    .optional()
    .describe('For load balancers that tell who the client is in that way.'),
  trustedProxies: list(networkFormat, { atLeast: 0 })
    .prefault([])
    .describe(
      'Proxies whose X-Forwarded-* and Forwarded are believed; what everybody else says of itself is replaced. Their ' +
        'connections do not count for limits.connectionsPerAddress.',
    ),
})

/** Far beyond what a process can have open: a typing error. */
const MAX_CONNECTIONS = 1_000_000

const limits = mapping('limits', {
  connections: count({ atLeast: 1, atMost: MAX_CONNECTIONS })
    .prefault(50_000)
    .describe('Open at a time in each worker; one more is reset, so that a load balancer tries elsewhere.'),
  connectionsPerAddress: count({ atLeast: 1, atMost: MAX_CONNECTIONS })
    .prefault(256)
    .describe('Of one client address in each worker. Browsers open six and share them; a school shares an address.'),
  handshakes: count({ atLeast: 1, atMost: MAX_CONNECTIONS })
    .prefault(1024)
    .describe('TLS handshakes that are not finished, in each worker; beyond it the oldest makes room.'),
  requestLine: text(sizeFormat({ atLeast: '256B', atMost: '1MiB' }))
    .prefault('8KiB')
    .describe('Method, target and version. RFC 9112 asks for 8000 bytes at least; nginx has 8 KiB too. Beyond: 414.'),
  header: text(sizeFormat({ atLeast: '1KiB', atMost: '1MiB' }))
    .prefault('32KiB')
    .describe('All fields of a request. HAProxy allows 16 KiB, nginx 32. Beyond: 431.'),
  headerFields: count({ atLeast: 10, atMost: 10_000 })
    .prefault(100)
    .describe('Their number; browsers send some twenty. HAProxy allows 101, nginx 1000. Beyond: 431.'),
  streams: count({ atLeast: 1, atMost: 10_000 })
    .prefault(100)
    .describe('Requests at a time on an HTTP/2 connection; nginx allows 128.'),
  requestsPerConnection: count({ atLeast: 1, atMost: 1_000_000_000 })
    .prefault(10_000)
    .describe('After these a connection is closed in an orderly way, so that its memory goes; nginx: 1000.'),
  bodyRate: text(sizeFormat({ atLeast: '0B', atMost: '1GiB' }))
    .prefault('240B')
    .describe('Bytes a second that a body must have on the whole, after 10 s. A modem gives 6000. Below: 408.'),
})

const timeout = text(durationFormat({ atLeast: '1s', atMost: '1d' }))

const timeouts = mapping('timeouts', {
  // Beyond 24.8 days Node's timers fire at once; a day is longer than anyone waits for a restart.
  drain: text(durationFormat({ atLeast: '0s', atMost: '1d' }))
    .prefault('10s')
    .describe('How long requests in flight may finish when a worker stops.'),
  reloadDrain: text(durationFormat({ atLeast: '0s', atMost: '20d' }))
    .prefault('1d')
    .describe(
      'How long WebSockets and the like that a former config serves may go on after a reload; nginx: for ever.',
    ),
  hello: text(durationFormat({ atLeast: '100ms', atMost: '1h' }))
    .prefault('5s')
    .describe('From a connection to its whole ClientHello, or PROXY header. Honest clients send it at once.'),
  handshake: text(durationFormat({ atLeast: '100ms', atMost: '1h' }))
    .prefault('10s')
    .describe('For the whole TLS handshake, the ClientHello included. nginx allows 60s.'),
  header: timeout
    .prefault('10s')
    .describe("From a request's first byte to the end of its head, however steadily it comes. nginx: 60s. Then 408."),
  body: timeout.prefault('30s').describe('A pause within a body that somebody waits for; nginx: 60s. Then 408.'),
  idle: timeout
    .prefault('75s')
    .describe('A connection without a request, as in nginx: longer than the 60s of most load balancers in front.'),
  write: timeout.prefault('60s').describe('A client that takes nothing of what is sent to it, as in nginx.'),
})

const defaults = mapping(
  'defaults',
  {
    issuer: issuerNames.optional().describe('Who certifies, in order of preference: the next when one fails.'),
    redirect: redirect.prefault(true),
    hsts: hsts.prefault(false),
    forwarded: forwarded.prefault(false),
    via: via.prefault(false),
    tls: tls.optional(),
    certificate: mapping('defaults.certificate', {
      keys: certificateKeys.prefault(['ecdsa-p256', 'rsa-2048']),
      grouping: grouping.prefault('perSite'),
      mustStaple: mustStaple.prefault(false),
    })
      .prefault({})
      .describe('What certificates are asked for.'),
    canonical: canonicalSwitch.prefault(false),
    ...policyKeys,
  },
  { later: SITE_KEYS_LATER },
)

const ACCESS_ALLOWED = 'allowed: on, off, or a mapping with file, format'

const log = mapping('log', {
  level: text(choiceFormat(logLevels)).prefault('info').describe('The least that is logged.'),
  format: text(choiceFormat(['auto', 'text', 'json']))
    .prefault('auto')
    .describe('auto: text on a terminal, JSON elsewhere.'),
  access: z
    .union(
      [
        z.boolean(),
        text(switchFormat(ACCESS_ALLOWED)),
        mapping('log.access', {
          file: text(filePath('./access.log'))
            .optional()
            .describe('Written instead of standard output; opened anew on SIGUSR1 and SIGHUP.'),
          format: text(choiceFormat(accessFormats))
            .optional()
            .describe("json in a file, else the log's own, unless set."),
        }),
      ],
      { error: () => ACCESS_ALLOWED },
    )
    .prefault(true)
    .describe('A line for each request.'),
})

/** The config file, from which its type, its checks, its defaults and its JSON Schema come. */
export const configSchema = mapping(
  'config',
  {
    contact: text(emailFormat).optional().describe("Told of failures; also the ACME account's contact."),
    acceptTerms: onOff().prefault(false).describe("Whether you agree to the CA's terms of service."),
    storage: text(storageFormat).prefault('./data').describe('The folder for certificates, keys and accounts.'),
    workers: z
      .union(
        [
          text(workersFormat),
          z
            .int()
            .min(1, { error: () => WORKERS_ALLOWED })
            .max(MAX_WORKERS, { error: () => WORKERS_ALLOWED }),
        ],
        { error: () => WORKERS_ALLOWED },
      )
      .prefault('auto')
      .describe('How many processes serve; auto: one a core.'),
    listen: listen.prefault({}).describe('Addresses and ports.'),
    fallback: text(siteNameFormat)
      .optional()
      .describe('The name whose certificate clients get that send no server name; they are refused unless set.'),
    limits: limits.prefault({}).describe('How much a worker process takes on.'),
    timeouts: timeouts.prefault({}).describe('How long things may take.'),
    issuers: z
      .record(z.string(), issuer, { error: () => 'allowed: a mapping of names to issuers' })
      .prefault({})
      .describe('ACME CAs by name, besides letsencrypt, letsencrypt-staging, zerossl, google and internal.'),
    defaults: defaults.prefault({}).describe("What every site starts from; a site's own keys win."),
    sites: sites.optional(),
    include: list(wordsFormat('allowed: a path or a glob, such as "sites.d/*.yaml"'), { atLeast: 0 })
      .prefault([])
      .describe('Files with more sites, relative to this one.'),
    log: log.prefault({}).describe('What is logged, and how.'),
    metrics: text(metricsAddressFormat)
      .optional()
      .describe(
        'Where Prometheus finds /metrics, over plain HTTP; nowhere unless set. Whoever reaches it may read it.',
      ),
    watch: onOff().prefault(false).describe('Whether a change of these files is taken up by itself, as by a reload.'),
    notify,
  },
  { later: ['dns', 'admin'] },
).meta({ title: 'Castellan', description: 'The config of Castellan, a reverse proxy that keeps its own certificates.' })

/** An included file: sites and nothing else. */
export const includedSchema = mapping('included file', { sites: sites.optional() })

/** The config file after its checks, with defaults filled in and every text read. */
export type ConfigSettings = z.output<typeof configSchema>

/** The settings of an issuer of which the config says nothing. */
export const plainIssuer: IssuerSettings = issuer.parse({})
