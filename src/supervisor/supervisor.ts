import { randomBytes } from 'node:crypto'
import { availableParallelism, hostname } from 'node:os'
import { operatorAnswers } from '../admin/answers.ts'
import { startMetricsServer } from '../admin/metrics-server.ts'
import type { Metric } from '../admin/metrics-text.ts'
import { openControlSocket } from '../admin/server.ts'
import { withNamesAtRest } from '../certificates/on-demand/at-rest.ts'
import type { OnDemand } from '../certificates/on-demand/on-demand.ts'
import { Parked, type ParkedOptions } from '../certificates/parked.ts'
import { VAST } from '../certificates/place.ts'
import { type Certificates, startCertificates } from '../certificates/renewal.ts'
import { createResponderClient } from '../certificates/responder.ts'
import type { CertificatesState } from '../certificates/state.ts'
import type { WantedCertificate } from '../certificates/wanted.ts'
import type { Config } from '../config/config.ts'
import { INTERNAL_ISSUER, issuersFor } from '../config/issuers.ts'
import { connectionsThatFit, maxOpenFiles } from '../edge/resources.ts'
import { HstsKeeper } from '../hsts/keeper.ts'
import { type InternalIssuer, openInternalIssuer } from '../issuers/internal.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Notices } from '../notices/notices.ts'
import { openFileStorage } from '../storage/file.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { collectGarbage } from '../system/garbage.ts'
import type { Random } from '../system/random.ts'
import type { Log, LogFormat } from '../telemetry/log.ts'
import { LogFile } from '../telemetry/log-file.ts'
import { openAttention, tellOfStorage } from './attention.ts'
import { CertificateBoard } from './certificate-board.ts'
import { edgeSnapshot, formatListenAddress, formatOrigin, siteSnapshot } from './edge-config.ts'
import { createIssuers, createProbe, limitsOf } from './issuers.ts'
import { bindListeningSocket, type ListeningSocket } from './listening-sockets.ts'
import { changeInParts, inParts } from './message-parts.ts'
import { certificateMetrics, limitMetrics, onDemandMetrics, workerMetrics } from './metrics.ts'
import type { createOnDemand } from './on-demand.ts'
import { createSelfProof } from './self-proof.ts'
import { onDemandSite, siteCertificates } from './site-certificates.ts'
import { throttle } from './throttle.ts'
import { TicketRotation } from './ticket-rotation.ts'
import { trustHint } from './trust-hint.ts'
import { openCookieKey } from './upstreams/cookie-key.ts'
import { areSticky, UpstreamWatch } from './upstreams/upstream-watch.ts'
import { WorkerPool } from './worker-pool.ts'
import { FIRST_INHERITED_FD, spawnWorker } from './worker-process.ts'

export type SupervisorOptions = {
  readonly config: Config
  readonly log: Log
  /** For the workers, who cannot see whether the supervisor's output is a terminal. */
  readonly logFormat: LogFormat
  readonly clock: Clock
  readonly random: Random
  /** The script that starts this program, for the workers. */
  readonly program: string
  /** Ends the start, if that is still going on. */
  readonly signal: AbortSignal
}

/** A program that serves. */
export type Running = {
  /** Stops accepting, lets the workers finish within the drain time, and gives everything back. */
  stop(): Promise<void>
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
    return await start(options, taken)
  } catch (error) {
    await taken.disposeAsync()
    throw error
  }
}

