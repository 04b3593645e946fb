import { LRUCache } from 'lru-cache'
import { isHostName } from '../../config/site-name.ts'
import { CastellanError, describeError } from '../../errors.ts'
import type { Storage } from '../../storage/storage.ts'
import { type Clock, pause } from '../../system/clock.ts'
import type { Random } from '../../system/random.ts'
import type { Log } from '../../telemetry/log.ts'
import type { AddedCertificates } from '../added.ts'
import { isOnDemandId } from '../place.ts'
import { spokenTime } from '../spoken-time.ts'
import type { HeldCertificate } from '../state.ts'
import type { WantedCertificate } from '../wanted.ts'
import type { Outcome } from '../wish.ts'
import { Caretaker } from './caretaker.ts'
import { DailyQuestions } from './daily-questions.ts'
import { type Closed, Gate, type HourlyLimits, isPublicSuffix } from './gate.ts'
import { GateMemory } from './gate-memory.ts'
import { NamesInUse } from './names-in-use.ts'
import type { Permission, Verdict } from './permission.ts'
import { type NameRecord, Registry } from './registry.ts'
import { SparseLog } from './sparse-log.ts'
import { type OnDemandSite, wantedOnDemand } from './wanted.ts'

/** What a client that comes for a name gets. Reasons are words for the log. */
export type Answer =
  /** There is a certificate, and those who serve know it. */
  | { readonly type: 'served' }
  /** It is to have none; that counts for so long. */
  | { readonly type: 'denied'; readonly reason: string; readonly forMs: number }
  /** It has none now. `ofAddress`: because of the client's address, whatever the name. */
  | { readonly type: 'unavailable'; readonly reason: string; readonly forMs: number; readonly ofAddress: boolean }

type Refusal = Exclude<Answer, { type: 'served' }>

export type OnDemandOptions = {
  readonly site: OnDemandSite
  readonly permission: Permission
  readonly limits: HourlyLimits
  /** How long a client waits, for leave and for the first certificate. */
  readonly waitMs: number
  /** Names that are ordered at a time. */
  readonly waiting: number
  readonly refusedForMs: number
  readonly keepForMs: number
  readonly certificates: AddedCertificates
  /** Lets those who serve know of these at once. */
  readonly publish: (held: readonly HeldCertificate[]) => void
  readonly storage: Storage
  readonly clock: Clock
  /** Chooses which names at rest CAs are asked about, where there are too many for all. */
  readonly random: Random
  readonly log: Log
}

/** A name is not to have a certificate any more (`facts.name`). */
export class PermissionError extends CastellanError {
  declare readonly code: 'permission-withdrawn'
}

/** Names that are looked up at a time; most are in milliseconds. */
const MAX_UNDER_WAY = 1_000
/** Refusals that count for all workers. Bounded, whatever strangers ask for: some 2 MB. */
const MAX_REFUSALS = 10_000
/** A limit in all may be reached by others than the client: it is looked at again soon. */
const CLOSED_MS = 60_000
/** A client that was stopped by its own limit may still come for names that are there. */
const CLOSED_TO_ADDRESS_MS = 10_000
const SOON_MS = 1_000
const FAULT_MS = 10_000
/** Orders of several kinds of keys follow on one question. */
const PERMISSION_COUNTS_MS = 10 * 60_000
const SWEEP_MS = 10 * 60_000
/** Each reads some files. */
const TAKEN_AT_ONCE = 64

/**
 * Certificates for names that no site lists. What the storage holds is served at once; a new name is asked about, and its
 * certificates are ordered, once however many clients wait, within limits that a flood of names cannot exceed.
 */
