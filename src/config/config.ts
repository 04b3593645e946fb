import type { ClientTls } from '../guards.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { Policy } from '../policy.ts'
import type { AccessFormat } from '../telemetry/access-log.ts'
import type { LogFormat, LogLevel } from '../telemetry/log.ts'
import type { Balancing, Concurrency } from './balancing.ts'
import type { ListenAddress } from './listen-address.ts'
import type { SmtpServer } from './smtp-url.ts'
import type { UpstreamAddress } from './upstream-url.ts'

/** The config, ready to use: defaults filled in, paths absolute, durations in ms, secrets read. Do not log it. */
export type Config = {
  /** The file it came from, absolute, or `env:`; and its folder. */
  readonly file: string
  readonly folder: string
  readonly contact: string | undefined
  readonly acceptTerms: boolean
  readonly storage: { readonly folder: string }
  readonly workers: number | 'auto'
  readonly listen: {
    readonly https: readonly ListenAddress[]
    readonly http: readonly ListenAddress[]
    /** Of the Unix sockets among them. */
    readonly socketMode: number
    /** Networks (`10.0.0.0/8`, `::1`), and `unix` for peers on Unix sockets. */
    readonly proxyProtocolFrom: readonly string[]
    readonly trustedProxies: readonly string[]
  }
  /** Of each worker process. */
  readonly limits: {
    readonly connections: number
    readonly connectionsPerAddress: number
    readonly handshakes: number
    /** Bytes. */
    readonly requestLine: number
    /** Bytes. */
    readonly header: number
    readonly headerFields: number
    readonly streams: number
    readonly requestsPerConnection: number
    /** Bytes a second. */
    readonly bodyRate: number
  }
  /** One of the sites' names; who sends no SNI gets its certificate. */
  readonly fallback: string | undefined
  readonly timeouts: {
    readonly drainMs: number
    readonly reloadDrainMs: number
    readonly helloMs: number
    readonly handshakeMs: number
    readonly headerMs: number
    readonly bodyMs: number
    readonly idleMs: number
    readonly writeMs: number
  }
  /** Where metrics are served; undefined for nowhere. */
  readonly metrics: Extract<ListenAddress, { type: 'tcp' }> | undefined
  /** Its files are watched, and a change is taken up by itself. */
  readonly watch: boolean
  /** By name: every built-in ACME issuer and every custom one. `internal` is none of them. */
  readonly issuers: ReadonlyMap<string, AcmeIssuerConfig>
  /** In the order of the file, then of the included files. At least one. */
  readonly sites: readonly Site[]
  /** The texts of error pages, by their absolute paths. */
  readonly pages: ReadonlyMap<string, string>
  /** Where notices go, besides the log. */
  readonly notify: readonly NotifyTarget[]
  readonly log: {
    readonly level: LogLevel
    readonly format: LogFormat | 'auto'
    /** undefined: none. Its format is the log's own unless one is given. */
    readonly access: AccessLogConfig | undefined
  }
}

export type NotifyTarget =
  | {
      readonly type: 'webhook'
      readonly url: string
      readonly secret: string | undefined
      readonly trust: string | undefined
    }
  | {
      readonly type: 'email'
      readonly to: string
      readonly from: string
      readonly server: SmtpServer
      readonly login: { readonly user: string; readonly password: string } | undefined
      /** PEM, as in an issuer. */
      readonly trust: string | undefined
    }

export type AccessLogConfig = {
  /** Absolute; undefined for standard output. */
  readonly file: string | undefined
  readonly format: AccessFormat | undefined
}

export type AcmeIssuerConfig = {
  readonly name: string
  /** RFC 8555 §7.1.1; https. */
  readonly directory: string
  /** PEM: what may sign the directory's own certificate, besides the authorities that this machine trusts. */
  readonly trust: string | undefined
  /** RFC 8555 §7.3.4. The key as the CA gave it: base64url, by some plain base64. */
  readonly externalAccount: { readonly kid: string; readonly hmacKey: string } | undefined
  /** draft-ietf-acme-profiles. Not required: preferred where the CA has it. */
  readonly profile: { readonly name: string; readonly required: boolean } | undefined
  /** The common name of the chain's top issuer, or `shortest`. */
  readonly preferredChain: string | undefined
  /** In order of preference; at least one. */
  readonly challenges: readonly AcmeChallengeType[]
  readonly accountKey: KeyKind
  readonly account: 'perIssuer' | 'perSite'
  /** The most names that it puts into one certificate; undefined: what is usual for its profile. */
  readonly maxNames: number | undefined
  /** Where these are other than what the CA publishes. */
  readonly rateLimits?: RateLimitsConfig | undefined
}

export type Rate = { readonly count: number; readonly periodMs: number }

