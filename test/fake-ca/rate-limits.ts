import { Refusal } from './answer.ts'

const HOUR_MS = 60 * 60 * 1000

type Limit = {
  readonly count: number
  readonly periodMs: number
  /** What there were too many of, as Boulder says it. */
  readonly words: (count: number, subject: string) => string
  /** In Let's Encrypt's page on rate limits. */
  readonly anchor: string
}

/** Let's Encrypt's, as of November 2026. */
const letsEncryptLimits = {
  ordersPerAccount: {
    count: 300,
    periodMs: 3 * HOUR_MS,
    words: (count) => `too many new orders (${count}) from this account in the last 3h0m0s`,
    anchor: 'new-orders-per-account',
  },
  certificatesPerDomain: {
    count: 50,
    periodMs: 168 * HOUR_MS,
    words: (count, domain) => `too many certificates (${count}) already issued for "${domain}" in the last 168h0m0s`,
    anchor: 'new-certificates-per-registered-domain',
  },
  certificatesPerSet: {
    count: 5,
    periodMs: 168 * HOUR_MS,
    words: (count) =>
      `too many certificates (${count}) already issued for this exact set of identifiers in the last 168h0m0s`,
    anchor: 'new-certificates-per-exact-set-of-identifiers',
  },
  failuresPerName: {
    count: 5,
    periodMs: HOUR_MS,
    words: (count, name) => `too many failed authorizations (${count}) for "${name}" in the last 1h0m0s`,
    anchor: 'authorization-failures-per-identifier-per-account',
  },
  accountsPerAddress: {
    count: 10,
    periodMs: 3 * HOUR_MS,
    words: (count) => `too many new registrations (${count}) from this IP address in the last 3h0m0s`,
    anchor: 'new-registrations-per-ip-address',
  },
} satisfies Record<string, Limit>

export type LimitName = keyof typeof letsEncryptLimits

/** Consecutive failures after which Let's Encrypt pauses a name. */
const PAUSE_AFTER = 1152

/**
 * Let's Encrypt's rate limits: buckets that hold `count` and refill evenly over their period, so that after a refusal one
 * more is granted a part of the period later. Times come from the CA's clock.
 */
export class RateLimits {
  /** A test may make them smaller. */
  readonly counts: Record<LimitName, number>
  pauseAfter = PAUSE_AFTER
  readonly #now: () => number
  /** When each bucket will be full again. */
  readonly #fullAt = new Map<string, number>()
  readonly #consecutiveFailures = new Map<string, number>()
  readonly #paused = new Set<string>()

  constructor(now: () => number) {
    this.#now = now
    const entries = Object.entries(letsEncryptLimits).map(([name, { count }]) => [name, count])
    this.counts = Object.fromEntries(entries) as Record<LimitName, number>
  }

  /** Throws Refusal 429 with Boulder's words and a Retry-After if one more would be too many. */
  check(name: LimitName, subject: string, told = subject): void {
    const { periodMs, words, anchor }: Limit = letsEncryptLimits[name]
    const waitMs = this.#afterOneMore(name, subject) - this.#now() - periodMs
    if (waitMs <= 0) return
    const at = new Date(this.#now() + waitMs).toISOString().slice(0, 19).replace('T', ' ')
    const page = `https://letsencrypt.org/docs/rate-limits/#${anchor}`
    const detail = `${words(this.counts[name], told)}, retry after ${at} UTC: see ${page}`
    throw new Refusal('rateLimited', detail, { status: 429, retryAfter: Math.ceil(waitMs / 1000) })
  }

  /** Counts one. */
  spend(name: LimitName, subject: string): void {
    this.#fullAt.set(`${name} ${subject}`, this.#afterOneMore(name, subject))
  }

  /** Uses up what is left. */
  exhaust(name: LimitName, subject: string): void {
    const { periodMs } = letsEncryptLimits[name]
    while (this.#afterOneMore(name, subject) - this.#now() <= periodMs) this.spend(name, subject)
  }

  /** Counts a failed validation, which a success makes forgotten as far as pausing goes. */
  failed(account: string, name: string): void {
    const subject = `${account} ${name}`
    this.spend('failuresPerName', subject)
    const failures = (this.#consecutiveFailures.get(subject) ?? 0) + 1
    this.#consecutiveFailures.set(subject, failures)
    if (failures >= this.pauseAfter) this.pause(account, name)
  }

  succeeded(account: string, name: string): void {
    this.#consecutiveFailures.delete(`${account} ${name}`)
  }

  /** No order that has the name is taken any more from this account, until somebody unpauses it. */
  pause(account: string, name: string): void {
    this.#paused.add(`${account} ${name}`)
  }

  /** What somebody does at the URL that the CA shows. */
  unpause(): void {
    this.#paused.clear()
    this.#consecutiveFailures.clear()
  }

  /** Throws Refusal 429 without a Retry-After, in Boulder's words. */
  checkPaused(account: string, names: readonly string[]): void {
    const paused = names.filter((name) => this.#paused.has(`${account} ${name}`))
    if (paused.length > 0) throw new Refusal(...pausedProblem(paused))
  }

  #afterOneMore(name: LimitName, subject: string): number {
    const interval = letsEncryptLimits[name].periodMs / this.counts[name]
    return Math.max(this.#now(), this.#fullAt.get(`${name} ${subject}`) ?? 0) + interval
  }
}

export const UNPAUSE_URL = 'https://portal.ca.test/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.e30.c2ln'

/** Type, words and status of the refusal. */
export function pausedProblem(names: readonly string[]): [string, string, { status: number }] {
  const detail = `Your account is temporarily prevented from requesting certificates for ${names.join(', ')} and possibly others. Please visit: ${UNPAUSE_URL}`
  return ['rateLimited', detail, { status: 429 }]
}

/** What certificates are counted by; without a list of public suffixes, which tests do not need. */
export function registeredDomain(name: string): string {
  return name.split('.').slice(-2).join('.')
}
