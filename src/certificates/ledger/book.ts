import { afterUse, emptyUntil, intervalOf, tokenAt, tokensLeft } from './bucket.ts'
import { bare, keyOf, readKey, setOf } from './limit-key.ts'
import { describeLimit, type LimitKind, type Limits, marginsMs } from './limits.ts'
import type { Balance, Entry, OrderFacts } from './order-facts.ts'
import { registeredDomain } from './registered-domain.ts'

/** Whatever is far ahead was written by a clock that was. */
const LONGEST_WAIT_MS = 7 * 24 * 60 * 60 * 1000
/** Below this, what is over is not worth a look. */
const FEW = 1000

export type Counted = readonly [kind: LimitKind, subject: string]

/** What one CA counts. */
export class Book {
  readonly authority: string
  readonly entries = new Map<string, Entry>()
  /** Accounts that are being made, and whether they were: the first order that needs one takes it for all. */
  readonly opening = new Map<string, boolean>()
  readonly #limits: Limits
  readonly #onChange: (key: string) => void
  #sizeThen = 0

  constructor(authority: string, limits: Limits, onChange: (key: string) => void) {
    this.authority = authority
    this.#limits = limits
    this.#onChange = onChange
  }

  /** Nothing is limited. */
  get isFree(): boolean {
    return this.entries.size === 0
  }

  /** What an order is refused for, if there is nothing left of it. */
  checkedOf(order: OrderFacts): Counted[] {
    const { names, account, needsAccount } = order
    return [
      ...this.countedOf(order),
      ...names.map((name): Counted => ['failures', bare(name)]),
      ...(needsAccount && !this.opening.has(account) ? [['accounts', ''] as const] : []),
    ]
  }

  /** What a certificate takes. Boulder counts one that it asked for itself for its exact set of names, and nowhere else. */
  countedOf({ account, names, isSuggested, isRenewal }: OrderFacts): Counted[] {
    const set: Counted = ['sets', setOf(names)]
    if (isSuggested || isRenewal) return [set]
    const domains = new Set(names.map(registeredDomain))
    return [['orders', account], ...[...domains].map((domain): Counted => ['certificates', domain]), set]
  }

  describe(kind: LimitKind, subject: string): string {
    const limit = this.#limits[kind]
    return limit === undefined ? 'as its CA says' : describeLimit(kind, subject, limit)
  }

  /** When there is something left of it. */
  nextAt(kind: LimitKind, subject: string, account: string, now: number): number {
    const entry = this.#entry(keyOf(kind, subject, account), kind, now)
    if (entry === undefined) return now
    const limit = this.#limits[kind]
    const token = limit === undefined || entry.fullAt <= now ? now : tokenAt(limit, entry.fullAt) + marginsMs[kind]
    return Math.max(token, entry.until)
  }

  balance(kind: LimitKind, subject: string, account: string, now: number): Balance | undefined {
    const limit = this.#limits[kind]
    const entry = this.#entry(keyOf(kind, subject, account), kind, now)
    const nextAt = this.nextAt(kind, subject, account, now)
    const what = { authority: this.authority, kind, subject, limit }
    if (limit === undefined) return nextAt > now ? { ...what, left: 0, moreAt: nextAt } : undefined
    if (entry === undefined || isOver(entry, now)) return { ...what, left: limit.count, moreAt: undefined }
    if (nextAt > now) return { ...what, left: 0, moreAt: nextAt }
    const left = tokensLeft(limit, entry.fullAt, now)
    return { ...what, left, moreAt: entry.fullAt - (limit.count - left - 1) * intervalOf(limit) }
  }

  /** @param only those of this kind, unless all are wanted. */
  balances(now: number, only?: LimitKind): Balance[] {
    return [...this.entries].flatMap(([key, entry]) => {
      if (isOver(entry, now) || (only !== undefined && !key.startsWith(only))) return []
      const { kind, subject, account } = readKey(key)
      const balance = this.balance(kind, subject, account, now)
      return balance === undefined ? [] : [balance]
    })
  }

  /** Gives what was taken, which is nothing of what is empty. */
  spend(kind: LimitKind, subject: string, account: string, now: number): number {
    const limit = this.#limits[kind]
    if (limit === undefined) return 0
    const key = keyOf(kind, subject, account)
    const entry = this.#entry(key, kind, now) ?? { fullAt: 0, until: 0 }
    const before = Math.max(entry.fullAt, now)
    this.#put(key, { ...entry, fullAt: afterUse(limit, entry.fullAt, now) }, now)
    return Math.max(0, afterUse(limit, entry.fullAt, now) - before)
  }

  /** Gives back what `spend` took. */
  refund(kind: LimitKind, subject: string, account: string, amount: number, now: number): void {
    const key = keyOf(kind, subject, account)
    const entry = this.entries.get(key)
    if (entry === undefined || amount === 0) return
    this.#put(key, { ...entry, fullAt: entry.fullAt - amount }, now)
  }

  /** The CA has counted it now, and not when it was noted: see the margins. */
  settle(kind: LimitKind, subject: string, account: string, now: number): void {
    const limit = this.#limits[kind]
    if (limit === undefined) return
    const key = keyOf(kind, subject, account)
    const entry = this.entries.get(key) ?? { fullAt: 0, until: 0 }
    const least = afterUse(limit, 0, now)
    if (entry.fullAt < least) this.#put(key, { ...entry, fullAt: least }, now)
  }

  /** The CA knows better what was spent. */
  hold(kind: LimitKind, subject: string, account: string, until: number, now: number): void {
    const limit = this.#limits[kind]
    const key = keyOf(kind, subject, account)
    const entry = this.#entry(key, kind, now) ?? { fullAt: 0, until: 0 }
    const fullAt = limit === undefined ? 0 : Math.min(emptyUntil(limit, until), now + limit.periodMs)
    this.#put(key, { fullAt: Math.max(entry.fullAt, fullAt), until: Math.max(entry.until, until) }, now)
  }

  /** What a clock wrote that was ahead counts from now on. */
  #entry(key: string, kind: LimitKind, now: number): Entry | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    const latest = now + (this.#limits[kind]?.periodMs ?? 0)
    if (entry.fullAt > latest) entry.fullAt = latest
    if (entry.until > now + LONGEST_WAIT_MS) entry.until = now + LONGEST_WAIT_MS
    return entry
  }

  #put(key: string, entry: Entry, now: number): void {
    this.entries.set(key, entry)
    this.#onChange(key)
    if (this.entries.size > 2 * this.#sizeThen + FEW) this.#forgetWhatIsOver(now)
  }

  /** As often as their number doubles, so that each costs the same on the whole. */
  #forgetWhatIsOver(now: number): void {
    for (const [key, entry] of this.entries) if (isOver(entry, now)) this.entries.delete(key)
    this.#sizeThen = this.entries.size
  }
}

/** Nothing is spent of it any more. */
export function isOver({ fullAt, until }: Entry, now: number): boolean {
  return fullAt <= now && until <= now
}