async function start(options: SupervisorOptions, taken: AsyncDisposableStack): Promise<Running> {
  const { config, log, clock, random, signal } = options
  if (config.log.access?.file !== undefined) LogFile.check(config.log.access.file)
  let notices: Notices | undefined
  const folder = await openFileStorage({ folder: config.storage.folder, vast: VAST, log, clock })
  taken.defer(() => folder.close())
  const storage = tellOfStorage(folder, () => notices)
  const sockets = await bindAll(options, taken)
  const internal = await openInternalIssuer({ storage, clock, log, label: `Castellan internal CA, ${hostname()}` })

  const board = new CertificateBoard()
  const tickets = new TicketRotation(clock, randomBytes)
  let onDemand: OnDemand | undefined
  const hsts = await HstsKeeper.open({ sites: config.sites, storage, clock, log })
  const upstreams = new UpstreamWatch({
    ...{ sites: config.sites, workers: workerCount(config), clock, random, log },
    cookieKey: areSticky(config.sites) ? await openCookieKey(storage, randomBytes) : '',
  })
  taken.defer(() => upstreams.stop())
  const pool = createPool(options, sockets, { board, tickets, hsts, upstreams, onDemand: () => onDemand })
  const want = siteCertificates(config)
  let current: (() => CertificatesState) | undefined
  const tellWorkers = throttle(
    () => current && pool.changeCertificates(board.update(current())),
    () => CHANGE_INTERVAL_MS * (want.wanted.length + (onDemand?.inUse ?? 0)),
    clock,
  )
  const surroundings = { storage, publisher: pool, clock, random, log }
  const issuers = createIssuers(config, internal, surroundings)
  const told = await openAttention(config, { ...surroundings, issuers })
  notices = told.notices
  taken.defer(() => told.notices.stop())
  const stopping = new AbortController()
  const certificates = await startCertificates({
    ...want,
    issuers,
    limitsOf: limitsOf(config),
    mayOrder: async (wanted, ending) => onDemand?.mayOrder(wanted, ending),
    attention: told.attention,
    askResponder: createResponderClient({ clock }),
    prove: createSelfProof({
      targets: sockets.slice(0, config.listen.https.length).flatMap(({ reachedAt }) => reachedAt),
      proxyProtocolFrom: config.listen.proxyProtocolFrom,
      ready: () => pool.accepting,
      clock,
    }),
    storage,
    clock,
    random,
    log,
    onChange: (state) => {
      current = state
      return tellWorkers()
    },
  })
  onDemand = await startOnDemand(config, { certificates, board, pool, storage, clock, log })
  taken.defer(async () => {
    await Promise.all([certificates.stop(), onDemand?.stop(), pool.stop(config.timeouts.drainMs)])
  })
  const control = await openControlSocket({
    folder: config.storage.folder,
    answer: operatorAnswers({
      certificates: withNamesAtRest(certificates, atRest(config, onDemand, { issuers, storage, clock })),
      issuers,
      probe: createProbe({ publisher: pool, clock }),
      notices,
      upstreams,
      signal: stopping.signal,
      log,
    }),
    clock,
    log,
  })
  taken.defer(() => {
    stopping.abort()
    return control.close()
  })
  board.update(certificates.state)
  tickets.start((secrets) => pool.changeTicketSecrets(secrets))
  taken.defer(() => tickets.stop())
  upstreams.start(pool)
  const started = pool.start(signal)
  // While the workers get ready, so that it takes no time.
  collectGarbage()
  await started
  hsts.start(
    () => certificates.report(),
    (changes) => pool.changeHsts(changes),
  )
  taken.defer(() => hsts.stop())
  keepParked(want.wanted, { certificates, storage, clock, log }, taken)
  await serveMetrics(config, { pool, certificates, upstreams, onDemand }, taken)
  announce(config, log)
  announceWaiting(certificates.state, log)
  warnOfDescriptors(config, log)
  await announceInternalCa(config, internal, log)
  return { stop: () => taken.disposeAsync(), reopenLogs: () => pool.reopenLogs(), kill: () => pool.kill() }
}

async function bindAll(
  { config: { listen }, clock, signal }: SupervisorOptions,
  taken: AsyncDisposableStack,
): Promise<ListeningSocket[]> {
  const sockets: ListeningSocket[] = []
  for (const address of [...listen.https, ...listen.http]) {
    const socket = await bindListeningSocket(address, clock, { signal, socketMode: listen.socketMode })
    taken.defer(() => socket.close())
    sockets.push(socket)
  }
  return sockets
}

