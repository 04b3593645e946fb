import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { loadConfig } from '../../src/config/load.ts'
import { type Running, startCastellan } from '../../src/supervisor/supervisor.ts'
import { makePlace, type Place } from '../e2e/castellan.ts'
import { FakeCa } from '../fake-ca/fake-ca.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { seededRandom } from '../fakes/seeded-random.ts'
import { frontendsAt } from './frontends.ts'
import { LeapingClock } from './leaping-clock.ts'
import { Responder } from './responder.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')
/** Of real time, between two steps of the clock. */
const TICK_MS = 3
const HOUR_MS = 60 * 60 * 1000
/** Of real time: far more than anything takes that is waited for, an hour of leaps among it. */
const PATIENCE_MS = 100_000

/** How the way of an order ends, or comes to where nothing happens for long. */
const ENDS = ['issued', 'renewed', 'failed', 'put-off', 'kept', 'awaits-staple'].map((end) => `certificate-${end}`)

export type Terms = {
  /** Each is a site, with a certificate of either kind. */
  readonly names: readonly string[]
  /** Of the certificates, and of the responses on them; milliseconds. */
  readonly lifetimeMs: number
  readonly stapleLifetimeMs: number
  readonly mustStaple?: boolean
}

/** The supervisor in this process, its workers, a CA and the CA's responder, at real sockets and in one leaping time. */
export class Premises {
  readonly clock: LeapingClock
  readonly log: RecordingLog
  readonly place: Place
  readonly ca: FakeCa
  readonly responder: Responder
  /** Whether somebody is to come first, before time goes on. */
  isHeldUp: () => boolean = () => false
  #running: Running | undefined
  #isOver = false
  #ticking: Promise<void> = Promise.resolve()

  private constructor(clock: LeapingClock, log: RecordingLog, place: Place, ca: FakeCa, responder: Responder) {
    this.clock = clock
    this.log = log
    this.place = place
    this.ca = ca
    this.responder = responder
  }

  /** Resolves when the program serves; its certificates are on their way then. */
  static async open(terms: Terms): Promise<Premises> {
    const log = new RecordingLog()
    const isOrdering = ordersUnderWay(log)
    const isBusy = (): boolean => isOrdering() || isDiskAtWork()
    const clock = new LeapingClock({ now: Date.parse('2026-11-24T00:00:00Z'), isBusy })
    const place = await makePlace({ access: 'off' })
    const now = (): number => clock.now()
    const ca = await FakeCa.open(now, frontendsAt(place))
    ca.directory.profiles.set('classic', { lifetimeMs: terms.lifetimeMs, maxNames: 100, reuseMs: terms.lifetimeMs })
    ca.certificates.backdatingMs = 0
    ca.renewalInfo.beginsAt = 1 / 2
    ca.limits.counts.certificatesPerSet = 1000
    const responder = await Responder.open(ca, now, terms.stapleLifetimeMs)
    const premises = new Premises(clock, log, place, ca, responder)
    premises.#ticking = premises.#tick()
    await premises.#start(terms)
    return premises
  }

  /** Waits until something is so. Rejects with what was logged last if it does not come true. */
  async until(isSo: () => boolean): Promise<void> {
    const giveUp = performance.now() + PATIENCE_MS
    while (!isSo()) {
      if (performance.now() > giveUp) throw new Error(`not reached: ${isSo}\n${this.tail()}`)
      await wait(TICK_MS)
    }
  }

  /** Waits until something has been logged so many times since the `since`th entry. */
  untilLogged(event: string, count = 1, since = 0): Promise<void> {
    return this.until(() => this.log.entries.slice(since).filter((entry) => entry.event === event).length >= count)
  }

  /** Lets so much time pass; milliseconds. */
  async live(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    for (let next = 0; next < end; ) {
      next = Math.min(end, this.clock.now() + HOUR_MS)
      await this.until(() => this.clock.now() >= next)
    }
  }

  /** The last that was logged, for whoever looks for a fault. */
  tail(): string {
    return this.log.entries
      .filter(({ event }) => event !== 'acme-request')
      .slice(-30)
      .map(({ level, event, message }) => `${level} ${event}: ${message}`)
      .join('\n')
  }

  async close(): Promise<void> {
    await this.#running?.stop()
    this.#isOver = true
    await this.#ticking
    await this.ca.close()
    await this.responder.close()
    await this.place.remove()
  }

  async #start({ names, mustStaple = false }: Terms): Promise<void> {
    const sites = names.map((name) => `  ${name}: { redirectTo: "https://b.example" }\n`).join('')
    await this.place.configure(`workers: 2
acceptTerms: true
issuers: { ca: { directory: "https://ca.test/directory", challenges: [http-01, tls-alpn-01] } }
defaults: { issuer: ca, certificate: { mustStaple: ${mustStaple} } }
sites:
${sites}`)
    const load = () => loadConfig({ file: join(this.place.folder, 'castellan.yaml'), env: {} })
    const { config, sources } = await load()
    // Over plain HTTP, which no config may ask for.
    const issuers = new Map([['ca', { ...config.issuers.get('ca')!, directory: this.ca.url }]])
    this.#running = await startCastellan({
      config: { ...config, issuers, log: { ...config.log, level: 'error' } },
      log: this.log,
      logFormatOf: () => 'json',
      loadAgain: load,
      sources,
      onConfig: () => {},
      clock: this.clock,
      random: seededRandom(20_261_126),
      program: PROGRAM,
      signal: new AbortController().signal,
    })
  }

  async #tick(): Promise<void> {
    while (!this.#isOver) {
      if (!this.isHeldUp()) this.clock.step()
      await wait(TICK_MS)
    }
  }
}

/** What was begun in this process, the program's storage among it. */
function isDiskAtWork(): boolean {
  return process.getActiveResourcesInfo().some((resource) => resource.startsWith('FSReq'))
}

/** Gives whether orders are under way, as far as the log has told of them. */
function ordersUnderWay({ entries }: RecordingLog): () => boolean {
  const underWay = new Set<unknown>()
  let read = 0
  return () => {
    for (; read < entries.length; read++) {
      const { event, facts } = entries[read]!
      if (event === 'certificate-requested') underWay.add(facts.certificate)
      else if (ENDS.includes(event)) underWay.delete(facts.certificate)
    }
    return underWay.size > 0
  }
}
