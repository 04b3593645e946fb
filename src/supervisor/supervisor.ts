import { randomBytes } from 'node:crypto'
import { VAST } from '../certificates/place.ts'
import type { Config } from '../config/config.ts'
import type { ConfigSources } from '../config/problem.ts'
import { openFileStorage } from '../storage/file.ts'
import type { Clock } from '../system/clock.ts'
import { collectGarbage } from '../system/garbage.ts'
import type { Random } from '../system/random.ts'
import type { Log, LogFormat } from '../telemetry/log.ts'
import { LogFile } from '../telemetry/log-file.ts'
import { announce, announceWaiting, warnOfDescriptors } from './announcements.ts'
import { CertificateBoard } from './certificate-board.ts'
import { ConfigWatch } from './config-watch.ts'
import { ControlPlane } from './control-plane.ts'
import { ListeningSet } from './listening-set.ts'
import { Reloads, type ReloadsOptions } from './reloads.ts'
import { TicketRotation } from './ticket-rotation.ts'
import type { WorkerStart } from './worker-cohort.ts'
import { WorkerPool } from './worker-pool.ts'
import { workerStart } from './worker-start.ts'

export type SupervisorOptions = {
  readonly config: Config
  readonly log: Log
  /** For the workers, who cannot see whether the supervisor's output is a terminal. */
  readonly logFormatOf: (config: Config) => LogFormat
  readonly clock: Clock
  readonly random: Random
  /** The script that starts this program, for the workers. */
  readonly program: string
  /** Reads the config anew, and whole. Rejects with ConfigError. */
  readonly loadAgain: ReloadsOptions['load']
  /** What the config was read from. */
  readonly sources: ConfigSources
  /** Another config is in use from now on. */
  readonly onConfig: (config: Config) => void
  /** Ends the start, if that is still going on. */
  readonly signal: AbortSignal
}

/** A program that serves. */
export type Running = {
  /** Stops accepting, lets the workers finish within the drain time, and gives everything back. */
  stop(): Promise<void>
  /** Goes over to the config as it is now. Never rejects: the log says what became of it. */
  reload(): Promise<void>
  /** Goes on in new log files, after the former ones were moved. */
  reopenLogs(): void
  /** Ends the workers at once. */
  kill(): void
}

/**
 * Brings the two halves up, in the order in which they can fail: storage, ports, the certificates that the storage holds,
 * workers; what is missing is then issued while they serve. Throws LogFileError, StorageError, BindError, MetricsError,
 * WorkerStartError
 * or the signal's reason, having given back what it had taken.
 */
export async function startCastellan(options: SupervisorOptions): Promise<Running> {
  const taken = new AsyncDisposableStack()
  try {
    return await new Supervisor(options, taken).start()
  } catch (error) {
    await taken.disposeAsync()
    throw error
  }
}

class Supervisor {
  readonly #options: SupervisorOptions
  readonly #taken: AsyncDisposableStack
  readonly #board = new CertificateBoard()
  readonly #tickets: TicketRotation
  readonly #watch: ConfigWatch
  readonly #reloads: Reloads
  #plane: ControlPlane | undefined

  constructor(options: SupervisorOptions, taken: AsyncDisposableStack) {
    this.#options = options
    this.#taken = taken
    this.#tickets = new TicketRotation(options.clock, randomBytes)
    this.#watch = new ConfigWatch(options.sources, {
      clock: options.clock,
      elapsed: () => performance.now(),
      onChange: () => this.#reloads.reload(),
    })
    this.#reloads = new Reloads({
      plane: () => this.#plane,
      peek: options.loadAgain,
      load: () => this.#watch.load(options.loadAgain),
      onConfig: (config) => {
        options.onConfig(config)
        this.#watch.turn(config.watch)
      },
      log: options.log,
    })
    taken.defer(() => this.#watch.stop())
  }

  async start(): Promise<Running> {
    const { config, log, clock, signal } = this.#options
    const taken = this.#taken
    if (config.log.access?.file !== undefined) LogFile.check(config.log.access.file)
    const folder = await openFileStorage({ folder: config.storage.folder, vast: VAST, log, clock })
    taken.defer(() => folder.close())
    let listening = await ListeningSet.bind(config.listen, { clock, signal })
    taken.defer(() => (this.#plane?.care.listening ?? listening).closeBut({ sockets: [] }))
    const pool = this.#createPool(config, listening)
    const plane = await ControlPlane.open({
      ...this.#options,
      ...{ listening, folder, pool, board: this.#board, orders: this.#reloads },
      swapWorkers: (next, sockets, stopped) =>
        pool.renew(this.#workersFor(next, sockets), next.timeouts.reloadDrainMs, stopped),
    })
    this.#plane = plane
    listening = plane.care.listening
    taken.defer(async () => {
      await Promise.all([this.#reloads.stop().then(() => plane.stop()), pool.stop(plane.care.config.timeouts.drainMs)])
    })
    this.#tickets.start((secrets) => pool.changeTicketSecrets(secrets))
    taken.defer(() => this.#tickets.stop())
    const started = pool.start(signal)
    // While the workers get ready, so that it takes no time.
    collectGarbage()
    await started
    await plane.serve()
    announce(config, log)
    announceWaiting(plane.care.certificates.state, log)
    warnOfDescriptors(config, log)
    await plane.announceInternalCa()
    this.#watch.turn(config.watch)
    return {
      stop: () => taken.disposeAsync(),
      reload: async () => void (await this.#reloads.reload()),
      reopenLogs: () => pool.reopenLogs(),
      kill: () => pool.kill(),
    }
  }

  #workersFor(config: Config, listening: ListeningSet): WorkerStart {
    const { program, logFormatOf } = this.#options
    return workerStart(config, listening, {
      board: this.#board,
      tickets: this.#tickets,
      hsts: () => this.#plane!.hsts,
      logFormat: logFormatOf(config),
      program,
    })
  }

  #createPool(config: Config, listening: ListeningSet): WorkerPool {
    const { clock, log } = this.#options
    const onDemand = () => this.#plane?.care.onDemand
    return new WorkerPool({
      ...this.#workersFor(config, listening),
      material: (certificate) => this.#board.material(certificate),
      nameWanted: async (name, address) => (await onDemand()?.want(name, address)) ?? NOT_YET,
      namesSeen: (names) => onDemand()?.seen(names),
      clock,
      log,
    })
  }
}

/** To a client that comes while the program starts. */
const NOT_YET = { type: 'unavailable', reason: 'the program starts', forMs: 0, ofAddress: false } as const
