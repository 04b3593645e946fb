import { randomBytes } from 'node:crypto'
import type { UpgradeReply } from '../admin/config-reply.ts'
import { VAST } from '../certificates/place.ts'
import type { Config } from '../config/config.ts'
import type { ConfigSources } from '../config/problem.ts'
import { describeError } from '../errors.ts'
import { openFileStorage } from '../storage/file.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { collectGarbage } from '../system/garbage.ts'
import type { Random } from '../system/random.ts'
import type { Log, LogFormat } from '../telemetry/log.ts'
import { LogFile } from '../telemetry/log-file.ts'
import { announce, announceWaiting, warnOfDescriptors } from './announcements.ts'
import { CertificateBoard } from './certificate-board.ts'
import { ConfigWatch } from './config-watch.ts'
import { ControlPlane } from './control-plane.ts'
import type { Heritage } from './heritage.ts'
import { ListeningSet } from './listening-set.ts'
import { Reloads, type ReloadsOptions } from './reloads.ts'
import { ServiceManager } from './service-manager.ts'
import { handOver } from './takeover.ts'
import { TicketRotation } from './ticket-rotation.ts'
import { UpstreamWatch } from './upstreams/upstream-watch.ts'
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
  /** What there is of a program that this one takes over from. */
  readonly heritage?: Heritage | undefined
}

/** A program that serves. */
export type Running = {
  /** Stops accepting, lets the workers finish within the drain time, and gives everything back. */
  stop(): Promise<void>
  /** Goes over to the config as it is now. Never rejects: the log says what became of it. */
  reload(): Promise<void>
  /** Starts the program as it is on the disk, to take over. Never rejects: the log says what became of it. */
  upgrade(): Promise<void>
  /** Resolves when that one serves. */
  readonly handedOver: Promise<void>
  /** Lets what has not ended by then end in its own time, as others accept; `stop` may cut that short. */
  finish(): Promise<void>
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
  const { config, clock, signal, heritage } = options
  const taken = new AsyncDisposableStack()
  try {
    if (config.log.access?.file !== undefined) LogFile.check(config.log.access.file)
    const folder = heritage === undefined ? await openFolder(config, options) : undefined
    if (folder !== undefined) taken.defer(() => folder.close())
    const listening = await ListeningSet.bind(config.listen, { clock, signal, bound: heritage?.sockets ?? [] })
    const supervisor = new Supervisor(options, taken, listening)
    return await supervisor.start(folder ?? (await supervisor.inherit()))
  } catch (error) {
    await taken.disposeAsync()
    throw error
  }
}

function openFolder({ storage }: Config, { log, clock }: SupervisorOptions): Promise<Storage> {
  return openFileStorage({ folder: storage.folder, vast: VAST, log, clock })
}

class Supervisor {
  readonly #options: SupervisorOptions
  readonly #taken: AsyncDisposableStack
  readonly #board = new CertificateBoard()
  readonly #tickets: TicketRotation
  readonly #upstreams: UpstreamWatch
  readonly #watch: ConfigWatch
  readonly #reloads: Reloads
  readonly #service: ServiceManager
  readonly #handedOver = Promise.withResolvers<void>()
  readonly #pool: WorkerPool
  /** The one that is in use, and what it is served on. */
  #config: Config
  #listening: ListeningSet
  #plane: ControlPlane | undefined
  #hasServed = false
  #hasHandedOver = false

