const MINUTE_MS = 60 * 1000
const HOUR_MS = 60 * MINUTE_MS

/** A minute since 1970, and how many there were in it. */
export type Counted = readonly [minute: number, count: number]

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

  /** What counts now, to the minute; empty if nothing does. */
  counts(now: number): Counted[] {
    this.#forget(now)
    const counts = new Map<number, number>()
    for (const time of this.#times) {
      const minute = Math.floor(time / MINUTE_MS)
      counts.set(minute, (counts.get(minute) ?? 0) + 1)
    }
    return [...counts]
  }

  /** Takes up what was counted before: of what is beyond the limit, the latest. */
  restore(counts: readonly Counted[]): void {
    const times = counts.flatMap(([minute, count]) =>
      Array<number>(Math.min(count, this.#most)).fill(minute * MINUTE_MS),
    )
    this.#times = times.sort((a, b) => a - b).slice(-this.#most)
  }

  #forget(now: number): void {
    const latest = this.#times.at(-1)
    // The clock was set back: what was counted then would count for longer than an hour.
    if (latest !== undefined && latest > now) this.#times = []
    const first = this.#times.findIndex((time) => time > now - HOUR_MS)
    if (first !== 0) this.#times = first < 0 ? [] : this.#times.slice(first)
  }
}
