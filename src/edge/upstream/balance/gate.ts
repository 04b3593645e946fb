import type { ConcurrencySnapshot } from '../../snapshot.ts'
import type { Sweeping } from '../../sweep.ts'
import { type Waiter, WaitingLine } from './waiting-line.ts'

/** Lets so many requests of a site in at a time, and has some of the others wait. */
export class Gate {
  readonly #settings: ConcurrencySnapshot
  readonly #line: WaitingLine
  #limit: number
  #underWay = 0

  /** `workers` share what the settings allow. */
  constructor(settings: ConcurrencySnapshot, workers: number, sweep: Sweeping) {
    this.#settings = settings
    this.#limit = shareOf(settings.concurrent, workers)
    this.#line = new WaitingLine({ sweep, length: shareOf(settings.queue, workers), waitMs: settings.waitMs })
  }

  /** So many workers share from now on. */
  shareWith(workers: number): void {
    this.#limit = shareOf(this.#settings.concurrent, workers)
    this.#line.length = shareOf(this.#settings.queue, workers)
  }

  /** `waits`: it is called when it is in. */
  enter(waiter: Waiter): 'in' | 'waits' | 'refused' {
    if (this.#underWay < this.#limit) {
      this.#underWay++
      return 'in'
    }
    return this.#line.join(waiter) ? 'waits' : 'refused'
  }

  /** Of one that waits. */
  giveUp(waiter: Waiter): void {
    this.#line.leave(waiter)
  }

  /** Of one that is in: the next takes its place. */
  leave(): void {
    if (this.#underWay > this.#limit || !this.#line.callNext()) this.#underWay--
  }
}

/** Of a worker: together no more than allowed, and each at least one; nobody is refused the whole of nothing. */
export function shareOf(count: number, workers: number): number {
  return count === 0 ? 0 : Math.max(1, Math.floor(count / workers))
}
