/** Something with deadlines of its own, which looks at the time when it is told to. */
export interface Swept {
  /** `now` in milliseconds, as `Sweep.now()`. */
  sweep(now: number): void
}

/**
 * The one timer of many deadlines: it calls everything that was added about once a second. So a request sets no timer,
 * and a deadline may be late by a second.
 */
export interface Sweep {
  /** Milliseconds of a clock that never goes back. */
  now(): number
  add(it: Swept): void
  delete(it: Swept): void
}
