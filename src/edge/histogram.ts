/** What a histogram has counted, as plain data. */
export type HistogramReport = {
  /** By `DURATION_BUCKETS_SECONDS`, and one more for what took longer than all of them. */
  readonly counts: readonly number[]
  readonly sumSeconds: number
}

/** Upper bounds. Answers from memory take less than the first, and who waits longer than the last has given up. */
export const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** How often something took how long. */
export class Histogram {
  readonly #counts = new Array<number>(DURATION_BUCKETS_SECONDS.length + 1).fill(0)
  #sumMs = 0

  add(ms: number): void {
    this.#counts[bucketOf(ms / 1000)]!++
    this.#sumMs += ms
  }

  report(): HistogramReport {
    return { counts: [...this.#counts], sumSeconds: this.#sumMs / 1000 }
  }
}

function bucketOf(seconds: number): number {
  let bucket = 0
  while (bucket < DURATION_BUCKETS_SECONDS.length && seconds > DURATION_BUCKETS_SECONDS[bucket]!) bucket++
  return bucket
}

/** Two reports as one. */
export function addHistograms(a: HistogramReport, b: HistogramReport): HistogramReport {
  return { counts: a.counts.map((count, index) => count + b.counts[index]!), sumSeconds: a.sumSeconds + b.sumSeconds }
}
