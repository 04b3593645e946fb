import type { KeyKind } from '../pki/key-kind.ts'
import type { Balance } from './ledger/order-facts.ts'

/** How what an operator asked for has ended for one certificate. Times in ms since 1970. */
export type Outcome =
  | { readonly status: 'obtained'; readonly issuer: string; readonly notAfter: number }
  /** Without a time, there is no next try by itself. */
  | { readonly status: 'failed'; readonly reason: string; readonly nextAt?: number | undefined }
  /** There is nothing to try: it is good until its time has come. */
  | { readonly status: 'not-due'; readonly renewAt: number; readonly because: string }
  /** Its CA would refuse it, because of a rate limit: it is ordered by itself when there is something left. */
  | { readonly status: 'limited'; readonly at: number; readonly because: string }
  /** An operator brings it, so that nobody orders it. */
  | { readonly status: 'own-files' }
  /** It was to be revoked, and was not. */
  | { readonly status: 'not-revoked'; readonly reason: string }
  /** The program ended first. */
  | { readonly status: 'stopped' }

/** Which certificates an operator means. */
export type Selection = 'all' | { readonly name: string }

/** A certificate for which an operator has asked something, and how that will have ended. */
export type Asked = {
  readonly id: string
  readonly names: readonly string[]
  readonly keyKind: KeyKind | undefined
  /** What the rate limits of its CA leave. */
  readonly left: readonly Balance[]
  readonly outcome: Promise<Outcome>
}

/** What an operator has asked for one certificate. */
export type Wish = {
  readonly at: number
  /** To be renewed although that is not due; otherwise only not to wait any longer. */
  readonly isRenewal: boolean
  readonly outcome: Promise<Outcome>
  readonly resolve: (outcome: Outcome) => void
}

/** One more wish for the same certificate joins the former one, and both hear how it ends. */
export function addWish(former: Wish | undefined, isRenewal: boolean, now: number): Wish {
  if (former !== undefined) return { ...former, isRenewal: former.isRenewal || isRenewal }
  const { promise: outcome, resolve } = Promise.withResolvers<Outcome>()
  return { at: now, isRenewal, outcome, resolve }
}

/** Tells whoever asked for it how that has ended. */
export function conclude(item: { wish: Wish | undefined }, outcome: Outcome): void {
  item.wish?.resolve(outcome)
  item.wish = undefined
}
