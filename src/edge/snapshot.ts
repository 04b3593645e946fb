import type { ClientTls } from '../guards.ts'
import type { Policy } from '../policy.ts'

/**
 * Everything the data plane knows, as plain data: it arrives over a process boundary. There are two things that it asks
 * whoever made it: what it takes to show a certificate, and, where there is a site `*`, whether a name is one of its.
 */
export type EdgeSnapshot = {
  readonly sites: readonly SiteSnapshot[]
  /** The name whose certificate a client gets that sends no SNI; such a client is refused unless set. */
  readonly fallback: string | undefined
  readonly accessLog: boolean
  /** The texts of error pages that sites have of their own, by what policies call them. */
  readonly pages?: Readonly<Record<string, string>> | undefined
  /** How names are met that no site lists; undefined: they are unknown. Then there is no site `*`. */
  readonly onDemand: OnDemandSnapshot | undefined
  /** Where redirects to HTTPS lead; undefined where HTTPS is not on a TCP port of ours. */
  readonly httpsPort: number | undefined
  /** Networks whose connections begin with a PROXY protocol header, and `unix` for peers on Unix sockets. */
  readonly proxyProtocolFrom: readonly string[]
  /** Networks of proxies that tell the truth about their clients. */
  readonly trustedProxies: readonly string[]
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
  readonly timeouts: {
    readonly helloMs: number
    readonly handshakeMs: number
    readonly headerMs: number
    readonly bodyMs: number
    readonly idleMs: number
    readonly writeMs: number
  }
}

/** What a worker knows of names that no site lists. */
export type OnDemandSnapshot = {
  /** Names, and wildcards for one label, besides which none is worth a question; undefined where any may be. */
  readonly allow: readonly string[] | undefined
  /** For the answer to a question. */
  readonly waitMs: number
  /** Handshakes at a time that wait for one. */
  readonly waiting: number
}

/** What becomes of handshakes for a name that no site lists. Reasons are words for the log. */
export type NameAnswer =
  /** There is a certificate, of which the worker has been told before. */
  | { readonly type: 'served' }
  /** It is to have none, and need not be asked about again for so long. */
  | { readonly type: 'denied'; readonly reason: string; readonly forMs: number }
  /** It has none now. `ofAddress`: the same goes for every other question that this client address is the cause of. */
  | { readonly type: 'unavailable'; readonly reason: string; readonly forMs: number; readonly ofAddress: boolean }

export type SiteSnapshot = {
  /** The first of its names: what logs call it. */
  readonly name: string
  /**
   * Lower-case ASCII, no trailing dot; `*.` stands for exactly one label. IP addresses without brackets. `*` alone is any
   * name that no site has.
   */
  readonly names: readonly string[]
  /** What becomes of a request that no route takes. */
  readonly action: SiteAction
  /** What is done to such a request besides. */
  readonly policy: Policy
  readonly routes: readonly RouteSnapshot[]
  /** Its other names send visitors to the first. */
  readonly isCanonical: boolean
  /** Port 80 answers 308 to HTTPS; false: port 80 is treated like HTTPS. */
  readonly redirectToHttps: boolean
  /** The whole value of Strict-Transport-Security (RFC 6797 §6.1), sent over TLS only. It changes while it serves. */
  hsts: string | undefined
  /** What an operator has said. It changes while it serves. */
  maintenance?: MaintenanceSnapshot | undefined
  /** Of its requests to upstreams; undefined for any number. */
  readonly concurrency: ConcurrencySnapshot | undefined
  /** Upstreams are sent Forwarded (RFC 7239). */
  readonly forwarded: boolean
  /** Via is sent both ways (RFC 9110 §7.6.3). */
  readonly via: boolean
  /** TLS with clients; undefined where it is as usual. */
  readonly tls: ClientTls | undefined
}

/** What a site, by the first of its names, sends from now on as Strict-Transport-Security. */
export type HstsChange = { readonly site: string; readonly field: string }

/** A site that an operator has closed, until it is opened again. */
export type MaintenanceSnapshot = {
  /** Requests wait for so long from now on, and are refused only then; undefined: they are refused. */
  readonly holdMs: number | undefined
  /** undefined for what the config says. */
  readonly retryAfterSeconds: number | undefined
  /** The text of the page, in place of the site's own. */
  readonly page: string | undefined
}

/** What becomes of a site, by the first of its names; undefined: it is open. */
export type MaintenanceChange = { readonly site: string; readonly maintenance: MaintenanceSnapshot | undefined }

export type SiteAction =
  | { readonly type: 'proxy'; readonly upstream: UpstreamSnapshot }
  /** `to` is scheme and authority, without a trailing slash; path and query of the request are appended. */
  | { readonly type: 'redirect'; readonly to: string; readonly status: number }
  | { readonly type: 'respond'; readonly status: number; readonly fields: readonly string[]; readonly body: string }
  /** There are only routes. */
  | { readonly type: 'none' }

/** Some requests of a site, and what becomes of them. */
export type RouteSnapshot = {
  /**
   * Segments after a slash each, normalized; `*` stands for one of them, and at the end for the path itself and all below
   * it. `/a` stands for `/a/`, too.
   */
  readonly path: string
  /** undefined for any. */
  readonly methods: readonly string[] | undefined
  /** Fields that a request must have, in lower case, with exactly this value, or any where it is undefined. */
  readonly headers: readonly { readonly name: string; readonly value: string | undefined }[]
  readonly action: SiteAction
  /** What its application does not see of the path: without a slash at the end. */
  readonly stripPrefix: string | undefined
  readonly policy: Policy
  /** Of its requests, apart from those of its site; undefined where they count among those. */
  readonly concurrency: ConcurrencySnapshot | undefined
}

