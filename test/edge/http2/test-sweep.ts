import { HttpDate } from '../../../src/edge/http-date.ts'
import type { Sweeping, Swept } from '../../../src/edge/sweep.ts'

/** It is the beginning of 1970 for whoever writes a Date. */
export const testDate = new HttpDate({ now: () => 0 })

/** A sweep whose time passes when the test says so. */
export class TestSweep implements Sweeping {
  readonly swept = new Set<Swept>()
  #now = 1000

  get now(): number {
    return this.#now
  }

  add(it: Swept): void {
    this.swept.add(it)
  }

  delete(it: Swept): void {
    this.swept.delete(it)
  }

  /** Lets time pass, with a sweep in each second. */
  pass(ms: number): void {
    const end = this.#now + ms
    while (this.#now < end) {
      this.#now = Math.min(end, this.#now + 1000)
      for (const it of [...this.swept]) it.sweep(this.#now)
    }
  }
}

/** Lets everything happen that is due in this turn of the event loop and the next. */
export async function turn(): Promise<void> {
  for (let count = 0; count < 3; count++) await new Promise((resolve) => setImmediate(resolve))
}
