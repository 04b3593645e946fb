/** Whoever was refused a connection, or found nobody there, and tries again. One of the two is called, once, unless it leaves. */
export interface Refused {
  /** On the clock of the line: until then it makes sense to try. */
  readonly refusedUntil: number
  onTryAgain(): void
  onStillRefused(): void
}

export type RestartClock = {
  /** Milliseconds from any start. */
  readonly now: () => number
  /** Calls once after so many milliseconds. */
  readonly after: (ms: number, call: () => void) => void
}

export const systemRestartClock: RestartClock = {
  now: () => performance.now(),
  after: (ms, call) => {
    setTimeout(call, ms)
  },
}

/** How long an application may be away without its visitors seeing that. Most restart in one or two seconds. */
export const RESTART_MS = 3_000
/** Who is away for longer than this is not being restarted. */
export const OUTAGE_MS = 30_000
const PAUSE_MS = 100
/** Requests of a worker for an upstream; more fail at once. */
const MAX_WAITING = 1_000

/**
 * Requests whose upstream is being restarted: their connections were refused, or its checks say that nobody is there, so that
 * nothing of them was sent. At each pause one of them tries, and once it is let in, so do all: together they would be a storm
 * for whoever is just coming up.
 */
export class RestartLine {
  readonly #clock: RestartClock
  readonly #waiting = new Set<Refused>()
  #isTicking = false

  constructor(clock: RestartClock) {
    this.#clock = clock
  }

  get now(): number {
    return this.#clock.now()
  }

  get size(): number {
    return this.#waiting.size
  }

  /** False if there is no room, or no time left for it. */
  join(waiter: Refused): boolean {
    if (this.#waiting.size >= MAX_WAITING || this.#clock.now() + PAUSE_MS > waiter.refusedUntil) return false
    this.#waiting.add(waiter)
    this.#tickSoon()
    return true
  }

  leave(waiter: Refused): void {
    this.#waiting.delete(waiter)
  }

  /** A connection was accepted, or a check says that somebody is there again. */
  open(): void {
    const all = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of all) waiter.onTryAgain()
  }

  #tickSoon(): void {
    if (this.#isTicking) return
    this.#isTicking = true
    this.#clock.after(PAUSE_MS, () => this.#tick())
  }

  #tick(): void {
    this.#isTicking = false
    const now = this.#clock.now()
    for (const waiter of this.#waiting) {
      if (now < waiter.refusedUntil) continue
      this.#waiting.delete(waiter)
      waiter.onStillRefused()
    }
    for (const first of this.#waiting) {
      this.#waiting.delete(first)
      first.onTryAgain()
      break
    }
    if (this.#waiting.size > 0) this.#tickSoon()
  }
}
