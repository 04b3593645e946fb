/**
 * What a site or a route asks of its clients before it serves them, as plain data: the config gives it, and it crosses the
 * boundary to the processes that serve. What is undefined is not asked.
 */
export type Guards = {
  readonly addresses: AddressRules | undefined
  readonly rateLimit: RateLimit | undefined
  readonly cors: Cors | undefined
  readonly auth: Auth | undefined
}

/** Which client addresses are served: networks, addresses, and `unix` for peers on Unix sockets. */
export type AddressRules = {
  /** Everybody, if undefined. */
  readonly allow: readonly string[] | undefined
  /** Not even if allowed. */
  readonly deny: readonly string[]
}

/** So many requests in each period of each client, and so many at once. */
export type RateLimit = {
  readonly requests: number
  readonly periodMs: number
  readonly burst: number
  readonly by: RateKey
  /** Whether all of a site is counted together, or a route by itself. */
  readonly scope: 'site' | 'route'
}

/** What makes requests one client's. */
export type RateKey =
  | { readonly type: 'clientAddress' }
  /** A field of this name, in lower case. */
  | { readonly type: 'header'; readonly name: string }
  | { readonly type: 'cookie'; readonly name: string }

/** Which pages of other origins may use a site (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export type Cors = {
  /** As browsers write them; `*` in front of a dot stands for one label. */
  readonly origins: '*' | readonly string[]
  readonly methods: readonly string[]
  /** undefined: whatever is asked for. */
  readonly headers: readonly string[] | undefined
  readonly exposeHeaders: readonly string[]
  readonly credentials: boolean
  readonly maxAgeSeconds: number
}

/** Who is let in. */
export type Auth = BasicAuth | ForwardAuth

/** By name and password (RFC 7617). */
export type BasicAuth = {
  readonly type: 'basic'
  /** Names, and the hashes of their passwords as `password/` reads them. At least one. */
  readonly users: readonly (readonly [name: string, hash: string])[]
  readonly realm: string
  /** The app gets Authorization as it came. */
  readonly passAuthorization: boolean
}

/** As a service says that is asked about each request. */
export type ForwardAuth = {
  readonly type: 'forward'
  readonly service: AuthService
  /** Path and query that it is asked for. */
  readonly target: string
  /** Names of fields of its answer that the app gets. */
  readonly copy: readonly string[]
}

/** Where it answers, and how it is spoken to: what the data plane calls an upstream. */
export type AuthService = {
  readonly address: { readonly scheme: 'http' | 'https' | 'h2' | 'h2c'; readonly host: string; readonly port: number }
  readonly timeouts: { readonly connectMs: number; readonly firstByteMs: number; readonly idleMs: number }
  readonly tls: {
    readonly trust: string | undefined
    readonly serverName: string | undefined
    readonly verify: boolean
  }
  readonly proxyProtocol: undefined
}

/** TLS with the clients of a site, where it is other than usual. */
export type ClientTls = {
  readonly minVersion: '1.2' | '1.3'
  /** undefined: clients are not asked for a certificate. */
  readonly clientAuth: ClientAuth | undefined
}

export type ClientAuth = {
  /** PEM: what may have signed the certificates of clients, and nothing else. */
  readonly trust: string
  readonly mode: 'require' | 'request'
  /** The app gets Client-Cert-Chain besides Client-Cert (RFC 9440). */
  readonly sendsChain: boolean
}