export class OnDemand {
  readonly #options: OnDemandOptions
  readonly #registry: Registry
  readonly #gate: Gate
  readonly #gateMemory: GateMemory
  readonly #inUse: NamesInUse
  readonly #caretaker: Caretaker
  readonly #sparseLog: SparseLog
  readonly #underWay = new Map<string, Promise<Answer>>()
  readonly #refusals = new LRUCache<string, { readonly answer: Refusal; readonly until: number }>({ max: MAX_REFUSALS })
  /** When names were last let in, or in again. */
  readonly #permittedAt = new LRUCache<string, number>({ max: MAX_REFUSALS })
  readonly #stopping = new AbortController()
  #ordering = 0
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: OnDemandOptions) {
    const { storage, clock, log, limits, certificates, keepForMs, random } = options
    this.#options = options
    this.#registry = new Registry(storage)
    this.#gate = new Gate(limits, clock)
    this.#sparseLog = new SparseLog(log, clock)
    this.#gateMemory = new GateMemory({ gate: this.#gate, storage, clock, log: this.#sparseLog })
    this.#inUse = new NamesInUse({ certificates, registry: this.#registry, clock, log: this.#sparseLog })
    const wantedOf = (name: string): readonly WantedCertificate[] => wantedOnDemand(name, options.site)
    this.#caretaker = new Caretaker({
      inUse: this.#inUse,
      registry: this.#registry,
      wantedOf,
      storage,
      clock,
      log,
      keepForMs,
      questions: new DailyQuestions({ ask: (wanted, signal) => certificates.askAtRest(wanted, signal), clock, random }),
    })
  }

  /** Names whose certificates are in memory. */
  get inUse(): number {
    return this.#inUse.size
  }

  start(): void {
    const { signal } = this.#stopping
    this.#running = Promise.all([
      this.#sweepNowAndThen(signal),
      this.#caretaker.run(signal),
      this.#gateMemory.run(signal),
    ])
  }

  /** Gives up what is under way. To be called when the certificates have stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#running, ...this.#underWay.values()])
    await this.#inUse.settled()
  }

  /** A client at this address has come for a valid name. Never rejects, and answers within `waitMs`. */
  async want(name: string, address: string): Promise<Answer> {
    const refusal = this.#recall(name)
    if (refusal !== undefined) return refusal
    const underWay = this.#underWay.get(name)
    if (underWay === undefined && this.#underWay.size >= MAX_UNDER_WAY)
      return unavailable('too many names are new', SOON_MS)
    return this.#inTime(underWay ?? this.#begin(name, address))
  }

  /** Clients have come for these, as those who serve tell. */
  seen(names: readonly string[]): void {
    for (const name of names) this.#inUse.seen(name)
  }

  /** Takes up what the storage has of a name, for an operator; nothing happens if that is nothing. Throws StorageError. */
  async open(name: string): Promise<void> {
    const record = await this.#registry.get(name)
    if (record !== undefined && record.withdrawnAt === undefined) await this.#take(record)
  }

  /** Takes up the names that are in use with another, so that no client has to wait for them. Throws StorageError. */
  async takeOver(former: OnDemand): Promise<void> {
    const records = former.#inUse.records
    for (let at = 0; at < records.length; at += TAKEN_AT_ONCE)
      await Promise.all(records.slice(at, at + TAKEN_AT_ONCE).map((record) => this.#take(record)))
  }

  /**
   * Asked before each order: only what is still permitted is renewed. If nobody says, it is, for the operator's program may
   * be out for a while. Throws PermissionError.
   */
  async mayOrder({ id, names: [name] }: WantedCertificate, signal: AbortSignal): Promise<void> {
    if (!isOnDemandId(id) || name === undefined) return
    const { permission, clock } = this.#options
    const permittedAt = this.#permittedAt.get(name)
    if (permittedAt !== undefined && clock.now() - permittedAt < PERMISSION_COUNTS_MS) return
    if (!this.#inUse.isWithdrawn(name)) {
      const verdict = await permission.of(name, undefined, signal)
      if (verdict.type !== 'no') return this.#noteFault(name, verdict)
      this.#inUse.note(name, { withdrawnAt: clock.now() })
      const message = `${name} is not to have a certificate any more: ${verdict.reason}. It is not renewed.`
      this.#options.log.info('on-demand-withdrawn', message, { name })
    }
    throw new PermissionError('permission-withdrawn', `${name} is not to have a certificate any more`, { name })
  }

  #begin(name: string, address: string): Promise<Answer> {
    const answer = this.#answer(name, address).finally(() => this.#underWay.delete(name))
    this.#underWay.set(name, answer)
    return answer
  }

  async #answer(name: string, address: string): Promise<Answer> {
    try {
      const answer = (await this.#stored(name)) ?? (await this.#fresh(name, address))
      if (answer.type !== 'served') this.#options.log.debug('on-demand-refused', `${name}: ${answer.reason}.`, { name })
      return answer
    } catch (error) {
      if (this.#stopping.signal.aborted) return unavailable('the program stops', SOON_MS)
      const message = `A client came for ${name}, and it could not be looked after: ${describeError(error)}`
      this.#sparseLog.warn('on-demand-failed', message, { name })
      return unavailable(describeError(error), FAULT_MS)
    }
  }

  /** What there is of a name that was let in before, or why that must wait; undefined if it has to be let in (again). */
  async #stored(name: string): Promise<Answer | undefined> {
    if (!isHostName(name)) return this.#refuse(name, denied('no CA certifies such a name', this.#options.refusedForMs))
    if (this.#inUse.held(name).length > 0) return this.#serve(name)
    const record = await this.#registry.get(name)
    if (record === undefined || record.withdrawnAt !== undefined) return undefined
    const now = this.#options.clock.now()
    if (record.notAfter <= now) return this.#untilRetry(record, now)
    await this.#take(record)
    return this.#inUse.held(name).length > 0 ? this.#serve(name) : this.#order(name)
  }

  #untilRetry({ name, retryAt = 0 }: NameRecord, now: number): Refusal | undefined {
    if (retryAt <= now) return undefined
    const reason = `its last order failed, and the next try is not before ${spokenTime(retryAt)}`
    return this.#refuse(name, unavailable(reason, retryAt - now))
  }

  async #fresh(name: string, address: string): Promise<Answer> {
    const { permission, site, waiting, clock, refusedForMs } = this.#options
    if (wantedOnDemand(name, site).length === 0 || isPublicSuffix(name))
      return this.#refuse(name, denied('no CA of this config certifies such a name', refusedForMs))
    if (this.#ordering >= waiting) return unavailable('too many names are being ordered', SOON_MS)
    await this.#gateMemory.loaded()
    const closed = this.#gate.enter(name, address, permission.asksFor(name))
    this.#gateMemory.noted()
    if (closed !== undefined) return this.#closed(name, address, closed)
    const verdict = await permission.of(name, address, this.#stopping.signal)
    if (verdict.type !== 'yes') return this.#refuse(name, this.#answerTo(name, verdict))
    const full = this.#gate.admit(name)
    if (full !== undefined) return this.#closed(name, address, full)
    this.#gateMemory.noted()
    const now = clock.now()
    this.#permittedAt.set(name, now)
    const message = `A client at ${address || 'a Unix socket'} is the first to come for ${name}, which may have a certificate: ${verdict.because}.`
    this.#options.log.info('on-demand-admitted', message, { name, client: address })
    const record = { name, admittedAt: now, seenAt: now, dueAt: 0, notAfter: 0 }
    // Not waited for: if it comes to nothing, the name is asked about once more, and its certificate is there.
    void this.#inUse.write(record)
    await this.#take(record)
    return this.#order(name)
  }

  /** Waits for the first certificate of any kind. */
  async #order(name: string): Promise<Answer> {
    if (this.#inUse.held(name).length > 0) return this.#serve(name)
    this.#stopping.signal.throwIfAborted()
    this.#ordering++
    try {
      const failures = await failuresBeforeFirst(this.#inUse.outcomes(name))
      if (this.#inUse.held(name).length > 0) return this.#serve(name)
      return this.#failed(name, failures)
    } finally {
      this.#ordering--
    }
  }

  #failed(name: string, failures: readonly Outcome[]): Answer {
    if (failures.some(({ status }) => status === 'stopped')) return unavailable('the program stops', SOON_MS)
    const now = this.#options.clock.now()
    const retryAt = Math.min(...failures.map(nextTryOf))
    this.#inUse.note(name, { retryAt })
    this.#inUse.release(name)
    const reason = failures
      .map((failure) => (failure.status === 'failed' ? failure.reason : ''))
      .find((words) => words !== '')
    return this.#refuse(
      name,
      unavailable(`it could not be ordered${reason === undefined ? '' : `: ${reason}`}`, retryAt - now),
    )
  }

  #serve(name: string): Answer {
    this.#inUse.seen(name)
    this.#inUse.note(name)
    this.#refusals.delete(name)
    this.#options.publish(this.#inUse.held(name))
    return { type: 'served' }
  }

  #take(record: NameRecord): Promise<void> {
    return this.#inUse.take(record, wantedOnDemand(record.name, this.#options.site))
  }

  #answerTo(name: string, verdict: Exclude<Verdict, { type: 'yes' }>): Refusal {
    this.#noteFault(name, verdict)
    return verdict.type === 'no' ? denied(verdict.reason, verdict.forMs) : unavailable(verdict.reason, verdict.forMs)
  }

  #noteFault(name: string, verdict: Verdict): void {
    if (verdict.type !== 'unknown' || !verdict.isFault) return
    const message = `Nobody says whether ${name} may have a certificate: ${verdict.reason}. New names are refused meanwhile.`
    this.#sparseLog.warn('on-demand-ask-failed', message, { name })
  }

  #closed(name: string, address: string, { by, forMs }: Closed): Answer {
    const ofAddress = by === 'namesPerAddress'
    const reason = `onDemand.perHour.${by} (${this.#options.limits[by]}) is reached`
    const message = `Names that are new are refused: ${reason}. The last was ${name}, for a client at ${address}.`
    this.#sparseLog.warn('on-demand-limit', message, { name, client: address, limit: by }, `limit ${by}`)
    return {
      type: 'unavailable',
      reason,
      forMs: Math.min(forMs, ofAddress ? CLOSED_TO_ADDRESS_MS : CLOSED_MS),
      ofAddress,
    }
  }

  #refuse(name: string, answer: Refusal): Refusal {
    this.#refusals.set(name, { answer, until: this.#options.clock.now() + answer.forMs })
    return answer
  }

  /** For as long as it still counts. */
  #recall(name: string): Refusal | undefined {
    const { answer, until } = this.#refusals.get(name) ?? {}
    const forMs = (until ?? 0) - this.#options.clock.now()
    return answer === undefined || forMs <= 0 ? undefined : { ...answer, forMs }
  }

  async #inTime(answer: Promise<Answer>): Promise<Answer> {
    const { clock, waitMs } = this.#options
    const answered = new AbortController()
    const late = pause(clock, waitMs, answered.signal).then(() =>
      unavailable(`it has none after ${waitMs / 1000} s, and is still being looked after`, SOON_MS),
    )
    const said = await Promise.race([answer, late])
    answered.abort()
    return said
  }

  async #sweepNowAndThen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await pause(this.#options.clock, SWEEP_MS, signal)
      if (!signal.aborted) this.#inUse.sweep()
    }
  }
}

/** Resolves as soon as one is obtained, and else when all have failed, with how. */
async function failuresBeforeFirst(outcomes: readonly Promise<Outcome>[]): Promise<Outcome[]> {
  const failures: Outcome[] = []
  const { promise: obtained, resolve } = Promise.withResolvers<void>()
  const all = outcomes.map(async (outcome) => {
    const ended = await outcome
    if (ended.status === 'obtained') resolve()
    else failures.push(ended)
  })
  await Promise.race([obtained, Promise.all(all)])
  return failures
}

function nextTryOf(outcome: Outcome): number {
  if (outcome.status === 'failed') return outcome.nextAt ?? Number.POSITIVE_INFINITY
  if (outcome.status === 'limited') return outcome.at
  return outcome.status === 'not-due' ? outcome.renewAt : Number.POSITIVE_INFINITY
}

function denied(reason: string, forMs: number): Refusal {
  return { type: 'denied', reason, forMs }
}

function unavailable(reason: string, forMs: number): Refusal {
  return { type: 'unavailable', reason, forMs, ofAddress: false }
}
