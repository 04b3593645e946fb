/** How the addresses of an upstream share its requests. */
export type Balancing = {
  readonly balance: Balance
  /** The name of the cookie that brings a client back to where it was. */
  readonly sticky: string | undefined
  /** Every address that a name has counts. */
  readonly everyAddress: boolean
  readonly health: HealthCheck | undefined
  /** How many other addresses a request may be sent to. */
  readonly retries: number
  /** Of each address. */
  readonly concurrency: Concurrency | undefined
}

export type Balance =
  | { readonly by: (typeof balanceWords)[number] }
  | { readonly by: 'hash'; readonly of: 'clientAddress' }
  /** The name of a header field is in lower case. */
  | { readonly by: 'hash'; readonly of: 'header' | 'cookie'; readonly name: string }

export const balanceWords = ['leastRequests', 'roundRobin', 'random', 'firstAvailable'] as const

export type HealthCheck = {
  readonly path: string
  /** undefined: the address itself. */
  readonly host: string | undefined
  /** undefined: 200 to 399. */
  readonly status: number | undefined
  readonly everyMs: number
  readonly timeoutMs: number
  readonly healthyAfter: number
  readonly unhealthyAfter: number
}

/** Requests at a time, in all workers together, and how many more may wait, for how long. */
export type Concurrency = { readonly concurrent: number; readonly queue: number; readonly waitMs: number }