/** What workers are told of; `onDemand` gives undefined where no name is, or before it is known. */
type Parts = {
  readonly board: CertificateBoard
  readonly tickets: TicketRotation
  readonly hsts: HstsKeeper
  readonly upstreams: UpstreamWatch
  readonly onDemand: () => OnDemand | undefined
}

/** Loaded only where it is needed: the public suffix list is 10 MB of memory. */
async function startOnDemand(
  { sites }: Config,
  surroundings: Parameters<typeof createOnDemand>[1],
): Promise<OnDemand | undefined> {
  for (const site of sites) {
    const { onDemand } = site
    if (onDemand === undefined) continue
    const { createOnDemand } = await import('./on-demand.ts')
    const started = createOnDemand({ ...site, onDemand }, surroundings)
    started.start()
    return started
  }
  return undefined
}

function atRest(
  config: Config,
  names: OnDemand | undefined,
  around: { readonly issuers: ReadonlyMap<string, Issuer>; readonly storage: Storage; readonly clock: Clock },
): Parameters<typeof withNamesAtRest>[1] {
  const site = config.sites.find(({ onDemand }) => onDemand !== undefined)
  return site && names && { ...around, limitsOf: limitsOf(config), site: onDemandSite(site), names }
}

function createPool(
  options: SupervisorOptions,
  sockets: readonly ListeningSocket[],
  { board, tickets, hsts, upstreams, onDemand }: Parts,
): WorkerPool {
  const { config, log, clock, logFormat, program } = options
  const snapshot = edgeSnapshot(config)
  const fds = sockets.map(({ fd }) => fd)
  const listeners = sockets.map(({ address }, index) => ({
    fd: FIRST_INHERITED_FD + index,
    protocol: index < config.listen.https.length ? ('https' as const) : ('http' as const),
    address: formatListenAddress(address),
  }))
  return new WorkerPool({
    count: workerCount(config),
    spawn: () => spawnWorker(program, fds),
    startMessages: function* (challenges) {
      const snapshotOf = (site: Config['sites'][number]) => siteSnapshot(site, hsts.field(site.name))
      for (const part of inParts(config.sites)) yield { type: 'sites', sites: part.map(snapshotOf) }
      yield {
        type: 'start',
        listeners,
        snapshot,
        challenges,
        ticketSecrets: tickets.secrets,
        log: { level: config.log.level, format: logFormat },
        accessLog: { file: config.log.access?.file, format: config.log.access?.format ?? logFormat },
        drainMs: config.timeouts.drainMs,
      }
      for (const change of changeInParts(board.all())) yield { type: 'certificates', change }
      yield { type: 'upstreams', conditions: upstreams.conditions }
      yield { type: 'listen' }
    },
    material: (certificate) => board.material(certificate),
    nameWanted: async (name, address) => (await onDemand()?.want(name, address)) ?? NOT_YET,
    namesSeen: (names) => onDemand()?.seen(names),
    clock,
    log,
  })
}

function workerCount({ workers }: Pick<Config, 'workers'>): number {
  return workers === 'auto' ? availableParallelism() : workers
}

/**
 * Between two tellings of what has changed, for each wanted certificate: with thousands, each change told by itself would
 * cost more than the certificates, and with a few the workers should know at once.
 */
const CHANGE_INTERVAL_MS = 0.1

/** To a client that comes while the program starts. */
const NOT_YET = { type: 'unavailable', reason: 'the program starts', forMs: 0, ofAddress: false } as const

/** More sites than a person reads are counted. */
const MAX_ANNOUNCED = 10

