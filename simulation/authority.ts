const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** How many tokens, and how long until one comes back. */
type Bucket = { readonly count: number; readonly everyMs: number }

export type AuthorityLimits = {
  readonly orders: Bucket
  readonly certificates: Bucket
  readonly sets: Bucket
  readonly failures: Bucket
}

/** Let's Encrypt's, as letsencrypt.org/docs/rate-limits has them. */
export const LETSENCRYPT_LIMITS: AuthorityLimits = {
  orders: { count: 300, everyMs: 36_000 },
  certificates: { count: 50, everyMs: (7 * DAY_MS) / 50 },
  sets: { count: 5, everyMs: (7 * DAY_MS) / 5 },
  failures: { count: 5, everyMs: 12 * MINUTE_MS },
}

export type AuthorityOptions = {
  readonly names: number
  readonly lifetimeMs: number
  readonly limits: AuthorityLimits
  /** Times at which it answers nobody. */
  readonly outages: readonly { readonly from: number; readonly to: number }[]
  /** When all that was issued before is revoked: windows lie in the past from then on. */
  readonly revocationAt: number | undefined
  /** What it can never validate. */
  readonly isHopeless: (name: number) => boolean
  /** What it counts a name under. */
  readonly domainOf: (name: number) => string
}

export type Window = { readonly start: number; readonly end: number }

/** What became of a request. */
export type Reply =
  | { readonly type: 'accepted' | 'unreachable' }
  /** In Boulder's words, and its Retry-After. */
  | { readonly type: 'refused'; readonly detail: string; readonly retryAfterMs: number }

const words: Readonly<Record<keyof AuthorityLimits, (count: number, counted: string) => string>> = {
  orders: (count) => `too many new orders (${count}) from this account in the last 3h0m0s`,
  certificates: (count, domain) =>
    `too many certificates (${count}) already issued for "${domain}" in the last 168h0m0s`,
  sets: (count) =>
    `too many certificates (${count}) already issued for this exact set of identifiers in the last 168h0m0s`,
  failures: (count, name) => `too many failed authorizations (${count}) for "${name}" in the last 1h0m0s`,
}

/** Boulder takes for a renewal what repeats a set of names within so long. */
const RENEWAL_MS = 120 * DAY_MS

/**
 * A model of Let's Encrypt: its rate limits as Boulder counts them, its suggestions of when to renew, outages, and a mass
 * revocation. It shares no code with what it is to judge.
 */
export class Authority {
  readonly #options: AuthorityOptions
  /** By limit and what is counted: when the bucket is full again. */
  readonly #fullAt = new Map<string, number>()
  /** By name: when its certificate was issued; NaN if it has none. */
  readonly #issuedAt: Float64Array
  #sizeThen = 0

  constructor(options: AuthorityOptions) {
    this.#options = options
    this.#issuedAt = new Float64Array(options.names).fill(Number.NaN)
  }

  isOut(now: number): boolean {
    return this.#options.outages.some(({ from, to }) => from <= now && now < to)
  }

  /** A certificate from before all began. */
  grant(name: number, at: number): void {
    this.#issuedAt[name] = at
  }

  /** Boulder's RenewalInfoSimple, and RenewalInfoImmediate for what it revokes. */
  window(name: number, now: number): Window {
    const { lifetimeMs, revocationAt } = this.#options
    const issuedAt = this.#issuedAt[name]!
    if (revocationAt !== undefined && revocationAt <= now && issuedAt < revocationAt)
      return { start: revocationAt - HOUR_MS, end: revocationAt - HOUR_MS / 2 }
    const ideal = issuedAt + lifetimeMs - lifetimeMs / (lifetimeMs < 10 * DAY_MS ? 2 : 3)
    return { start: ideal - lifetimeMs / 100, end: ideal + lifetimeMs / 100 }
  }

  /** @param isReplacement the order says that it replaces the certificate of this name. */
  order(name: number, isReplacement: boolean, now: number): Reply {
    if (this.isOut(now)) return { type: 'unreachable' }
    const { limits, domainOf } = this.#options
    const { start, end } = this.window(name, now)
    if (isReplacement && start <= now && now < end) return { type: 'accepted' }
    const isRenewal = now - this.#issuedAt[name]! < RENEWAL_MS
    if (!isRenewal && !this.#has('certificates', domainOf(name), limits.certificates, now))
      return this.#refuse('certificates', domainOf(name), now)
    if (!this.#has('sets', String(name), limits.sets, now)) return this.#refuse('sets', String(name), now)
    if (!this.#has('failures', String(name), limits.failures, now)) return this.#refuse('failures', String(name), now)
    if (!isRenewal && !this.#has('orders', '', limits.orders, now)) return this.#refuse('orders', '', now)
    if (!isRenewal) this.#spend('orders', '', limits.orders, now)
    return { type: 'accepted' }
  }

  /** The end of an order: whether there is a certificate now. */
  finish(name: number, now: number): 'issued' | 'unreachable' | 'invalid' {
    if (this.isOut(now)) return 'unreachable'
    const { limits, domainOf, isHopeless } = this.#options
    if (isHopeless(name)) {
      this.#spend('failures', String(name), limits.failures, now)
      return 'invalid'
    }
    const isRenewal = now - this.#issuedAt[name]! < RENEWAL_MS
    if (!isRenewal) this.#spend('certificates', domainOf(name), limits.certificates, now)
    this.#spend('sets', String(name), limits.sets, now)
    this.#issuedAt[name] = now
    return 'issued'
  }

  #refuse(limit: keyof AuthorityLimits, counted: string, now: number): Reply {
    const { count, everyMs } = this.#options.limits[limit]
    const at = this.#fullAt.get(`${limit} ${counted}`)! - (count - 1) * everyMs
    const time = new Date(at + 999).toISOString().slice(0, 19).replace('T', ' ')
    return {
      type: 'refused',
      detail: `${words[limit](count, counted)}, retry after ${time} UTC`,
      retryAfterMs: at - now,
    }
  }

  #has(limit: string, counted: string, { count, everyMs }: Bucket, now: number): boolean {
    const fullAt = Math.max(this.#fullAt.get(`${limit} ${counted}`) ?? 0, now)
    return fullAt + everyMs - count * everyMs <= now
  }

  #spend(limit: string, counted: string, bucket: Bucket, now: number): void {
    if (!this.#has(limit, counted, bucket, now)) return
    const key = `${limit} ${counted}`
    this.#fullAt.set(key, Math.max(this.#fullAt.get(key) ?? 0, now) + bucket.everyMs)
    if (this.#fullAt.size > 2 * this.#sizeThen + 1000) this.#forget(now)
  }

  #forget(now: number): void {
    for (const [key, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(key)
    this.#sizeThen = this.#fullAt.size
  }
}
