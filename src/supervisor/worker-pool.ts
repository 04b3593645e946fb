import type { ChallengeAnswer, ChallengePublisher } from '../challenges/challenge.ts'
import { addCounters, type CounterReport, NO_COUNTS } from '../edge/counters.ts'
import type {
  CertificateChange,
  CertificateMaterial,
  ChallengeSnapshot,
  HstsChange,
  MaintenanceChange,
  NameAnswer,
  UpstreamKnowledge,
} from '../edge/snapshot.ts'
import type { TicketSecrets } from '../edge/tls/ticket-keys.ts'
import type { TargetReport } from '../edge/upstream/balance/target-report.ts'
import { CastellanError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { Heartbeat } from './heartbeat.ts'
import { changeInParts, inParts } from './message-parts.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import { WorkerCohort, type WorkerStart } from './worker-cohort.ts'
import type { WorkerProcess } from './worker-process.ts'

/** Service managers send a signal to all processes of a program: then the supervisor hears of it, too, and nobody is replaced. */
const SIGNAL_GRACE_MS = 200

export type WorkerPoolOptions = WorkerStart & {
  /** What it takes to show a certificate, by the id that the workers were told; undefined if it is not served any more. */
  readonly material: (certificate: string) => CertificateMaterial | undefined
  /** Whether a name that no site lists is served, for a client at this address. Never rejects, and ends in good time. */
  readonly nameWanted: (name: string, address: string) => Promise<NameAnswer>
  /** Clients have lately come for these names, which are served on demand. */
  readonly namesSeen: (names: readonly string[]) => void
  readonly clock: Clock
  readonly log: Log
}

/** A worker could not accept on a socket that it inherited, or ended before it could. */
export class WorkerStartError extends CastellanError {
  declare readonly code: 'listen-failed' | 'worker-ended'
}

/** A worker that dies is replaced at once the first time, then after 1, 2, 4 … seconds; the last one after 1 at most. */
const FIRST_BACKOFF_MS = 1_000
const MAX_BACKOFF_MS = 30_000
/** Who has served this long has shown that it can: the next crash counts as a first one. */
const STABLE_MS = 60_000
/** After the drain time, a worker that has not gone by itself is killed. */
const KILL_GRACE_MS = 2_000

/**
 * So many former configs may have workers that finish what they have, some 60 MB each: who reloads again and again while
 * WebSockets stay must not run out of memory. nginx has no bound, and is known for it.
 */
const MAX_FORMER = 8

/** Of a worker that takes a challenge, forgets one, or counts. Who is silent for longer hangs, and accepts no connections either. */
const ANSWER_TIMEOUT_MS = 5_000

type Waiting = { readonly id: number; readonly workers: Set<WorkerProcess>; readonly resolve: () => void }

/**
 * Keeps `count` workers serving. One that crashes or hangs is replaced, with back-off, while the others go on. As the one who knows
 * all frontends it also publishes challenge answers: a CA may ask any of them.
 */
export class WorkerPool implements ChallengePublisher {
  readonly #options: WorkerPoolOptions
  readonly #workers = new Map<WorkerProcess, WorkerCohort>()
  /** Those that serve now. */
  #cohort: WorkerCohort
  /** Those of former configs that still finish what they have, the eldest first. */
  #former: WorkerCohort[] = []
  /** Those that were asked to finish: their successors are there already. */
  readonly #draining = new Set<WorkerProcess>()
  /** What each worker has last counted, and what those have that are gone. */
  readonly #counted = new Map<WorkerProcess, CounterReport>()
  #past = NO_COUNTS
  /** What each worker has last told of the targets of upstreams. */
  readonly #targets = new Map<WorkerProcess, readonly TargetReport[]>()
  readonly #challenges = new Map<string, ChallengeSnapshot>()
  readonly #waiting = new Map<number, Waiting>()
  readonly #heartbeat: Heartbeat<WorkerProcess>
  readonly #stopping = new AbortController()
  readonly #gone = Promise.withResolvers<void>()
  #nextId = 1
  #crashes = 0

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#cohort = new WorkerCohort(options, 'serving')
    this.#heartbeat = new Heartbeat({
      clock: options.clock,
      ask: (worker) => worker.send({ type: 'heartbeat' }),
      onHang: (worker, silentMs) => this.#end(worker, silentMs),
    })
  }

  /**
   * Starts all workers and resolves when all accept connections at once. Rejects with WorkerStartError if one cannot listen,
   * and with the signal's reason as soon as it is aborted: workers that crash again and again would be waited for in vain.
   */
  start(signal: AbortSignal): Promise<void> {
    const cohort = this.#cohort
    this.#spawnAll(cohort, signal)
    void this.#heartbeat.beat(this.#stopping.signal)
    return cohort.ready
  }

  /** Resolves when all workers accept connections. */
  get accepting(): Promise<void> {
    return this.#cohort.ready
  }

  /**
   * Starts workers in another way, and only when all of them accept connections, lets the former ones finish what they have:
   * those are cut after `drainMs` milliseconds. Rejects as `start` does, or if one of them ends first; then the former go on,
   * and nothing is left of the new.
   */
  async renew(start: WorkerStart, drainMs: number, signal: AbortSignal): Promise<void> {
    const next = new WorkerCohort(start, 'starting')
    try {
      this.#spawnAll(next, signal)
      await next.ready
    } catch (error) {
      next.state = 'left'
      for (const worker of this.#of(next)) this.#giveUpOn(worker)
      throw error
    }
    const former = this.#cohort
    next.state = 'serving'
    this.#cohort = next
    this.#leave(former, drainMs)
  }

  /** How many workers accept connections, of how many. */
  get health(): { readonly accepting: number; readonly workers: number } {
    return { accepting: this.#cohort.accepting.size, workers: this.#cohort.start.count }
  }

  /** Tells all workers which certificates have changed. */
  changeCertificates(change: CertificateChange): void {
    for (const part of changeInParts(change))
      for (const worker of this.#workers.keys()) worker.send({ type: 'certificates', change: part })
  }

  /** Tells all workers what sites send as Strict-Transport-Security from now on. */
  changeHsts(changes: readonly HstsChange[]): void {
    for (const part of inParts(changes))
      for (const worker of this.#workers.keys()) worker.send({ type: 'hsts', changes: part })
  }

  /** Tells the workers what is known of upstreams, but for those of former configs, whose upstreams nobody looks after. */
  changeUpstreams(knowledge: UpstreamKnowledge): void {
    for (const [worker, { state, start }] of this.#workers)
      if (state !== 'left') worker.send({ type: 'upstreams', conditions: { ...knowledge, workers: start.count } })
  }

  /** What each worker tells of the targets of upstreams. */
  async reportTargets(): Promise<readonly (readonly TargetReport[])[]> {
    await this.#ask((id) => ({ type: 'report-targets', id }))
    return [...this.#targets.values()]
  }

  /** Tells all workers which sites are closed, and resolves when they do so. */
  changeMaintenance(changes: readonly MaintenanceChange[]): Promise<void> {
    return this.#ask((id) => ({ type: 'maintenance', id, changes }))
  }

  /** Tells all workers which secrets session tickets are now issued and taken with. */
  changeTicketSecrets(secrets: TicketSecrets): void {
    for (const worker of this.#workers.keys()) worker.send({ type: 'ticket-secrets', secrets })
  }

  /** Lets all workers go on in new files, after an operator has moved the former ones away. */
  reopenLogs(): void {
    for (const worker of this.#workers.keys()) worker.send({ type: 'reopen-logs' })
  }

  /** What all workers have counted, those that are gone as of the last time. */
  async count(): Promise<{ readonly counters: CounterReport; readonly workers: number }> {
    await this.#ask((id) => ({ type: 'count', id }))
    const counters = [...this.#counted.values()].reduce(addCounters, this.#past)
    return { counters, workers: this.#cohort.accepting.size }
  }

  async publish(answer: ChallengeAnswer): Promise<void> {
    const challenge = toSnapshot(answer)
    this.#challenges.set(challengeKey(challenge), challenge)
    // Until all have started, nobody would answer the CA.
    await this.#cohort.ready
    await this.#ask((id) => ({ type: 'publish-challenge', id, challenge }))
  }

  async withdraw(answer: ChallengeAnswer): Promise<void> {
    const challenge = toSnapshot(answer)
    this.#challenges.delete(challengeKey(challenge))
    await this.#ask((id) => ({ type: 'withdraw-challenge', id, challenge }))
  }

  /**
   * Lets all workers drain, and resolves when they are gone: after the drain time at most, and a moment of grace. `gently`:
   * others accept in their place. May be called again, with a shorter time.
   */
  async stop(drainMs: number, { gently = false } = {}): Promise<void> {
    this.#stopping.abort()
    if (this.#workers.size === 0) return
    for (const worker of this.#workers.keys()) worker.send({ type: 'drain', withinMs: drainMs, gently })
    const inTime = new AbortController()
    const overtime = this.#options.clock.sleep(drainMs + KILL_GRACE_MS, inTime.signal).then(
      () => this.kill(),
      () => {},
    )
    await this.#gone.promise
    inTime.abort()
    await overtime
  }

  /** Ends all workers at once. */
  kill(): void {
    this.#stopping.abort()
    for (const worker of this.#workers.keys()) worker.kill()
  }

  #of(cohort: WorkerCohort): WorkerProcess[] {
    return [...this.#workers].filter(([, its]) => its === cohort).map(([worker]) => worker)
  }

  #spawnAll(cohort: WorkerCohort, signal: AbortSignal): void {
    signal.throwIfAborted()
    cohort.failOn(signal)
    for (let started = 0; started < cohort.start.count; started++) this.#spawn(cohort)
  }

  /** It has never served. */
  #giveUpOn(worker: WorkerProcess): void {
    this.#draining.add(worker)
    worker.kill()
  }

  #leave(cohort: WorkerCohort, drainMs: number): void {
    cohort.state = 'left'
    cohort.accepting.clear()
    this.#former.push(cohort)
    this.#drain(cohort, drainMs, true)
    if (this.#former.length <= MAX_FORMER) return
    const eldest = this.#former.shift()!
    const message = `Connections of a config that was replaced ${MAX_FORMER} reloads ago are ended, as memory is finite.`
    this.#options.log.info('workers-given-up', message)
    this.#drain(eldest, 0, false)
  }

  #drain(cohort: WorkerCohort, withinMs: number, gently: boolean): void {
    const workers = this.#of(cohort)
    if (workers.length === 0) return this.#forget(cohort)
    for (const worker of workers) {
      this.#draining.add(worker)
      worker.send({ type: 'drain', withinMs, gently })
    }
    const ending = AbortSignal.any([cohort.gone.signal, this.#stopping.signal])
    this.#options.clock.sleep(withinMs + KILL_GRACE_MS, ending).then(
      () => {
        for (const worker of this.#of(cohort)) worker.kill()
      },
      () => {}, // They have gone by themselves, or all are stopped.
    )
  }

  #forget(cohort: WorkerCohort): void {
    this.#former = this.#former.filter((each) => each !== cohort)
    cohort.gone.abort()
  }

  #spawn(cohort: WorkerCohort): void {
    // Others have taken over meanwhile.
    if (cohort.state === 'left') return
    const { clock } = this.#options
    const { spawn, startMessages } = cohort.start
    const worker = spawn()
    const startedAt = clock.now()
    this.#workers.set(worker, cohort)
    this.#heartbeat.watch(worker)
    worker.onMessage((message) => this.#receive(worker, message))
    worker.onExit((cause) => this.#exited(worker, cause, clock.now() - startedAt))
    for (const message of startMessages([...this.#challenges.values()])) worker.send(message)
  }

  #receive(worker: WorkerProcess, message: FromWorker): void {
    this.#heartbeat.hear(worker)
    switch (message.type) {
      case 'alive':
        return
      case 'ready':
        this.#options.log.debug('worker-ready', `Worker ${worker.pid} accepts connections.`)
        return this.#workers.get(worker)?.accepts(worker)
      case 'listen-failed':
        return this.#workers
          .get(worker)
          ?.fail(new WorkerStartError('listen-failed', message.message, { address: message.address }))
      case 'material-wanted': {
        const { certificate } = message
        return worker.send({ type: 'material', certificate, material: this.#options.material(certificate) })
      }
      case 'name-wanted': {
        const { name, address } = message
        return void this.#options.nameWanted(name, address).then((answer) => {
          if (this.#workers.has(worker)) worker.send({ type: 'name-answer', name, answer })
        })
      }
      case 'names-seen':
        return this.#options.namesSeen(message.names)
      case 'rates-used':
        for (const other of this.#workers.keys())
          if (other !== worker) other.send({ type: 'rates-used', uses: message.uses })
        return
      case 'draining':
        return void this.#succeed(worker)
      case 'done':
        return this.#done(worker, message.id)
      case 'targets':
        this.#targets.set(worker, message.targets)
        return this.#done(worker, message.id)
      case 'counters':
        this.#counted.set(worker, message.counters)
        return this.#done(worker, message.id)
      default:
        message satisfies never
    }
  }

  /** Its successor does not wait until it has finished. */
  async #succeed(worker: WorkerProcess): Promise<void> {
    const cohort = this.#workers.get(worker)
    if (cohort === undefined || this.#draining.has(worker)) return
    this.#draining.add(worker)
    cohort.accepting.delete(worker)
    try {
      await this.#options.clock.sleep(SIGNAL_GRACE_MS, this.#stopping.signal)
    } catch {
      // The supervisor got the signal too.
      return
    }
    const message = `Worker ${worker.pid} was asked to end: it finishes what it has, and a new one starts now.`
    this.#options.log.info('worker-draining', message, { pid: worker.pid })
    this.#spawn(cohort)
  }

  /** Whoever hangs accepts no connections and does not drain: those that it has are lost already. */
  #end(worker: WorkerProcess, silentMs: number): void {
    const message = `Worker ${worker.pid} hangs: it has not answered for ${silentMs / 1000} s, and is ended.`
    this.#options.log.error('worker-hung', message, { pid: worker.pid, silentMs })
    worker.kill()
  }

  #exited(worker: WorkerProcess, cause: string, livedMs: number): void {
    const cohort = this.#workers.get(worker)!
    this.#workers.delete(worker)
    this.#heartbeat.forget(worker)
    cohort.accepting.delete(worker)
    this.#past = addCounters(this.#past, { ...(this.#counted.get(worker) ?? NO_COUNTS), connectionsOpen: 0 })
    this.#counted.delete(worker)
    this.#targets.delete(worker)
    for (const id of [...this.#waiting.keys()]) this.#done(worker, id)
    if (this.#stopping.signal.aborted) {
      if (this.#workers.size === 0) this.#gone.resolve()
      return
    }
    if (cohort.state === 'left' && this.#of(cohort).length === 0) this.#forget(cohort)
    if (this.#draining.delete(worker)) return
    if (cohort.state === 'starting') return cohort.fail(endedEarly(cause))
    this.#crashes = livedMs < STABLE_MS ? this.#crashes + 1 : 1
    void this.#replace(worker, cohort, cause)
  }

  async #replace(worker: WorkerProcess, cohort: WorkerCohort, cause: string): Promise<void> {
    const { clock, log } = this.#options
    const backoffMs = this.#backoffMs()
    const who = worker.pid === undefined ? 'A worker' : `Worker ${worker.pid}`
    const when = backoffMs === 0 ? 'now' : `in ${backoffMs / 1000} s`
    const others = this.#workers.size === 1 ? '1 other goes' : `${this.#workers.size} others go`
    log.error(
      'worker-exited',
      `${who} ended unexpectedly (${cause}); ${others} on serving, a new one starts ${when}.`,
      { pid: worker.pid, cause, backoffMs },
    )
    try {
      await clock.sleep(backoffMs, this.#stopping.signal)
    } catch {
      // The pool stops: nobody is to be replaced any more.
      return
    }
    this.#spawn(cohort)
  }

  #backoffMs(): number {
    if (this.#crashes === 1) return 0
    // To wait longer while nobody serves would only lengthen the outage.
    const max = this.#workers.size === 0 ? FIRST_BACKOFF_MS : MAX_BACKOFF_MS
    return Math.min(FIRST_BACKOFF_MS * 2 ** (this.#crashes - 2), max)
  }

  /** Sends a question to all workers and resolves when each has answered, is gone or has been silent for long. */
  async #ask(question: (id: number) => ToWorker): Promise<void> {
    if (this.#workers.size === 0) return
    const id = this.#nextId++
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(id, { id, workers: new Set(this.#workers.keys()), resolve })
    for (const worker of this.#workers.keys()) worker.send(question(id))
    const answered = new AbortController()
    this.#options.clock.sleep(ANSWER_TIMEOUT_MS, answered.signal).then(
      () => this.#giveUp(id),
      () => {}, // All have answered first.
    )
    await promise
    answered.abort()
  }

  /** Goes on without those that have not answered: the others do, and whoever hangs does not accept what they leave. */
  #giveUp(id: number): void {
    const silent = [...(this.#waiting.get(id)?.workers ?? [])]
    for (const worker of silent) {
      const message = `Worker ${worker.pid} has not answered for ${ANSWER_TIMEOUT_MS / 1000} s: it is not waited for.`
      this.#options.log.warn('worker-silent', message, { pid: worker.pid })
      this.#done(worker, id)
    }
  }

  #done(worker: WorkerProcess, id: number): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    waiting.workers.delete(worker)
    if (waiting.workers.size > 0) return
    this.#waiting.delete(id)
    waiting.resolve()
  }
}

function endedEarly(cause: string): WorkerStartError {
  return new WorkerStartError('worker-ended', `A new worker ended before it could serve: ${cause}.`, { cause })
}

function toSnapshot(answer: ChallengeAnswer): ChallengeSnapshot {
  const { name: _, ...snapshot } = answer
  return snapshot
}

function challengeKey(challenge: ChallengeSnapshot): string {
  return challenge.type === 'http-01' ? `http-01 ${challenge.token}` : `tls-alpn-01 ${challenge.serverName}`
}
