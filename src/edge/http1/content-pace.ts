import type { ServerDeadlines } from './deadlines.ts'

/** How fast the content of a request comes while somebody waits for it. */
export class ContentPace {
  #bytes = 0
  /** How long it was waited for in all, and when that was last added up. */
  #waitedMs = 0
  #countedAt = 0

  /** Begins anew with another request. */
  begin(now: number): void {
    this.#bytes = 0
    this.#waitedMs = 0
    this.#countedAt = now
  }

  /** Some of it has come. */
  count(bytes: number): void {
    this.#bytes += bytes
  }

  /** None of it has come yet. */
  get isAtStart(): boolean {
    return this.#bytes === 0
  }

  /** To be called now and then; `isWaiting` says whether it was the client's turn since the last time. */
  pass(now: number, isWaiting: boolean): void {
    if (isWaiting) this.#waitedMs += now - this.#countedAt
    this.#countedAt = now
  }

  isTooSlow({ contentGraceMs, contentBytesPerSecond }: ServerDeadlines): boolean {
    return this.#waitedMs > contentGraceMs && this.#bytes * 1000 < this.#waitedMs * contentBytesPerSecond
  }
}
