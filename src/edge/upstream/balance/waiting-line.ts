import type { Sweeping, Swept } from '../../sweep.ts'

/** Whoever waits for a turn. One of the two is called, once, unless it leaves. */
export interface Waiter {
  onTurn(): void
  /** It has waited for as long as one may. */
  onWaitedInVain(): void
}

export type WaitingLineOptions = { readonly sweep: Sweeping; readonly length: number; readonly waitMs: number }

/** Requests that wait for their turn, in the order in which they came; bounded in number and in time. */
export class WaitingLine implements Swept {
  /** How many may wait. */
  length: number
  readonly #options: WaitingLineOptions
  /** Since when they wait. */
  readonly #waiting = new Map<Waiter, number>()

  constructor(options: WaitingLineOptions) {
    this.#options = options
    this.length = options.length
  }

  get size(): number {
    return this.#waiting.size
  }

  /** False if there is no room. */
  join(waiter: Waiter): boolean {
    if (this.#waiting.size >= this.length) return false
    const { sweep } = this.#options
    if (this.#waiting.size === 0) sweep.add(this)
    this.#waiting.set(waiter, sweep.now)
    return true
  }

  leave(waiter: Waiter): void {
    if (this.#waiting.delete(waiter) && this.#waiting.size === 0) this.#options.sweep.delete(this)
  }

  /** It is the first one's turn; false if nobody waits. */
  callNext(): boolean {
    for (const [waiter] of this.#waiting) {
      this.leave(waiter)
      waiter.onTurn()
      return true
    }
    return false
  }

  sweep(now: number): void {
    for (const [waiter, since] of this.#waiting) {
      if (now - since <= this.#options.waitMs) return
      this.leave(waiter)
      waiter.onWaitedInVain()
    }
  }
}