  constructor(options: SupervisorOptions, taken: AsyncDisposableStack, listening: ListeningSet) {
    const { clock, random, log, heritage, loadAgain } = options
    this.#options = options
    this.#taken = taken
    this.#config = options.config
    this.#listening = listening
    this.#service = new ServiceManager(process.env, log)
    this.#tickets = new TicketRotation(clock, randomBytes, heritage?.ticketSecrets)
    this.#watch = new ConfigWatch(options.sources, {
      clock,
      elapsed: () => performance.now(),
      onChange: () => this.#reloads.reload(),
    })
    this.#reloads = new Reloads({
      plane: () => this.#plane,
      peek: loadAgain,
      load: () => this.#watch.load(loadAgain),
      onConfig: (config) => this.#use(config),
      log,
    })
    this.#upstreams = new UpstreamWatch({
      ...{ clock, random, log },
      onChange: (knowledge) => this.#pool.changeUpstreams(knowledge),
      reportTargets: () => this.#pool.reportTargets(),
    })
    taken.defer(() => this.#upstreams.stop())
    this.#pool = this.#createPool()
    taken.defer(() => this.#closeSockets())
    taken.defer(() => this.#watch.stop())
  }

  /** The storage of the one who serves, who orders nothing from here on. */
  async inherit(): Promise<Storage> {
    const { upstreams } = await this.#options.heritage!.claim()
    if (upstreams !== undefined) this.#upstreams.inherit(upstreams)
    return openFolder(this.#config, this.#options)
  }

  /** @param folder the storage, locked for us. */
  async start(folder: Storage): Promise<Running> {
    const { config, log, signal, heritage } = this.#options
    const [taken, pool, tickets] = [this.#taken, this.#pool, this.#tickets]
    const plane = await this.#openPlane(config, folder)
    taken.defer(() => this.#stop())
    tickets.start((secrets) => pool.changeTicketSecrets(secrets))
    taken.defer(() => tickets.stop())
    // Ahead of the workers: what cannot be is then known before anybody has connected to them.
    await plane.serve()
    const started = pool.start(signal)
    // While the workers get ready, so that it takes no time.
    collectGarbage()
    await started
    this.#hasServed = true
    this.#closeOthers()
    heritage?.serving()
    announce(config, log)
    announceWaiting(plane.care.certificates.state, log)
    warnOfDescriptors(config, log)
    await plane.announceInternalCa()
    this.#watch.turn(config.watch)
    await this.#service.ready(heritage && process.pid)
    return {
      stop: () => taken.disposeAsync(),
      reload: () => this.#reload(),
      upgrade: async () => void (await this.#upgrade()),
      handedOver: this.#handedOver.promise,
      finish: () => pool.stop(this.#config.timeouts.reloadDrainMs, { gently: true }),
      reopenLogs: () => pool.reopenLogs(),
      kill: () => pool.kill(),
    }
  }

  async #stop(): Promise<void> {
    const { drainMs } = this.#config.timeouts
    if (!this.#hasHandedOver) void this.#service.stopping()
    const plane = this.#reloads.stop().then(() => this.#plane?.stop())
    await Promise.all([plane, this.#pool.stop(drainMs)])
  }

  /** But for those that belong to another: who has taken over, or who serves on as this one does not come to that. */
  #closeSockets(): void {
    if (this.#hasHandedOver) return
    this.#listening.closeBut({ sockets: this.#hasServed ? [] : (this.#options.heritage?.sockets ?? []) })
  }

  /** What the one who served listened on, and this one does not. */
  #closeOthers(): void {
    for (const socket of this.#options.heritage?.sockets ?? [])
      if (!this.#listening.sockets.includes(socket)) socket.close()
  }

  async #openPlane(config: Config, folder: Storage): Promise<ControlPlane> {
    this.#plane = await ControlPlane.open({
      ...this.#options,
      ...{ config, folder, listening: this.#listening, pool: this.#pool, board: this.#board },
      upstreams: this.#upstreams,
      orders: {
        reload: (file) => this.#reloads.reload(file),
        foresee: (file) => this.#reloads.foresee(file),
        upgrade: () => this.#upgrade(),
      },
      swapWorkers: async (next, listening, signal) => {
        const start = this.#workersFor(next, listening)
        await this.#pool.renew(start, next.timeouts.reloadDrainMs, signal)
      },
    })
    return this.#plane
  }

  #use(config: Config): void {
    this.#config = config
    this.#listening = this.#plane!.care.listening
    this.#options.onConfig(config)
    this.#watch.turn(config.watch)
  }

  async #reload(): Promise<void> {
    void this.#service.reloading(process.hrtime.bigint() / 1_000n)
    await this.#reloads.reload()
    await this.#service.ready()
  }

  /** Never rejects. */
  #upgrade(): Promise<UpgradeReply> {
    const { log } = this.#options
    return this.#reloads.exclusively(async (signal) => {
      if (this.#plane === undefined) return { status: 'failed', reason: 'The program has handed over already.' }
      if (process.pid === 1) return { status: 'failed', reason: FIRST_PROCESS }
      try {
        const pid = await this.#handOver(this.#plane, signal)
        log.info('handed-over', `Process ${pid} serves now; this one finishes what it has.`, { pid })
        return { status: 'well', pid }
      } catch (error) {
        const reason = describeError(error)
        log.error('takeover-failed', `Nobody has taken over, and this program serves on: ${reason}`)
        return { status: 'failed', reason }
      }
    })
  }

  async #handOver(plane: ControlPlane, signal: AbortSignal): Promise<number> {
    const { program, clock } = this.#options
    const { config } = plane.care
    const pid = await handOver({
      ...{ program, args: process.argv.slice(2), clock, signal },
      sockets: this.#listening.sockets,
      ticketSecrets: this.#tickets.secrets,
      letGo: async () => {
        await plane.rest()
        this.#plane = undefined
        await plane.stop()
      },
      upstreams: () => this.#upstreams.state,
      takeBack: () => this.#takeBack(config),
    })
    this.#upstreams.stop()
    this.#hasHandedOver = true
    this.#handedOver.resolve()
    return pid
  }

  /** As at the start, but for the workers, who are there. */
  async #takeBack(config: Config): Promise<void> {
    const plane = await this.#openPlane(config, await openFolder(config, this.#options))
    this.#pool.changeCertificates(this.#board.update(plane.care.certificates.state))
    await plane.serve()
  }

  #workersFor(config: Config, listening: ListeningSet): WorkerStart {
    const { program, logFormatOf } = this.#options
    return workerStart(config, listening, {
      board: this.#board,
      tickets: this.#tickets,
      upstreams: this.#upstreams,
      hsts: () => this.#plane!.hsts,
      maintenance: () => this.#plane!.maintenance,
      logFormat: logFormatOf(config),
      program,
    })
  }

  #createPool(): WorkerPool {
    const { config, clock, log } = this.#options
    const onDemand = () => this.#plane?.care.onDemand
    return new WorkerPool({
      ...this.#workersFor(config, this.#listening),
      material: (certificate) => this.#board.material(certificate),
      nameWanted: async (name, address) => (await onDemand()?.want(name, address)) ?? NOT_YET,
      namesSeen: (names) => onDemand()?.seen(names),
      clock,
      log,
    })
  }
}

const FIRST_PROCESS = 'The program is process 1 of a container, which ends with it: start a new container in its place.'

/** To a client that comes while the program starts. */
const NOT_YET = { type: 'unavailable', reason: 'the program starts', forMs: 0, ofAddress: false } as const
