import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { operatorAnswers } from '../admin/answers.ts'
import type { ConfigChanges, OperatorOrders } from '../admin/config-reply.ts'
import { startMetricsServer } from '../admin/metrics-server.ts'
import type { Metric } from '../admin/metrics-text.ts'
import { type ControlSocket, openControlSocket } from '../admin/server.ts'
import { Parked } from '../certificates/parked.ts'
import type { Certificates } from '../certificates/renewal.ts'
import type { CertificatesState } from '../certificates/state.ts'
import { reportStored } from '../certificates/stored-report.ts'
import type { Config } from '../config/config.ts'
import { CastellanError } from '../errors.ts'
import { HstsKeeper } from '../hsts/keeper.ts'
import { type InternalIssuer, openInternalIssuer } from '../issuers/internal.ts'
import { MaintenanceKeeper } from '../maintenance/keeper.ts'
import { createChannels } from '../notices/channels.ts'
import type { Notices } from '../notices/notices.ts'
import type { Storage } from '../storage/storage.ts'
import { type Clock, pause } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { LogFile } from '../telemetry/log-file.ts'
import { announceInternalCa } from './announcements.ts'
import { openAttention, tellOfStorage } from './attention.ts'
import { type Care, type Grounds, loadCare, operatedBy } from './care.ts'
import type { CertificateBoard } from './certificate-board.ts'
import { changesBetween, newOrders } from './config-changes.ts'
import { formatListenAddress } from './edge-config.ts'
import { createProbe, issuerIdentities, limitsOf } from './issuers.ts'
import { ListeningSet } from './listening-set.ts'
import { operatedMaintenance } from './maintenance.ts'
import { certificateMetrics, limitMetrics, onDemandMetrics, workerMetrics } from './metrics.ts'
import { siteCertificates } from './site-certificates.ts'
import { throttle } from './throttle.ts'
import { openCookieKey } from './upstreams/cookie-key.ts'
import { areSticky, type UpstreamWatch } from './upstreams/upstream-watch.ts'
import type { WorkerPool } from './worker-pool.ts'
import { servesAlike } from './worker-start.ts'

