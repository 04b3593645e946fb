import { builtInDirectories } from '../../config/issuers.ts'
import { spokenDuration } from '../spoken-time.ts'
import type { Limit } from './bucket.ts'

/** What a CA counts. */
export type LimitKind =
  /** Orders of an account. */
  | 'orders'
  /** Certificates of a registered domain, an IPv4 address or an IPv6 network of 64 bits, of whichever account. */
  | 'certificates'
  /** Certificates for exactly the same names, of whichever account. */
  | 'sets'
  /** Authorizations of a name that failed, of an account. */
  | 'failures'
  /** Accounts that were made from one address. */
  | 'accounts'

/** What is not there is not limited, as far as is known. */
export type Limits = Readonly<Partial<Record<LimitKind, Limit>>>

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS

/**
 * What CAs publish, by the URL of their directory. Let's Encrypt: letsencrypt.org/docs/rate-limits and, for its staging
 * environment, /docs/staging-environment. Of the others none says numbers that hold for everybody.
 */
const published: ReadonlyMap<string, Limits> = new Map([
  [
    builtInDirectories.get('letsencrypt')!,
    {
      orders: { count: 300, periodMs: 3 * HOUR_MS },
      certificates: { count: 50, periodMs: 7 * DAY_MS },
      sets: { count: 5, periodMs: 7 * DAY_MS },
      failures: { count: 5, periodMs: HOUR_MS },
      accounts: { count: 10, periodMs: 3 * HOUR_MS },
    },
  ],
  [
    builtInDirectories.get('letsencrypt-staging')!,
    {
      orders: { count: 1500, periodMs: 3 * HOUR_MS },
      certificates: { count: 30_000, periodMs: 7 * DAY_MS },
      sets: { count: 30_000, periodMs: 7 * DAY_MS },
      failures: { count: 200, periodMs: HOUR_MS },
      accounts: { count: 50, periodMs: 3 * HOUR_MS },
    },
  ],
])

const NONE: Limits = {}

/** The limits that the CA behind this directory publishes. */
export function publishedLimits(directory: string): Limits {
  return published.get(directory) ?? NONE
}

/** What a limit counts, in words that follow a number. */
export const countedAs: Readonly<Record<LimitKind, (subject: string) => string>> = {
  orders: () => 'orders of one account',
  certificates: (domain) => `certificates of ${domain}`,
  sets: (names) => `certificates for exactly ${names}`,
  failures: (name) => `failed authorizations of ${name}`,
  accounts: () => 'new accounts from one address',
}

/** `50 certificates of example.com in 7 days` */
export function describeLimit(kind: LimitKind, subject: string, { count, periodMs }: Limit): string {
  return `${count} ${countedAs[kind](subject)} in ${spokenDuration(periodMs)}`
}

/**
 * How much later than by our count a token is taken for there, where there are few. The CA counts when it gets an order,
 * which is after we noted it, and a certificate or a failure when the order comes to its end; its clock may be behind.
 */
export const marginsMs: Readonly<Record<LimitKind, number>> = {
  orders: 60_000,
  certificates: 600_000,
  sets: 600_000,
  failures: 60_000,
  accounts: 60_000,
}
