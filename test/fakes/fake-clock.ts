import type { Clock } from '../../src/system/clock.ts'

type Sleeper = { readonly at: number; readonly wake: () => void }

/** A clock that stands still until told to move. Sleepers wake in order of time. */
export class FakeClock implements Clock {
  #now: number
  #sleepers: Sleeper[] = []

  constructor(now = Date.parse('2026-11-24T12:00:00Z')) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const sleeper: Sleeper = {
        at: this.#now + ms,
        wake: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      const onAbort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.push(sleeper)
    })
  }

  /** Moves time on without waking anybody, as it passes for a process that is stopped: who is due wakes late. */
  oversleep(ms: number): void {
    this.#now += ms
  }

  /** How many wait, so that a test can see that nothing is left behind. */
  get sleeping(): number {
    return this.#sleepers.length
  }

  /** When the next sleeper wakes, or undefined. */
  get next(): number | undefined {
    return this.#sleepers.reduce<number | undefined>(
      (next, { at }) => (next === undefined || at < next ? at : next),
      undefined,
    )
  }

  /** Moves time on, waking whoever is due, in order, and letting each run until it waits again. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const due = this.next
      if (due === undefined || due > end) break
      this.#now = Math.max(this.#now, due)
      const awake = this.#sleepers.filter(({ at }) => at <= due)
      this.#sleepers = this.#sleepers.filter(({ at }) => at > due)
      for (const { wake } of awake) wake()
      await settle()
    }
    this.#now = end
  }
}

/** Lets promises, and the I/O that is ready, run on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}
