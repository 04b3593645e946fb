import { connectionError, type Http2ErrorCode } from './http2-error.ts'
import type { Http2Limits, Rate } from './limits.ts'

/** What is counted, and what it is called when there is too much of it. */
const FLOODS = {
  resets: 'reset-flood',
  settings: 'settings-flood',
  pings: 'ping-flood',
  emptyFrames: 'empty-frame-flood',
  priorities: 'priority-flood',
  windowUpdates: 'window-update-flood',
  unknownFrames: 'unknown-frame-flood',
} as const satisfies Partial<Record<keyof Http2Limits, Http2ErrorCode>>

export type BudgetName = keyof typeof FLOODS

/** A token bucket: full at first, refilled in time. */
class Budget {
  readonly #rate: Rate
  #left: number
  #refilledAt: number

  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#left = rate.burst
    this.#refilledAt = now
  }

  add(amount: number): void {
    this.#left = Math.min(this.#rate.burst, this.#left + amount)
  }

  /** False if nothing is left. */
  spend(now: number): boolean {
    this.add(((now - this.#refilledAt) * this.#rate.perSecond) / 1000)
    this.#refilledAt = now
    this.#left--
    return this.#left >= 0
  }
}

/**
 * How often a peer may do what costs it less than us (RFC 9113 §10.5). A connection on which nothing of the kind
 * happens has no budget for it, which counts as a full one.
 */
export class Budgets {
  readonly #limits: Readonly<Record<BudgetName, Rate>>
  readonly #now: () => number
  readonly #budgets: Partial<Record<BudgetName, Budget>> = {}

  constructor(limits: Readonly<Record<BudgetName, Rate>>, now: () => number) {
    this.#limits = limits
    this.#now = now
  }

  /** Throws a connection error of type ENHANCE_YOUR_CALM when it is used up. */
  charge(name: BudgetName): void {
    const now = this.#now()
    this.#budgets[name] ??= new Budget(this.#limits[name], now)
    if (!this.#budgets[name].spend(now)) throw connectionError(FLOODS[name])
  }

  /** Something was done that gives a right to more. */
  earn(name: BudgetName, amount: number): void {
    this.#budgets[name]?.add(amount)
  }
}
