/** So many failures in a row, each within this long of the one before, and a target is left out. Envoy takes 5, nginx 1. */
const FAILURES = 3
const FAILURE_MS = 10_000
/** For so long at first, twice as long each time that it fails on its return, and no longer than this. */
const FIRST_REST_MS = 1_000
const MAX_REST_MS = 60_000
/**
 * From its return to its full share it takes as long as it was away, within these: an app that has just started is slow, and
 * may not be well; but while one is spared, the others have more to do.
 */
const LEAST_RETURN_MS = 1_000
const MAX_RETURN_MS = 10_000
/** Of its share, at the beginning of its return. */
const LEAST_SHARE = 0.1

/**
 * What a worker has seen of a target's failures: no connection, no answer in time, none at all. One that fails again and
 * again is left out for a while, and comes back slowly. Times are milliseconds from any start.
 */
export class FailureMarks {
  #inRow = 0
  #failedAt = 0
  #restMs = 0
  #restsUntil = Number.NEGATIVE_INFINITY
  #returnsSince: number | undefined
  #returnMs = 0

  /** It is left out. */
  isMarked(now: number): boolean {
    return now < this.#restsUntil
  }

  /** How much of its share it gets, from 0 to 1. */
  share(now: number): number {
    const since = this.#returnsSince
    if (since === undefined) return 1
    const part = (now - since) / this.#returnMs
    if (part < 1) return Math.max(LEAST_SHARE, part)
    this.#settle()
    return 1
  }

  /** Gives for how many milliseconds it is left out from now on; undefined if that has not changed. */
  fail(now: number): number | undefined {
    // That one is tried nevertheless, for want of others, makes it no worse.
    if (this.isMarked(now)) return undefined
    const isReturning = this.share(now) < 1
    this.#inRow = now - this.#failedAt <= FAILURE_MS ? this.#inRow + 1 : 1
    this.#failedAt = now
    if (this.#inRow < FAILURES && !isReturning) return undefined
    this.#restMs = this.#restMs === 0 ? FIRST_REST_MS : Math.min(2 * this.#restMs, MAX_REST_MS)
    this.return(now + this.#restMs, this.#restMs)
    this.#restsUntil = now + this.#restMs
    return this.#restMs
  }

  /** It has answered. Called for every answer. */
  answered(now: number): void {
    this.#inRow = 0
    if (now < this.#restsUntil) this.return(now, this.#restMs)
  }

  /** It is there again after so many milliseconds, and gets its share little by little. */
  return(now: number, awayMs: number): void {
    this.#inRow = 0
    this.#restsUntil = Number.NEGATIVE_INFINITY
    this.#returnsSince = now
    this.#returnMs = Math.min(Math.max(awayMs, LEAST_RETURN_MS), MAX_RETURN_MS)
  }

  #settle(): void {
    this.#returnsSince = undefined
    this.#restMs = 0
  }
}
