import { randomBytes } from 'node:crypto'
import { Edge } from '../edge/edge.ts'
import { ListenError } from '../edge/listener.ts'
import type { CertificateMaterial, NameAnswer, SiteSnapshot } from '../edge/snapshot.ts'
import { describeError } from '../errors.ts'
import { systemClock } from '../system/clock.ts'
import { collectGarbage } from '../system/garbage.ts'
import { createAccessLog } from '../telemetry/access-log.ts'
import { createLineLog } from '../telemetry/line-log.ts'
import type { Log } from '../telemetry/log.ts'
import { LogFile } from '../telemetry/log-file.ts'
import { createLineWriter, linesLost } from '../telemetry/standard-output.ts'
import type { FromWorker, StartMessage, ToWorker } from './messages.ts'

/**
 * The life of a worker process: told everything by the supervisor, it serves until told to drain, or until the supervisor
 * is gone, for a worker that nobody looks after must not keep the ports.
 */
export function runWorker(): void {
  let running: RunningWorker | undefined
  const sites: SiteSnapshot[] = []
  const drain = (how?: Draining): void => {
    if (running === undefined) process.exit(0)
    void running.drain(how).then(() => process.exit(0))
  }
  // Ctrl-C and the like reach every process of the terminal or group; the supervisor decides what they mean. Unheard,
  // SIGUSR1 would open Node's debugger, and with it every key, to whoever is on this machine.
  for (const signal of ['SIGINT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => {})
  process.on('SIGTERM', () => {
    send({ type: 'draining' })
    drain()
  })
  process.once('disconnect', () => drain())
  process.on('uncaughtException', (error) => {
    const log = running?.log ?? createWorkerLog({ level: 'error', format: 'json' }).log
    log.error('worker-exception', `A worker met an error that it did not expect: ${describeError(error)}.`, {
      stack: error.stack,
    })
    process.exit(1)
  })
  process.on('message', (message: ToWorker) => {
    if (message.type === 'heartbeat') send({ type: 'alive' })
    else if (message.type === 'drain') drain(message)
    else if (message.type === 'sites') sites.push(...message.sites)
    else if (message.type === 'start') running = new RunningWorker(message, sites)
    else running?.handle(message)
  })
}

type Draining = { readonly withinMs: number; readonly gently: boolean }

class RunningWorker {
  readonly log: Log
  readonly #start: StartMessage
  readonly #edge: Edge
  readonly #accessFile: LogFile | undefined
  /** Questions to the supervisor, by the certificates' ids. */
  readonly #wanted = new Map<string, PromiseWithResolvers<CertificateMaterial | undefined>>()
  /** And by names that no site lists. */
  readonly #namesAsked = new Map<string, PromiseWithResolvers<NameAnswer>>()

  constructor(start: StartMessage, sites: readonly SiteSnapshot[]) {
    const { log, write } = createWorkerLog(start.log)
    this.#start = start
    this.log = log
    const { file, format } = start.accessLog
    if (file !== undefined)
      this.#accessFile = new LogFile(file, systemClock, (message) => log.error('log-file-trouble', message))
    this.#edge = new Edge({
      snapshot: { ...start.snapshot, sites },
      ticketSecrets: start.ticketSecrets,
      fetchMaterial: (certificate) => this.#fetchMaterial(certificate),
      askForName: (name, address) => this.#askForName(name, address),
      tellSeen: (names) => send({ type: 'names-seen', names }),
      tellRates: (uses) => send({ type: 'rates-used', uses }),
      clock: systemClock,
      randomBytes,
      log: this.log,
      accessLog: createAccessLog(format, systemClock, this.#accessFile?.write ?? write),
    })
    for (const challenge of start.challenges) this.#edge.publishChallenge(challenge)
  }

  async #listen(): Promise<void> {
    try {
      collectGarbage()
      await this.#edge.listen(this.#start.listeners)
      send({ type: 'ready' })
    } catch (error) {
      if (!(error instanceof ListenError)) throw error
      const failure: FromWorker = {
        type: 'listen-failed',
        address: String(error.facts.address),
        message: error.message,
      }
      process.send?.(failure, () => process.exit(1))
    }
  }

  handle(message: Exclude<ToWorker, StartMessage | { type: 'sites' | 'heartbeat' | 'drain' }>): void {
    switch (message.type) {
      case 'listen':
        return void this.#listen()
      case 'certificates':
        return this.#edge.changeCertificates(message.change)
      case 'material':
        this.#wanted.get(message.certificate)?.resolve(message.material)
        this.#wanted.delete(message.certificate)
        return
      case 'maintenance':
        this.#edge.changeMaintenance(message.changes)
        return send({ type: 'done', id: message.id })
      case 'hsts':
        return this.#edge.changeHsts(message.changes)
      case 'name-answer':
        this.#namesAsked.get(message.name)?.resolve(message.answer)
        this.#namesAsked.delete(message.name)
        return
      case 'upstreams':
        return this.#edge.changeUpstreams(message.conditions)
      case 'report-targets':
        return send({ type: 'targets', id: message.id, targets: this.#edge.targets })
      case 'ticket-secrets':
        return this.#edge.useTicketSecrets(message.secrets)
      case 'rates-used':
        return this.#edge.addRates(message.uses)
      case 'reopen-logs':
        return this.#accessFile?.reopen()
      case 'count':
        return send({ type: 'counters', id: message.id, counters: this.#edge.counters })
      case 'publish-challenge':
        this.#edge.publishChallenge(message.challenge)
        return send({ type: 'done', id: message.id })
      case 'withdraw-challenge':
        this.#edge.withdrawChallenge(message.challenge)
        return send({ type: 'done', id: message.id })
      default:
        message satisfies never
    }
  }

  /** May be called again, with less time. */
  async drain(how: Draining = { withinMs: this.#start.drainMs, gently: false }): Promise<void> {
    await this.#edge.drain(how.withinMs, how)
    await this.#accessFile?.flushed()
  }

  /** The supervisor answers each question, and when it is gone this worker drains. */
  #fetchMaterial(certificate: string): Promise<CertificateMaterial | undefined> {
    const underWay = this.#wanted.get(certificate)
    if (underWay !== undefined) return underWay.promise
    const wanted = Promise.withResolvers<CertificateMaterial | undefined>()
    this.#wanted.set(certificate, wanted)
    send({ type: 'material-wanted', certificate })
    return wanted.promise
  }

  /** The edge asks about each name once at a time. */
  #askForName(name: string, address: string): Promise<NameAnswer> {
    const asked = Promise.withResolvers<NameAnswer>()
    this.#namesAsked.set(name, asked)
    send({ type: 'name-wanted', name, address })
    return asked.promise
  }
}

function createWorkerLog({ level, format }: StartMessage['log']): { log: Log; write: (line: string) => void } {
  const write = createLineWriter(process.stdout, (lines) => log.warn(...linesLost(lines)))
  const log = createLineLog({ level, format, clock: systemClock, write, facts: { worker: process.pid } })
  return { log, write }
}

function send(message: FromWorker): void {
  // Without a supervisor there is nobody to tell, and the worker drains as soon as it notices.
  if (process.connected) process.send?.(message, () => {})
}
