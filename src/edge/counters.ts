import type { RequestHead } from './exchange/exchange.ts'

/** What a worker has counted since it started, as plain data: it goes to the supervisor, which adds the workers up. */
export type CounterReport = {
  readonly connectionsOpen: number
  readonly connections: { readonly accepted: number; readonly refused: number }
  readonly handshakes: { readonly full: number; readonly resumed: number; readonly failed: number }
  /** By version and class of status, `1.1 2xx`; `0xx` for requests whose client went away before an answer. */
  readonly requests: Readonly<Record<string, number>>
  /** By `DURATION_BUCKETS_SECONDS`, and one more for those that took longer than all of them. */
  readonly durations: readonly number[]
  readonly durationSumSeconds: number
  /** Of responses' content. */
  readonly sentBytes: number
  /** By the code of the error. */
  readonly upstreamFailures: Readonly<Record<string, number>>
}

/** Upper bounds. Answers from memory take less than the first, and who waits longer than the last has given up. */
export const DURATION_BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const VERSIONS = ['1.0', '1.1', '2'] as const
const CLASSES = 6

/** Counts what a worker does. Nothing but additions to numbers: they cost nothing worth naming. */
export class Counters {
  accepted = 0
  refused = 0
  fullHandshakes = 0
  resumedHandshakes = 0
  failedHandshakes = 0
  readonly #requests = new Array<number>(VERSIONS.length * CLASSES).fill(0)
  readonly #durations = new Array<number>(DURATION_BUCKETS_SECONDS.length + 1).fill(0)
  #durationSum = 0
  #sentBytes = 0
  readonly #upstreamFailures = new Map<string, number>()

  /** A request has ended. */
  request(version: RequestHead['version'], status: number, durationMs: number, bytes: number): void {
    const row = version === '1.1' ? 1 : version === '2' ? 2 : 0
    this.#requests[row * CLASSES + Math.min(Math.floor(status / 100), CLASSES - 1)]!++
    const seconds = durationMs / 1000
    this.#durations[bucketOf(seconds)]!++
    this.#durationSum += seconds
    this.#sentBytes += bytes
  }

  upstreamFailure(code: string): void {
    this.#upstreamFailures.set(code, (this.#upstreamFailures.get(code) ?? 0) + 1)
  }

  report(connectionsOpen: number): CounterReport {
    return {
      connectionsOpen,
      connections: { accepted: this.accepted, refused: this.refused },
      handshakes: { full: this.fullHandshakes, resumed: this.resumedHandshakes, failed: this.failedHandshakes },
      requests: Object.fromEntries(
        this.#requests.flatMap((count, index) =>
          count === 0 ? [] : [[`${VERSIONS[Math.floor(index / CLASSES)]} ${index % CLASSES}xx`, count]],
        ),
      ),
      durations: [...this.#durations],
      durationSumSeconds: this.#durationSum,
      sentBytes: this.#sentBytes,
      upstreamFailures: Object.fromEntries(this.#upstreamFailures),
    }
  }
}

function bucketOf(seconds: number): number {
  let bucket = 0
  while (bucket < DURATION_BUCKETS_SECONDS.length && seconds > DURATION_BUCKETS_SECONDS[bucket]!) bucket++
  return bucket
}

/** What counts nothing yet. */
export const NO_COUNTS: CounterReport = new Counters().report(0)

/** Two reports as one. */
export function addCounters(a: CounterReport, b: CounterReport): CounterReport {
  return {
    connectionsOpen: a.connectionsOpen + b.connectionsOpen,
    connections: addEach(a.connections, b.connections),
    handshakes: addEach(a.handshakes, b.handshakes),
    requests: addEach(a.requests, b.requests),
    durations: a.durations.map((count, index) => count + b.durations[index]!),
    durationSumSeconds: a.durationSumSeconds + b.durationSumSeconds,
    sentBytes: a.sentBytes + b.sentBytes,
    upstreamFailures: addEach(a.upstreamFailures, b.upstreamFailures),
  }
}

function addEach<T extends Readonly<Record<string, number>>>(a: T, b: T): T {
  const sum: Record<string, number> = { ...a }
  for (const [key, count] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + count
  return sum as T
}
