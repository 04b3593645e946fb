const HOUR_MS = 60 * 60 * 1000

/** So many things within any hour. */
export class HourlyLimit {
  readonly #most: number
  /** When they were, in order. */
  #times: number[] = []

  constructor(most: number) {
    this.#most = most
  }

  /** How long until there may be another one: 0 if at once. */
  waitMs(now: number): number {
    this.#forget(now)
    return this.#times.length < this.#most ? 0 : this.#times[0]! + HOUR_MS - now
  }

  take(now: number): void {
    this.#times.push(now)
  }

  #forget(now: number): void {
    const latest = this.#times.at(-1)
    // The clock was set back: what was counted then would count for longer than an hour.
    if (latest !== undefined && latest > now) this.#times = []
    const first = this.#times.findIndex((time) => time > now - HOUR_MS)
    if (first !== 0) this.#times = first < 0 ? [] : this.#times.slice(first)
  }
}
