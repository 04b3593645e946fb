import type { Limit } from './bucket.ts'
import type { LimitKind } from './limits.ts'

/** An order as a CA counts it. */
export type OrderFacts = {
  /** Which CA: see Issuer. */
  readonly authority: string
  /** Whatever tells its accounts apart. */
  readonly account: string
  /** The account is yet to be made. */
  readonly needsAccount: boolean
  readonly names: readonly string[]
  /** Its CA has said that now is the time, and is told what is replaced: that is not limited at all (RFC 9773 §5). */
  readonly isSuggested: boolean
  /** There was one for exactly these names of late, which exempts from the limits of accounts and domains. */
  readonly isRenewal: boolean
}

/** What an order would be refused for, and from when on no more. */
export type Wait = {
  /** Tells limits apart: all orders with the same one wait for the same token. */
  readonly key: string
  readonly at: number
  /** `50 certificates of example.com in 7 days` */
  readonly limit: string
}

/** What is left of one limit. */
export type Balance = {
  readonly authority: string
  readonly kind: LimitKind
  readonly subject: string
  /** undefined where only the CA's own word is known. */
  readonly limit: Limit | undefined
  readonly left: number
  /** When there is one more than now; undefined if there are all. */
  readonly moreAt: number | undefined
}

/** What was spent of one limit. Times in ms since 1970. */
export type Entry = {
  /** When nothing is spent any more: see Limit. */
  fullAt: number
  /** The CA's own word: nothing before this. */
  until: number
}
