import type { RequestHead } from './exchange/exchange.ts'
import { addHistograms, Histogram, type HistogramReport } from './histogram.ts'

/** What a worker has counted since it started, as plain data: it goes to the supervisor, which adds the workers up. */
export type CounterReport = {
  readonly connectionsOpen: number
  readonly connections: { readonly accepted: number; readonly refused: number }
  readonly handshakes: { readonly full: number; readonly resumed: number; readonly failed: number }
  /** By version and class of status, `1.1 2xx`; `0xx` for requests that ended without an answer. */
  readonly requests: Readonly<Record<string, number>>
  readonly durations: Readonly<Record<TimedStep, HistogramReport>>
  /** Of responses' content. */
  readonly sentBytes: number
  /** By the code of the error. */
  readonly upstreamFailures: Readonly<Record<string, number>>
  /** Requests that were sent to another target, or again to the same, by the code of the error that was met before. */
  readonly upstreamRetries: Readonly<Record<string, number>>
  /** By what it ended (`stream` or `connection`), the code that the client was told, and ours for the reason. */
  readonly http2Errors: Readonly<Record<string, number>>
}

/** What has a histogram of how long it takes. */
export const timedSteps = ['handshake', 'upstreamConnect', 'upstreamFirstByte', 'request'] as const
export type TimedStep = (typeof timedSteps)[number]

const VERSIONS = ['1.0', '1.1', '2'] as const
const CLASSES = 6

/** Counts what a worker does. Nothing but additions to numbers: they cost nothing worth naming. */
export class Counters {
  accepted = 0
  refused = 0
  failedHandshakes = 0
  #fullHandshakes = 0
  #resumedHandshakes = 0
  readonly #requests = new Array<number>(VERSIONS.length * CLASSES).fill(0)
  readonly #handshakeTimes = new Histogram()
  readonly #connectTimes = new Histogram()
  readonly #firstByteTimes = new Histogram()
  readonly #requestTimes = new Histogram()
  #sentBytes = 0
  readonly #upstreamFailures = new Map<string, number>()
  readonly #upstreamRetries = new Map<string, number>()
  readonly #http2Errors = new Map<string, number>()

  /** TLS is established with a client. */
  handshake(isResumed: boolean, durationMs: number): void {
    if (isResumed) this.#resumedHandshakes++
    else this.#fullHandshakes++
    this.#handshakeTimes.add(durationMs)
  }

  /** A request has ended. */
  request(version: RequestHead['version'], status: number, durationMs: number, bytes: number): void {
    const row = version === '1.1' ? 1 : version === '2' ? 2 : 0
    this.#requests[row * CLASSES + Math.min(Math.floor(status / 100), CLASSES - 1)]!++
    this.#requestTimes.add(durationMs)
    this.#sentBytes += bytes
  }

  /** A request has a connection that it had to wait for. */
  upstreamConnect(durationMs: number): void {
    this.#connectTimes.add(durationMs)
  }

  /** The head of an upstream's response has come, so long after the request was sent. */
  upstreamFirstByte(durationMs: number): void {
    this.#firstByteTimes.add(durationMs)
  }

  upstreamFailure(code: string): void {
    increase(this.#upstreamFailures, code)
  }

  upstreamRetry(code: string): void {
    increase(this.#upstreamRetries, code)
  }

  /** A stream or a connection was ended for what its client did. None of the words has a space. */
  http2Error(scope: 'stream' | 'connection', errorCode: string, reason: string): void {
    increase(this.#http2Errors, `${scope} ${errorCode} ${reason}`)
  }

  report(connectionsOpen: number): CounterReport {
    return {
      connectionsOpen,
      connections: { accepted: this.accepted, refused: this.refused },
      handshakes: { full: this.#fullHandshakes, resumed: this.#resumedHandshakes, failed: this.failedHandshakes },
      requests: Object.fromEntries(
        this.#requests.flatMap((count, index) =>
          count === 0 ? [] : [[`${VERSIONS[Math.floor(index / CLASSES)]} ${index % CLASSES}xx`, count]],
        ),
      ),
      durations: {
        handshake: this.#handshakeTimes.report(),
        upstreamConnect: this.#connectTimes.report(),
        upstreamFirstByte: this.#firstByteTimes.report(),
        request: this.#requestTimes.report(),
      },
      sentBytes: this.#sentBytes,
      upstreamFailures: Object.fromEntries(this.#upstreamFailures),
      upstreamRetries: Object.fromEntries(this.#upstreamRetries),
      http2Errors: Object.fromEntries(this.#http2Errors),
    }
  }
}

function increase(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
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
    durations: {
      handshake: addHistograms(a.durations.handshake, b.durations.handshake),
      upstreamConnect: addHistograms(a.durations.upstreamConnect, b.durations.upstreamConnect),
      upstreamFirstByte: addHistograms(a.durations.upstreamFirstByte, b.durations.upstreamFirstByte),
      request: addHistograms(a.durations.request, b.durations.request),
    },
    sentBytes: a.sentBytes + b.sentBytes,
    upstreamFailures: addEach(a.upstreamFailures, b.upstreamFailures),
    upstreamRetries: addEach(a.upstreamRetries, b.upstreamRetries),
    http2Errors: addEach(a.http2Errors, b.http2Errors),
  }
}

function addEach<T extends Readonly<Record<string, number>>>(a: T, b: T): T {
  const sum: Record<string, number> = { ...a }
  for (const [key, count] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + count
  return sum as T
}