/** An application: one address or several, all of them spoken to alike. */
export type UpstreamSnapshot = PeerSettings & {
  /** At least one. */
  readonly targets: readonly TargetSnapshot[]
  readonly balancing: BalancingSnapshot
}

export type TargetSnapshot = {
  readonly address: UpstreamAddress
  /** How much of the requests it gets, compared with the others. */
  readonly weight: number
}

/** One address, and how it is spoken to. */
export type PeerSnapshot = PeerSettings & { readonly address: UpstreamAddress }

export type PeerSettings = {
  readonly timeouts: {
    /** To establish a connection, TLS included. */
    readonly connectMs: number
    /** From the end of a request to the head of its response. */
    readonly firstByteMs: number
    /** Between two pieces of a response. */
    readonly idleMs: number
  }
  readonly tls: {
    /** PEM: what may have signed its certificate, besides the authorities that this machine trusts. */
    readonly trust: string | undefined
    /** What it is asked for and verified by; undefined for the address's host. */
    readonly serverName: string | undefined
    readonly verify: boolean
  }
  /** Each connection begins with this header, and belongs to one client. */
  readonly proxyProtocol: 'v1' | 'v2' | undefined
}

/** How the targets of an upstream share its requests, and what becomes of those that one of them has failed. */
export type BalancingSnapshot = {
  readonly balance: BalanceSnapshot
  /** The cookie that brings a client back to its target. */
  readonly sticky: string | undefined
  /** Every address that a target's name has is a target of its own. */
  readonly everyAddress: boolean
  readonly health: HealthSnapshot | undefined
  /** How many other targets a request may be sent to. */
  readonly retries: number
  /** Of each target. */
  readonly concurrency: ConcurrencySnapshot | undefined
}

export type BalanceSnapshot =
  | { readonly by: 'roundRobin' | 'random' | 'leastRequests' | 'firstAvailable' }
  | { readonly by: 'hash'; readonly of: 'clientAddress' }
  /** The name of a header field is in lower case. */
  | { readonly by: 'hash'; readonly of: 'header' | 'cookie'; readonly name: string }

/** How a target is asked whether it is well. */
export type HealthSnapshot = {
  readonly path: string
  /** undefined: the target's own address. */
  readonly host: string | undefined
  /** undefined: 200 to 399. */
  readonly status: number | undefined
  readonly everyMs: number
  readonly timeoutMs: number
  /** In a row. */
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

/** How many requests are under way at a time, in all workers together, and how many more may wait, for how long. */
export type ConcurrencySnapshot = { readonly concurrent: number; readonly queue: number; readonly waitMs: number }

/** What is known of upstreams beyond a worker's own sight. Each telling is the whole of it. */
export type UpstreamConditions = UpstreamKnowledge & {
  /** How many workers share what is bounded for all of them. */
  readonly workers: number
}

/** The same for all workers, whichever config they serve. */
export type UpstreamKnowledge = {
  /** Base64: what sticky cookies are made with. */
  readonly cookieKey: string
  /** The ids of checks that found their target down. */
  readonly down: readonly string[]
  /** Targets, as the config writes them, that are to get no more requests. */
  readonly drained: readonly string[]
  /** By name, where every address of it counts and it was resolved. */
  readonly addresses: Readonly<Record<string, readonly string[]>>
}

export type UpstreamAddress =
  /** `h2` is HTTP/2 over TLS, `h2c` HTTP/2 in clear with prior knowledge (RFC 9113 §3.3). */
  | { readonly scheme: 'http' | 'https' | 'h2' | 'h2c'; readonly host: string; readonly port: number }
  | { readonly scheme: 'unix'; readonly path: string }

/** A certificate as far as it takes to choose it: all that is held of most, whom nobody asks for. */
export type CertificateSnapshot = {
  /**
   * Changes whenever the certificate does, so that nothing made from the former one is used again; and not when its staple
   * does, so that contexts and sessions stay.
   */
  readonly id: string
  readonly names: readonly string[]
  /** The kind of its key: OpenSSL's name of the curve (`prime256v1`), `rsa-2048`, or the type of others (`ed25519`). */
  readonly key: string
}

/** What it takes to show a certificate. */
export type CertificateMaterial = {
  /** PEM: the certificate itself first. */
  readonly chain: string
  /** PEM. */
  readonly privateKey: string
  /** Its OCSP response for clients that ask for it (RFC 6066 §8): DER in base64. */
  readonly staple: string | undefined
}

/** What is to be stapled to a certificate from now on. */
export type StapleSnapshot = { readonly id: string } & Pick<CertificateMaterial, 'staple'>

/**
 * What changed among the certificates: those that are new, the ids of those that are gone, other staples of those that
 * stay, and who still waits.
 */
export type CertificateChange = {
  readonly put: readonly CertificateSnapshot[]
  readonly remove: readonly string[]
  readonly staples: readonly StapleSnapshot[]
  /** All of them; undefined where that is as it was. */
  readonly waiting: readonly WaitingSnapshot[] | undefined
}

/** Names that have a site but no certificate yet, and what they wait for, in words for the log. */
export type WaitingSnapshot = { readonly names: readonly string[]; readonly reason: string }

export type ChallengeSnapshot =
  | { readonly type: 'http-01'; readonly token: string; readonly keyAuthorization: string }
  | {
      readonly type: 'tls-alpn-01'
      readonly serverName: string
      readonly certificate: string
      readonly privateKey: string
    }
