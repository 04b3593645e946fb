import type { ChallengeSnapshot } from '../edge/snapshot.ts'
import type { ToWorker } from './messages.ts'
import type { WorkerProcess } from './worker-process.ts'

/** How the workers of one config are started. */
export type WorkerStart = {
  readonly count: number
  readonly spawn: () => WorkerProcess
  /** All that a worker is told that starts now, in this order. The challenges are those that the pool keeps. */
  readonly startMessages: (challenges: readonly ChallengeSnapshot[]) => Iterable<ToWorker>
}

/**
 * The workers that serve one config. Those that start for a new one have not taken over yet, and if one of them ends, all
 * of them are given up; those that serve are replaced when they end; those that have left finish what they have.
 */
export class WorkerCohort {
  readonly start: WorkerStart
  readonly accepting = new Set<WorkerProcess>()
  /** Aborted when the last of its workers has gone, after it has left. */
  readonly gone = new AbortController()
  readonly #ready = Promise.withResolvers<void>()
  state: 'starting' | 'serving' | 'left'

  constructor(start: WorkerStart, state: 'starting' | 'serving') {
    this.start = start
    this.state = state
    // Whoever does not wait for it hears of a failure by other ways.
    this.#ready.promise.catch(() => {})
  }

  /** Resolves when all of them accept connections. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  accepts(worker: WorkerProcess): void {
    this.accepting.add(worker)
    if (this.accepting.size === this.start.count) this.#ready.resolve()
  }

  fail(error: unknown): void {
    this.#ready.reject(error)
  }

  /** Fails with the signal's reason once it is aborted, if it has not come to be ready by then. */
  failOn(signal: AbortSignal): void {
    const fail = (): void => this.fail(signal.reason)
    signal.addEventListener('abort', fail, { once: true })
    // The signal lives as long as the program, and would keep all that was ever started.
    const settled = (): void => signal.removeEventListener('abort', fail)
    this.ready.then(settled, settled)
  }
}