export type ControlPlaneOptions = {
  readonly config: Config
  readonly listening: ListeningSet
  /** Locked for us, and closed when this ends. */
  readonly folder: Storage
  readonly pool: WorkerPool
  readonly board: CertificateBoard
  /** Outlives this, as workers do; knows nothing of the config before this has told it. */
  readonly upstreams: UpstreamWatch
  /** Has others serve in the place of those who serve now. Rejects if they do not, and the former then go on. */
  readonly swapWorkers: (config: Config, listening: ListeningSet, signal: AbortSignal) => Promise<void>
  /** What an operator asks of the program as a whole. */
  readonly orders: OperatorOrders
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** A change of the config that takes a restart. */
export class ReloadError extends CastellanError {
  declare readonly code: 'storage-changed'
}

/**
 * Between two tellings of what has changed, for each wanted certificate: with thousands, each change told by itself would
 * cost more than the certificates, and with a few the workers should know at once.
 */
const CHANGE_INTERVAL_MS = 0.1

/** Most CAs take seconds for an order; who lets another program take over waits for no longer. */
const REST_MS = 30_000

/** Everything that decides and remembers, for one config after the other. Workers serve on while there is none. */
export class ControlPlane {
  readonly #options: ControlPlaneOptions
  readonly #grounds: Grounds
  readonly #notices: Notices
  /** Whatever the config: what an operator has closed stays so. */
  readonly maintenance: MaintenanceKeeper
  readonly #stopping = new AbortController()
  /** Of all sites, by id; the same set whatever the config. */
  readonly #wanted = new Set<string>()
  readonly #tellWorkers: () => Promise<void>
  /** Those who look after what a former config had begun. */
  readonly #leaving = new Set<Promise<void>>()
  #care: Care | undefined
  /** What a reload would put in its place. */
  #candidate: Care | undefined
  #hsts: HstsKeeper
  #control: ControlSocket | undefined
  #metrics: Server | undefined
  #parked: Promise<void> = Promise.resolve()
  #isServing = false

  private constructor(options: ControlPlaneOptions, grounds: Omit<Grounds, 'onChange'>, parts: Parts) {
    const { pool, board, clock } = options
    this.#options = options
    this.#notices = parts.notices
    this.maintenance = parts.maintenance
    this.#hsts = parts.hsts
    this.#tellWorkers = throttle(
      () => pool.changeCertificates(board.update(this.#state())),
      () => CHANGE_INTERVAL_MS * (this.#wanted.size + (this.#care?.onDemand?.inUse ?? 0)),
      clock,
    )
    this.#grounds = { ...grounds, onChange: (certificates) => this.#changed(certificates) }
  }

  /** Takes up what the storage holds, begins to order what is missing, and can be asked. Throws StorageError. */
  static async open(options: ControlPlaneOptions): Promise<ControlPlane> {
    const { config, folder, pool, clock, log } = options
    let plane: ControlPlane | undefined
    let notices: Notices | undefined
    const storage = tellOfStorage(folder, () => notices)
    const internal = await openInternalIssuer({ storage, clock, log, label: `Castellan internal CA, ${hostname()}` })
    const { sites } = config
    const hsts = await HstsKeeper.open({ sites, storage, clock, log })
    const maintenance = await MaintenanceKeeper.open({ sites, storage, clock, log })
    const surroundings = {
      ...options,
      storage,
      publisher: pool,
      issuerOf: (name: string) => plane?.care.issuers.get(name),
      listensForHttp: () => (plane?.care.config ?? config).listen.http.length > 0,
    }
    const told = await openAttention(config, surroundings)
    notices = told.notices
    const grounds = { ...options, storage, internal, attention: told.attention }
    plane = new ControlPlane(options, grounds, { notices, hsts, maintenance })
    try {
      await plane.#begin()
      return plane
    } catch (error) {
      await plane.#end()
      throw error
    }
  }

  get care(): Care {
    return this.#care!
  }

  get hsts(): HstsKeeper {
    return this.#hsts
  }

  get internal(): InternalIssuer {
    return this.#grounds.internal
  }

  async #begin(): Promise<void> {
    const { config, listening, board, upstreams } = this.#options
    await this.#prepareUpstreams(config)
    upstreams.settle()
    this.#settleOn(await loadCare(config, listening, this.#grounds))
    this.care.certificates.start()
    this.care.onDemand?.start()
    this.#control = await this.#openControl()
    board.update(this.#state())
  }

  /** Begins what looks at those who serve, and is looked at. Throws MetricsError. */
  async serve(): Promise<void> {
    const { config } = this.care
    this.#isServing = true
    this.#metrics = await this.#openMetrics(config)
    this.#startHsts()
    this.#parked = this.#keepParked()
  }

  /** What another config would change. Nothing is changed. Throws what `reload` throws as far as that is known before. */
  async foresee(next: Config, signal: AbortSignal): Promise<ConfigChanges> {
    const { clock } = this.#options
    const { config, listening } = this.care
    refuseOtherStorage(config, next)
    const bound = await ListeningSet.bind(next.listen, { clock, signal, bound: listening.sockets })
    bound.closeBut(listening)
    return this.#changesTo(next)
  }

  /**
   * Goes over to another config: all of it, or nothing if anything of it cannot be. Throws BindError, ListenChangeError,
   * LogFileError, MetricsError, ReloadError, StorageError, WorkerStartError or the signal's reason, and then all is as it was.
   */
  async reload(next: Config, signal: AbortSignal): Promise<ConfigChanges> {
    const former = this.care
    refuseOtherStorage(former.config, next)
    if (next.log.access?.file !== undefined) LogFile.check(next.log.access.file)
    const changes = await this.#changesTo(next)
    await using undo = new AsyncDisposableStack()
    const candidate = await this.#prepare(next, signal, undo)
    await using metrics = await this.#prepareMetrics(next)
    if (!servesAlike(former.config, next)) await this.#options.swapWorkers(next, candidate.listening, signal)
    // From here on nothing can fail.
    undo.move()
    metrics.keep()
    await this.#commit(former, candidate)
    return changes
  }

  /** Begins no order any more, and resolves when those under way have ended, or have had their time. */
  async rest(): Promise<void> {
    const { certificates } = this.care
    certificates.rest()
    const ended = new AbortController()
    const late = pause(this.#options.clock, REST_MS, ended.signal)
    await Promise.race([certificates.idle(), late])
    ended.abort()
  }

  /** Stops deciding: orders under way are given up, and the storage is closed. The workers serve on. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    closeServer(this.#metrics)
    await Promise.all([this.#control?.close(), this.#parked, this.#hsts.stop()])
    await this.#end()
  }

  async #end(): Promise<void> {
    this.#stopping.abort()
    // In one go: names on demand wait for orders that only end so.
    await Promise.all([this.#care?.certificates.stop(), this.#care?.onDemand?.stop(), ...this.#leaving])
    await this.#notices.stop()
    await this.#options.folder.close()
  }

  #changed(certificates: Certificates): Promise<void> | void {
    if (certificates === this.#care?.certificates) return this.#tellWorkers()
  }

  /** While a reload is under way, what both have. */
  #state(): CertificatesState {
    const state = this.care.certificates.state
    if (this.#candidate === undefined) return state
    const { held, waiting } = this.#candidate.certificates.state
    const byId = new Map([...held, ...state.held].map((each) => [each.id, each]))
    return { held: [...byId.values()], waiting: [...state.waiting, ...waiting] }
  }

  #settleOn(care: Care): void {
    this.#care = care
    this.#candidate = undefined
    this.#wanted.clear()
    for (const { id } of siteCertificates(care.config).wanted) this.#wanted.add(id)
  }

  async #changesTo(next: Config): Promise<ConfigChanges> {
    const { clock } = this.#options
    const { config, certificates } = this.care
    const options = { issuers: issuerIdentities(next), limitsOf: limitsOf(next), storage: this.#grounds.storage, clock }
    const reports = await reportStored({ ...siteCertificates(next), ...options, isFull: false })
    return changesBetween(config, next, newOrders(certificates.report(), reports, clock.now()))
  }

  /** All that can be there beside the former, each with how to undo it. */
  async #prepare(next: Config, signal: AbortSignal, undo: AsyncDisposableStack): Promise<Care> {
    const former = this.care
    const { clock, board, pool } = this.#options
    const listening = await ListeningSet.bind(next.listen, { clock, signal, bound: former.listening.sockets })
    undo.defer(() => listening.closeBut(former.listening))
    listening.admitAs(former.listening)
    undo.defer(() => former.listening.admitAs(listening))
    // What comes to its end meanwhile would be ordered once more by whoever has read the storage before.
    former.certificates.rest()
    undo.defer(() => former.certificates.resume())
    const candidate = await loadCare(next, listening, this.#grounds, former)
    undo.defer(async () => {
      this.#candidate = undefined
      await Promise.all([candidate.certificates.stop(), candidate.onDemand?.stop()])
      pool.changeCertificates(board.update(this.#state()))
    })
    await this.#prepareUpstreams(next)
    undo.defer(() => this.#options.upstreams.forgo())
    await this.#changeHsts(next)
    undo.defer(() => this.#changeHsts(former.config))
    this.maintenance.useSites(next.sites)
    undo.defer(() => this.maintenance.useSites(former.config.sites))
    this.#candidate = candidate
    pool.changeCertificates(board.update(this.#state()))
    return candidate
  }

  async #commit(former: Care, next: Care): Promise<void> {
    const { board, pool, clock, upstreams } = this.#options
    this.#settleOn(next)
    upstreams.settle()
    next.onDemand?.start()
    const handedOver = former.certificates.handOver(next.certificates)
    this.#leave(Promise.all([handedOver, former.onDemand?.stop()]))
    pool.changeCertificates(board.update(this.#state()))
    former.listening.closeBut(next.listening)
    if (isDeepStrictEqual(former.config.notify, next.config.notify)) return
    await this.#notices.useChannels(createChannels(next.config.notify, hostname(), clock))
  }

  #leave(work: Promise<unknown>): void {
    const left = work.then(() => void this.#leaving.delete(left))
    this.#leaving.add(left)
  }

  async #prepareUpstreams({ sites }: Config): Promise<void> {
    const key = areSticky(sites) ? await openCookieKey(this.#grounds.storage, randomBytes) : undefined
    this.#options.upstreams.prepare(sites, key)
  }

  async #changeHsts({ sites }: Config): Promise<void> {
    const { storage, clock, log } = this.#grounds
    await this.#hsts.stop()
    this.#hsts = await HstsKeeper.open({ sites, storage, clock, log })
    this.#startHsts()
  }

  #startHsts(): void {
    if (!this.#isServing) return
    this.#hsts.start(
      () => this.care.certificates.report(),
      (changes) => this.#options.pool.changeHsts(changes),
    )
  }

  /** Beside the former server where the address is another; `keep` puts it in that one's place. */
  async #prepareMetrics(next: Config): Promise<AsyncDisposable & { keep(): void }> {
    if (isDeepStrictEqual(this.care.config.metrics, next.metrics))
      return { keep: () => {}, [Symbol.asyncDispose]: async () => {} }
    let superfluous = await this.#openMetrics(next)
    return {
      keep: () => {
        ;[this.#metrics, superfluous] = [superfluous, this.#metrics]
      },
      [Symbol.asyncDispose]: async () => closeServer(superfluous),
    }
  }

  async #openMetrics({ metrics }: Config): Promise<Server | undefined> {
    if (metrics === undefined) return undefined
    const collect = async (): Promise<Metric[]> => {
      const { counters, workers } = await this.#options.pool.count()
      const { certificates, onDemand } = this.care
      const names = onDemand === undefined ? [] : onDemandMetrics(onDemand.inUse)
      const limits = limitMetrics(certificates.ordersLeft)
      const others = [...limits, ...this.#options.upstreams.metrics, ...names]
      return [...workerMetrics(counters, workers), ...certificateMetrics(certificates.lifetimes), ...others]
    }
    return startMetricsServer({ ...metrics, address: formatListenAddress(metrics), collect })
  }

  #openControl(): Promise<ControlSocket> {
    const { pool, upstreams, clock, log, orders } = this.#options
    const probe = createProbe({ publisher: pool, clock })
    const health = () => pool.health
    const maintenance = operatedMaintenance(this.maintenance, pool)
    const [notices, { signal }] = [this.#notices, this.#stopping]
    const answering = { probe, notices, upstreams, health, maintenance, signal, log, orders }
    return openControlSocket({
      folder: this.care.config.storage.folder,
      answer: (request) => {
        const { issuers } = this.care
        return operatorAnswers({ ...answering, issuers, certificates: operatedBy(this.care, this.#grounds) })(request)
      },
      clock,
      log,
    })
  }

  /** What is served has an id that ends in its fingerprint. */
  #keepParked(): Promise<void> {
    const { storage, clock, log } = this.#grounds
    const inUse = () => new Set(this.#state().held.map(({ id }) => id.slice(id.lastIndexOf(':') + 1)))
    return new Parked({ storage, clock, log, wanted: this.#wanted, inUse }).run(this.#stopping.signal)
  }

  /** For a person who has not met the internal CA yet. */
  announceInternalCa(): Promise<void> {
    return announceInternalCa(this.care.config, this.internal, this.#options.log)
  }
}

type Parts = { readonly notices: Notices; readonly hsts: HstsKeeper; readonly maintenance: MaintenanceKeeper }

/** Both hold what must not be lost, and what is under way in one cannot go on in another. */
function refuseOtherStorage(former: Config, next: Config): void {
  if (former.storage.folder === next.storage.folder) return
  const message =
    `The storage is another folder now (${next.storage.folder}, until now ${former.storage.folder}): that takes a restart, ` +
    'before which you may want to move what is in it.'
  throw new ReloadError('storage-changed', message, { folder: next.storage.folder })
}

function closeServer(server: Server | undefined): void {
  server?.close()
  server?.closeAllConnections()
}