function announce({ sites, listen }: Config, log: Log): void {
  const listed = sites.filter(({ onDemand }) => onDemand === undefined)
  const origins = listed.slice(0, MAX_ANNOUNCED).map(({ name }) => formatOrigin(name, listen))
  const more = listed.length > MAX_ANNOUNCED ? [`${listed.length - MAX_ANNOUNCED} more`] : []
  const others = listed.length < sites.length ? ['other names on demand'] : []
  const last = [...more, ...others].join(' and ')
  const all = [origins.join(', '), last].filter((part) => part !== '').join(' and ')
  log.info('serving', `Serving ${all}.`)
}

/** What is served has an id that ends in its fingerprint. */
function keepParked(
  wanted: readonly WantedCertificate[],
  {
    certificates,
    ...options
  }: { readonly certificates: Certificates } & Pick<ParkedOptions, 'storage' | 'clock' | 'log'>,
  taken: AsyncDisposableStack,
): void {
  const stopping = new AbortController()
  const parked = new Parked({
    ...options,
    wanted: new Set(wanted.map(({ id }) => id)),
    inUse: () => new Set(certificates.state.held.map(({ id }) => id.slice(id.lastIndexOf(':') + 1))),
  })
  const running = parked.run(stopping.signal)
  taken.defer(() => {
    stopping.abort()
    return running
  })
}

type Measured = {
  readonly pool: WorkerPool
  readonly certificates: Certificates
  readonly upstreams: UpstreamWatch
  readonly onDemand: OnDemand | undefined
}

async function serveMetrics(
  { metrics }: Config,
  { pool, certificates, upstreams, onDemand }: Measured,
  taken: AsyncDisposableStack,
): Promise<void> {
  if (metrics === undefined) return
  const collect = async (): Promise<Metric[]> => {
    const { counters, workers } = await pool.count()
    const limits = limitMetrics(certificates.ordersLeft)
    const names = onDemand === undefined ? [] : onDemandMetrics(onDemand.inUse)
    return [
      ...workerMetrics(counters, workers),
      ...certificateMetrics(certificates.lifetimes),
      ...limits,
      ...upstreams.metrics,
      ...names,
    ]
  }
  const server = await startMetricsServer({ ...metrics, address: formatListenAddress(metrics), collect })
  taken.defer(() => {
    server.close()
    server.closeAllConnections()
  })
}

/** Workers inherit the limit. */
function warnOfDescriptors({ limits: { connections } }: Config, log: Log): void {
  const openFiles = maxOpenFiles()
  const fit = connectionsThatFit(connections, openFiles)
  if (fit === connections) return
  const message =
    `This user may have ${openFiles} files open in a process, which is enough for ${fit} connections in each worker, and ` +
    `limits.connections is ${connections}. For more, raise it with "ulimit -n" or systemd's LimitNOFILE.`
  log.warn('descriptors-few', message, { openFiles, connections: fit })
}

/** A name that is served but has no certificate is what a visitor complains of first. */
function announceWaiting({ waiting }: CertificatesState, log: Log): void {
  const names = [...new Set(waiting.flatMap((each) => each.names))]
  if (names.length === 0) return
  const more = names.length > MAX_ANNOUNCED ? ` and ${names.length - MAX_ANNOUNCED} more` : ''
  const message = `No certificate yet for ${names.slice(0, MAX_ANNOUNCED).join(', ')}${more}: ${waiting[0]!.reason}.`
  log.info('certificates-waiting', message, { names: names.slice(0, MAX_ANNOUNCED) })
}

async function announceInternalCa({ sites, listen }: Config, internal: InternalIssuer, log: Log): Promise<void> {
  const site = sites.find(
    ({ name, issuers, files }) => files.length === 0 && issuersFor(name, issuers).includes(INTERNAL_ISSUER),
  )
  if (site === undefined || listen.https.length === 0) return
  const { location } = await internal.rootCertificate()
  for (const sentence of trustHint(location, formatOrigin(site.name, listen)))
    log.info('internal-ca', sentence, { location })
}
