/**
 * What a site or a route asks of its clients before it serves them, as plain data: the config gives it, and it crosses the
 * boundary to the processes that serve. What is undefined is not asked.
 */
export type Guards = {
  readonly addresses: AddressRules | undefined
  readonly rateLimit: RateLimit | undefined
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
