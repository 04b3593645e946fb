import type { Clock } from '../../src/system/clock.ts'

type Sleeper = { readonly at: number; readonly ms: number; readonly wake: () => void }

const SECOND = 1000
/** Shorter sleeps are pauses between two looks at what somebody else does. */
const LONGEST_PAUSE = SECOND
/** What is bounded in time by the program is so by whole steps of this, up to that many. */
const DEADLINE_STEP = 5 * SECOND
const LONGEST_DEADLINE = 30 * SECOND
/** Far enough that the heartbeat of the workers always finds itself late, and takes no worker for one that hangs. */
const LEAP = 30 * SECOND

export type LeapingClockOptions = {
  readonly now: number
  /** Whether something is under way that no sleep tells of. */
  readonly isBusy: () => boolean
}

/**
 * The clock of a program that runs against real sockets through days. While the program waits for an answer, time passes as
 * it does for those who answer; while it waits for its calendar alone, time leaps, and never over an alarm.
 */
export class LeapingClock implements Clock {
  /** Whoever is waited for will never answer, and time leaps all the same. */
  isHurried = false
  readonly #isBusy: () => boolean
  #now: number
  #sleepers = new Set<Sleeper>()
  #steppedAt = performance.now()

  constructor({ now, isBusy }: LeapingClockOptions) {
    this.#now = now
    this.#isBusy = isBusy
  }

  now(): number {
    return Math.floor(this.#now)
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper)
        reject(signal?.reason)
      }
      const wake = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const sleeper = { at: this.#now + ms, ms, wake }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  /** Moves on by what fits what the program does. To be called every few real milliseconds. */
  step(): void {
    const realMs = performance.now() - this.#steppedAt
    this.#steppedAt += realMs
    const pauses = this.#alarms(({ ms }) => ms <= LONGEST_PAUSE)
    if (pauses.length > 0) return this.#moveTo(Math.min(...pauses))
    if (!this.isHurried && this.#isAwaited()) return this.#moveTo(this.#now + realMs)
    this.#moveTo(Math.min(this.#now + LEAP, ...this.#alarms((sleeper) => !isDeadline(sleeper))))
  }

  /** The heartbeat sleeps as long as a deadline takes, always, and is one. */
  #isAwaited(): boolean {
    return this.#isBusy() || this.#alarms(isDeadline).length > 1
  }

  #alarms(isMeant: (sleeper: Sleeper) => boolean): number[] {
    return [...this.#sleepers].filter(isMeant).map(({ at }) => at)
  }

  #moveTo(time: number): void {
    this.#now = Math.max(this.#now, time)
    const due = [...this.#sleepers].filter(({ at }) => at <= this.#now)
    for (const sleeper of due.toSorted((a, b) => a.at - b.at)) {
      this.#sleepers.delete(sleeper)
      sleeper.wake()
    }
  }
}

function isDeadline({ ms }: Sleeper): boolean {
  return ms % DEADLINE_STEP === 0 && ms <= LONGEST_DEADLINE
}
