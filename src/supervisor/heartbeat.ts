import type { Clock } from '../system/clock.ts'

/** Between two questions. */
const BEAT_MS = 5_000
/**
 * So many questions may stay without an answer. A worker takes a millisecond, and one that collects garbage on a machine
 * that swaps takes seconds; whoever lives through 15 seconds without a turn of its loop does not come back.
 */
const MAX_UNANSWERED = 3
/** A worker that starts answers when it has read the program and thousands of sites, on a machine that just boots. */
const MAX_UNANSWERED_AT_START = 12
/**
 * Whoever asks this late was itself stopped or starved, and so were those it asks: a laptop slept, a container was frozen,
 * a debugger held the machine. Nobody had the time to answer, so all that was asked until then is forgiven.
 */
const MAX_LATE_MS = BEAT_MS

export type HeartbeatOptions<Worker> = {
  readonly clock: Clock
  readonly ask: (worker: Worker) => void
  /** Called once of each: its silence has lasted for so many milliseconds. */
  readonly onHang: (worker: Worker, silentMs: number) => void
}

type Silence = { unanswered: number; hasAnswered: boolean }

/**
 * Knows who hangs: alive for the system, but in an endless loop, so that nothing is answered. It counts questions and not
 * the time, for time also passes while all are stopped.
 */
export class Heartbeat<Worker> {
  readonly #options: HeartbeatOptions<Worker>
  readonly #watched = new Map<Worker, Silence>()

  constructor(options: HeartbeatOptions<Worker>) {
    this.#options = options
  }

  /** Asks all who are watched, again and again until `signal` is aborted. */
  async beat(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      const askedAt = clock.now()
      await clock.sleep(BEAT_MS, signal).catch(() => {})
      if (signal.aborted) return
      if (clock.now() - askedAt > BEAT_MS + MAX_LATE_MS) this.#forgive()
      this.#askAll()
    }
  }

  watch(worker: Worker): void {
    this.#watched.set(worker, { unanswered: 0, hasAnswered: false })
  }

  /** Whatever a worker says is a sign of life. */
  hear(worker: Worker): void {
    const silence = this.#watched.get(worker)
    if (silence === undefined) return
    silence.unanswered = 0
    silence.hasAnswered = true
  }

  forget(worker: Worker): void {
    this.#watched.delete(worker)
  }

  #forgive(): void {
    for (const silence of this.#watched.values()) silence.unanswered = 0
  }

  #askAll(): void {
    const { ask, onHang } = this.#options
    for (const [worker, silence] of this.#watched) {
      if (silence.unanswered < (silence.hasAnswered ? MAX_UNANSWERED : MAX_UNANSWERED_AT_START)) {
        silence.unanswered++
        ask(worker)
      } else {
        this.#watched.delete(worker)
        onHang(worker, silence.unanswered * BEAT_MS)
      }
    }
  }
}
