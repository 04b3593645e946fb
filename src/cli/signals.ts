import type { Log } from '../telemetry/log.ts'

type Options = {
  readonly log: Log
  /** Milliseconds from any start, which no clock's change moves. */
  readonly now: () => number
  /** The program hangs on a terminal: its end is the program's. */
  readonly onTerminal: boolean
  /** The logs were moved, and new ones are to be begun. */
  readonly onReopen: () => void
  /** The config has changed, and is to be taken up. */
  readonly onReload: () => void
  /** Another program is to take over. */
  readonly onUpgrade: () => void
  /** The operator asks a second time. */
  readonly onSecond: () => void
}

/** npm and others pass on a Ctrl-C that the terminal has sent to all: twice within this time is asked once. */
const ECHO_MS = 500

/** What the operator wishes by signals. Nobody else may end this process while it listens. */
export class Signals implements Disposable {
  readonly #options: Options
  readonly #asked = new AbortController()
  readonly #listeners = new Map<NodeJS.Signals, (signal: NodeJS.Signals) => void>()
  #askedAt = 0

  constructor(options: Options) {
    this.#options = options
    for (const signal of ['SIGTERM', 'SIGINT'] as const) this.#listeners.set(signal, () => this.#stop())
    this.#listeners.set('SIGUSR1', () => options.onReopen())
    this.#listeners.set('SIGUSR2', () => options.onUpgrade())
    this.#listeners.set('SIGHUP', () => (options.onTerminal ? this.#stop() : options.onReload()))
    for (const [signal, listener] of this.#listeners) process.on(signal, listener)
  }

  /** Aborted when the operator asks for the first time. */
  get asked(): AbortSignal {
    return this.#asked.signal
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener)
  }

  #stop(): void {
    const { log, now, onSecond } = this.#options
    if (!this.#asked.signal.aborted) {
      this.#askedAt = now()
      log.info('stopping', 'Finishing what is being served. A second signal ends at once.')
      this.#asked.abort()
    } else if (now() - this.#askedAt >= ECHO_MS) {
      log.warn('killed', 'Ending at once, as asked twice.')
      onSecond()
    }
  }
}