export type RateLimitsConfig = {
  readonly orders?: Rate | undefined
  readonly certificates?: Rate | undefined
  readonly sameNames?: Rate | undefined
  readonly failures?: Rate | undefined
  readonly accounts?: Rate | undefined
}

export type AcmeChallengeType = 'tls-alpn-01' | 'http-01'

export type Site = {
  /** The first of its names. */
  readonly name: string
  /** Lower-case ASCII (punycode) without trailing dot, wildcards as `*.`, IP addresses without brackets. */
  readonly names: readonly string[]
  /** What becomes of a request that no route takes. */
  readonly action: SiteAction
  readonly policy: Policy
  readonly routes: readonly Route[]
  /** The other names send visitors to the first. */
  readonly isCanonical: boolean
  /** Port 80 answers 308 to HTTPS; false: port 80 is treated like HTTPS. */
  readonly redirectToHttps: boolean
  readonly hsts: HstsPolicy | undefined
  /** Of its requests to upstreams; undefined: any number at a time. */
  readonly concurrency: Concurrency | undefined
  /** RFC 7239. */
  readonly forwarded: boolean
  /** RFC 9110 §7.6.3. */
  readonly via: boolean
  /** TLS with clients; undefined where it is as usual. */
  readonly tls: ClientTls | undefined
  /** A certificate of each kind. */
  readonly keys: readonly KeyKind[]
  readonly grouping: 'perSite' | 'perName'
  /** Certificates are to say that clients must insist on a staple (RFC 7633). */
  readonly mustStaple: boolean
  /** Absolute paths of PEM files, which held a certificate and a private key when the config was read. */
  readonly files: readonly CertificateFile[]
  /** In order of preference; undefined: nobody chose. `issuersFor` says what that means for a name. */
  readonly issuers: readonly string[] | undefined
  /** Of the site "*" alone, whose one name that is: any other name, certified when the first client comes for it. */
  readonly onDemand: OnDemandConfig | undefined
}

/** Who may have a certificate on demand, and what that may cost. At least one of `ask` and `allow` says something. */
export type OnDemandConfig = {
  readonly ask: string | undefined
  /** Names, and wildcards for one label. */
  readonly allow: readonly string[]
  /** Addresses and networks; undefined: a name may lead anywhere. */
  readonly addresses: readonly string[] | undefined
  readonly waitMs: number
  /** Handshakes in each worker, and names in all. */
  readonly waiting: number
  readonly refusedForMs: number
  readonly keepForMs: number
  readonly perHour: {
    readonly names: number
    readonly namesPerDomain: number
    readonly namesPerAddress: number
    readonly questions: number
  }
}

export type SiteAction =
  | { readonly type: 'proxy'; readonly upstream: Upstream }
  /** `to` is an origin, to which path and query of the request are added. */
  | { readonly type: 'redirect'; readonly to: string; readonly status: number }
  | { readonly type: 'respond'; readonly status: number; readonly fields: readonly string[]; readonly body: string }
  /** There are only routes. */
  | { readonly type: 'none' }

/** Some paths of a site. The most specific wins, whatever the order. */
export type Route = {
  /** Normalized; `*` stands for one segment, and at the end for the path and all below it. */
  readonly path: string
  /** HEAD is among them wherever GET is; undefined for any. */
  readonly methods: readonly string[] | undefined
  /** In lower case; without a value, any will do. */
  readonly headers: readonly { readonly name: string; readonly value: string | undefined }[]
  readonly action: SiteAction
  /** Without a slash at the end. */
  readonly stripPrefix: string | undefined
  /** Its own where it says something, else its site's. */
  readonly policy: Policy
  /** Of its requests, apart from those of its site; undefined where they count among those. */
  readonly concurrency: Concurrency | undefined
}

/** An app, at one address or several, and how they are spoken to. */
export type Upstream = {
  /** At least one. */
  readonly targets: readonly { readonly address: UpstreamAddress; readonly weight: number }[]
  readonly balancing: Balancing
  readonly timeouts: { readonly connectMs: number; readonly firstByteMs: number; readonly idleMs: number }
  /** `trust` is PEM, besides what this machine trusts; without `serverName` it is the address's host. */
  readonly tls: {
    readonly trust: string | undefined
    readonly serverName: string | undefined
    readonly verify: boolean
  }
  readonly proxyProtocol: 'v1' | 'v2' | undefined
}

/** RFC 6797 §6.1. */
export type HstsPolicy = {
  /** `ramp` reaches its max-age in steps; `retire` has one of 0, which tells browsers to forget (§6.1.1). */
  readonly mode: 'on' | 'ramp' | 'retire'
  readonly maxAgeSeconds: number
  readonly includeSubdomains: boolean
  readonly preload: boolean
}

export type CertificateFile = { readonly certificate: string; readonly key: string }
