import { Agenda, type Entry, newEntry } from '../src/certificates/agenda.ts'
import { ordersAtOnce } from '../src/certificates/agenda-rules.ts'
import { type Attempt, begun, failed, latestTryAt, noAttempt } from '../src/certificates/attempt.ts'
import { Heap, type Placed } from '../src/certificates/heap.ts'
import { Herd, type HerdMember, UNCOUNTED } from '../src/certificates/herd.ts'
import type { Charge } from '../src/certificates/ledger/charge.ts'
import type { Limits } from '../src/certificates/ledger/limits.ts'
import type { OrderFacts } from '../src/certificates/ledger/order-facts.ts'
import { type Former, orderOf } from '../src/certificates/ledger/order-of.ts'
import { RateLimits } from '../src/certificates/ledger/rate-limits.ts'
import { readRefusal } from '../src/certificates/ledger/refusal.ts'
import { planHeld } from '../src/certificates/outage.ts'
import { Outages } from '../src/certificates/outages.ts'
import { expectedRenewal, type HeldFacts, planNext, renewalTime, type Step } from '../src/certificates/plan.ts'
import { spreadOut } from '../src/certificates/spread.ts'
import { answered, askAtOf, type Suggestion, unanswered, unsaid } from '../src/certificates/suggestion.ts'
import type { WantedCertificate } from '../src/certificates/wanted.ts'
import type { Issuer } from '../src/issuers/issuer.ts'
import type { Random } from '../src/system/random.ts'
import { silentLog } from '../src/telemetry/log.ts'
import type { Authority, Window } from './authority.ts'
import type { Tally } from './tally.ts'

const DIRECTORY = 'https://ca.example/directory'
const ISSUER = { name: 'ca', authority: DIRECTORY, settings: '', accountFor: () => 'issuers/ca/account' }
const SECOND_MS = 1000
const HOUR_MS = 3_600_000

export type FleetOptions = {
  readonly names: number
  readonly nameOf: (index: number) => string
  readonly authority: Authority
  readonly lifetimeMs: number
  /** What is known of the limits of the CA. */
  readonly limits: Limits
  readonly random: Random
  readonly tally: Tally
  /** How an order takes its time, in ms. */
  readonly orderMs: () => number
  /**
   * Each question to the CA is asked by itself. Otherwise those whose answer is known to be the former one are only counted:
   * of a million certificates these are four million a day.
   */
  readonly asksEach: boolean
  /** What is obtained in a herd is not spread out by itself: to see what that is worth. */
  readonly keepsHerds: boolean
}

/** One name with its certificate. Numbers are kept in arrays, as there are a million of them. */
type Name = Entry & HerdMember & { readonly index: number }

type Ending = Placed & { readonly at: number; readonly name: Name; readonly charge: Charge; readonly met: Met }

/** What an order met when it was placed. */
type Met = 'accepted' | 'refused' | 'unreachable'

type Question = Placed & { at: number; readonly name: Name }

/** What an installation with that many names does: the program's own rules, on a virtual clock. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #names: Name[]
  readonly #agenda: Agenda<Name>
  readonly #ledger: RateLimits
  readonly #endings = new Heap<Ending>((a, b) => a.at < b.at)
  readonly #questions = new Heap<Question>((a, b) => a.at < b.at)
  readonly #questionOf = new Map<number, Question>()
  readonly #attempts = new Map<number, Attempt>()
  readonly #outages: Outages
  readonly #herd = new Herd()
  /** Those whose question was due while the CA was known to be out of order. */
  #putOff: Name[] = []
  readonly #running = new AbortController()
  #probeAt = Number.POSITIVE_INFINITY
  /** In ms since 1970; NaN for what is not. */
  readonly #notBefore: Float64Array
  readonly #windowStart: Float64Array
  readonly #windowEnd: Float64Array
  readonly #renewAt: Float64Array
  readonly #askAt: Float64Array
  readonly #spreadAt: Float64Array
  readonly #fingerprint: Uint32Array
  #now: number
  /** When all that was there was revoked. */
  revokedAt: number | undefined

  constructor(options: FleetOptions, now: number) {
    const { names, limits } = options
    this.#options = options
    this.#now = now
    this.#ledger = new RateLimits(() => limits)
    const empty = (): Float64Array => new Float64Array(names).fill(Number.NaN)
    this.#notBefore = empty()
    this.#windowStart = empty()
    this.#windowEnd = empty()
    this.#renewAt = empty()
    this.#askAt = empty()
    this.#spreadAt = empty()
    this.#fingerprint = new Uint32Array(names)
    this.#names = Array.from({ length: names }, (_, index) => ({ ...newEntry(), span: UNCOUNTED, index }))
    this.#outages = this.#createOutages()
    this.#agenda = new Agenda<Name>({
      plan: (name, at) => this.#plan(name, at),
      goodUntil: ({ index }) => this.#goodUntil(index),
      failures: ({ index }) => this.#attempts.get(index)?.failures ?? 0,
      deskOf: () => ISSUER.name,
      namesOf: ({ index }) => String(index),
      maxAtOnce: () => ordersAtOnce(names),
      heldBy: () => (this.#outages.holding([ISSUER.name]) === undefined ? undefined : 'outage'),
      suspicion: ({ index }) => this.#outages.suspicion(ISSUER.name, String(index)),
    })
  }

  #createOutages(): Outages {
    const { authority, random } = this.#options
    const probe = async (): Promise<void> => {
      if (authority.isOut(this.#now)) throw outOfOrder()
    }
    const ca: Issuer = { ...ISSUER, probe, issue: () => Promise.reject(outOfOrder()) }
    return new Outages({
      issuers: new Map([[ISSUER.name, ca]]),
      clock: { now: () => this.#now, sleep: () => Promise.reject(new Error('Nothing waits here.')) },
      random,
      log: silentLog,
      onOpen: () => this.#reopen(),
      // All of them have days left when they are due, far more than the longest pause.
      nextEnd: () => Number.POSITIVE_INFINITY,
      heldBack: () => [],
    })
  }

  #reopen(): void {
    this.#agenda.reopen()
    if (this.#outages.isOut(ISSUER.name)) return
    const waiting = this.#putOff
    this.#putOff = []
    for (const name of waiting) this.#question(name, this.#now)
  }

  get ledgerSize(): number {
    return this.#ledger.size
  }

  /** It has a certificate from before all began. */
  hold(index: number, notBefore: number): void {
    this.#options.authority.grant(index, notBefore)
    this.#receive(index, notBefore)
    this.#herd.expect(this.#names[index]!, this.#dueByAge(index))
  }

  /** Plans all names for the first time. */
  takeUp(): void {
    for (const name of this.#names) this.#agenda.changed(name)
  }

  /** Adds what is wanted from now on. */
  want(from: number, to: number): void {
    for (const name of this.#names.slice(from, to)) this.#agenda.changed(name)
  }

  /** Lives until then. */
  async live(until: number): Promise<void> {
    for (;;) {
      const now = Math.max(this.#now, this.#next)
      if (now >= until) break
      this.#now = now
      await this.#probe(now)
      for (let end = this.#endings.first; end !== undefined && end.at <= now; end = this.#endings.first) this.#end(end)
      for (let asked = this.#questions.first; asked !== undefined && asked.at <= now; asked = this.#questions.first)
        this.#ask(asked)
      this.#agenda.begin(now, (name) => this.#begin(name))
      this.#outages.endUnless((issuer) => this.#agenda.isBusy(issuer))
    }
    this.#now = until
  }

  async #probe(now: number): Promise<void> {
    this.#probeAt = this.#outages.probeWhatIsDue(now, this.#running.signal, () => {})
    await this.#outages.idle()
    this.#probeAt = this.#outages.probeWhatIsDue(now, this.#running.signal, () => {})
  }

  /** The next question about each name, if nothing was asked by itself so far, as the CA's answers are others from now on. */
  askAnew(): void {
    if (this.#options.asksEach) return
    for (const name of this.#names)
      if (!Number.isNaN(this.#askAt[name.index]!)) {
        // How far each is in its turn from one question to the next is left to the dice.
        const { random } = this.#options
        this.#question(name, this.#now + random() * unsaid('', { now: 0, random }).askAt)
      }
  }

  /** As `castellan certs spread` does. */
  spread(): number {
    const due = this.#names.filter(({ index }) => this.#factsOf(index) !== undefined)
    const before = due.map(({ index }) => renewalTime({ ...this.#factsOf(index)!, spreadAt: undefined }))
    const after = spreadOut(before, this.#now, this.#options.random)
    let moved = 0
    for (const [place, name] of due.entries()) {
      if (after[place]! >= before[place]! || before[place]! <= this.#now) continue
      this.#spreadAt[name.index] = after[place]!
      this.#agenda.changed(name)
      moved++
    }
    return moved
  }

  /** How many of those that can have a certificate have none that is good. */
  countWithout(isHopeless: (index: number) => boolean): number {
    let count = 0
    for (const { index } of this.#names)
      if (!isHopeless(index) && !(this.#notBefore[index]! + this.#options.lifetimeMs > this.#now)) count++
    return count
  }

  get #dice() {
    return { now: this.#now, random: this.#options.random }
  }

  get #next(): number {
    const ending = this.#endings.first?.at ?? Number.POSITIVE_INFINITY
    const question = this.#questions.first?.at ?? Number.POSITIVE_INFINITY
    return Math.min(ending, question, this.#agenda.next, this.#probeAt)
  }

  #begin(name: Name): void {
    const { index } = name
    const { authority, tally, orderMs } = this.#options
    const now = this.#now
    this.#outages.admit(ISSUER.name, String(index))
    const order = this.#orderOf(index, now)
    const charge = this.#ledger.charge(order, now)
    const attempt = this.#attempts.get(index)
    if (attempt !== undefined) this.#attempts.set(index, begun(attempt, now))
    const isReplacement = !Number.isNaN(this.#notBefore[index]!)
    // The CA gets it a little later, by a clock of its own.
    const reply = authority.order(index, isReplacement, now + SECOND_MS)
    if (reply.type === 'unreachable') return this.#endLater({ name, charge, met: 'unreachable' }, now + SECOND_MS)
    charge.placing(isReplacement, now)
    tally.ordered(now)
    if (reply.type !== 'refused') return this.#endLater({ name, charge, met: 'accepted' }, now + orderMs())
    tally.refused++
    const refusal = readRefusal(reply.detail, reply.retryAfterMs, now)
    charge.refused(refusal!, now)
    this.#endLater({ name, charge, met: 'refused' }, now + SECOND_MS)
  }

  #endLater(ending: Omit<Ending, 'place' | 'at'>, at: number): void {
    this.#endings.add({ ...ending, place: -1, at })
  }

  #end(ending: Ending): void {
    this.#endings.remove(ending)
    const { name, charge, met } = ending
    const { index } = name
    const { authority, tally } = this.#options
    const outcome = met === 'accepted' ? authority.finish(index, this.#now) : met
    if (outcome === 'invalid') charge.failed([this.#options.nameOf(index)], this.#now)
    charge.close(outcome === 'issued', this.#now)
    const id = String(index)
    const isOutage = outcome !== 'issued' && this.#outages.failed(ISSUER.name, id, failureOf(outcome))
    if (outcome === 'issued') this.#outages.answered(ISSUER.name, id)
    if (outcome === 'issued') this.#succeed(index)
    else if (isOutage) this.#forgive(index)
    else this.#fail(index)
    if (isOutage) tally.putOff++
    else if (outcome !== 'issued') tally.failedAt(this.#now)
    this.#outages.release(id)
    this.#agenda.ended(name)
  }

  /** It was the CA's outage: nothing is counted against the name. */
  #forgive(index: number): void {
    const before = this.#attempts.get(index)
    if (before !== undefined) this.#attempts.set(index, { ...before, unfinished: 0 })
  }

  #succeed(index: number): void {
    const { tally } = this.#options
    const goodUntil = this.#goodUntil(index)
    if (goodUntil !== undefined && goodUntil < this.#now) tally.expired++
    tally.issued++
    const { revokedAt } = this
    if (revokedAt !== undefined && this.#notBefore[index]! < revokedAt)
      tally.replaced((this.#now - revokedAt) / HOUR_MS)
    this.#attempts.delete(index)
    this.#spreadAt[index] = Number.NaN
    this.#receive(index, this.#now)
    if (!this.#options.keepsHerds) this.#spreadAt[index] = this.#earlyTime(index) ?? Number.NaN
  }

  #earlyTime(index: number): number | undefined {
    const { names: all, random } = this.#options
    const newcomer = { all, now: this.#now, dueAt: this.#dueByAge(index) }
    return this.#herd.joined(this.#names[index]!, newcomer, random)
  }

  #dueByAge(index: number): number {
    return expectedRenewal({ ...this.#factsOf(index)!, suggestedAt: undefined }, true)
  }

  #fail(index: number): void {
    const before = this.#attempts.get(index) ?? noAttempt('')
    this.#attempts.set(index, failed(before, { reason: '', retryAfterMs: 0 }, this.#now, this.#options.random))
  }

  /** A certificate is there, and its CA is asked at once when to renew it. */
  #receive(index: number, notBefore: number): void {
    this.#notBefore[index] = notBefore
    this.#fingerprint[index] = Math.floor(this.#options.random() * 2 ** 32)
    this.#windowStart[index] = Number.NaN
    this.#renewAt[index] = Number.NaN
    this.#askAt[index] = 0
    const name = this.#names[index]!
    if (this.#options.asksEach || this.#options.authority.isOut(this.#now)) this.#question(name, this.#now)
    else this.#takeAnswer(index)
  }

  #question(name: Name, at: number): void {
    const known = this.#questionOf.get(name.index)
    if (known !== undefined) this.#questions.remove(known)
    const question = { place: -1, at, name }
    this.#questionOf.set(name.index, question)
    this.#questions.add(question)
  }

  #ask(question: Question): void {
    const { name } = question
    const { index } = name
    this.#questions.remove(question)
    this.#questionOf.delete(index)
    const goodUntil = this.#goodUntil(index)
    if (goodUntil === undefined || goodUntil <= this.#now) return
    if (this.#outages.isOut(ISSUER.name)) return void this.#putOff.push(name)
    const isOut = this.#options.authority.isOut(this.#now)
    const before = this.#renewAt[index]!
    if (!isOut) this.#takeAnswer(index)
    if (before !== this.#renewAt[index]) this.#agenda.changed(name)
    if (isOut) return this.#question(name, unanswered('', this.#suggestionOf(index), this.#dice).askAt)
    if (this.#options.asksEach) this.#question(name, askAtOf(this.#suggestionOf(index), goodUntil, this.#now))
  }

  #takeAnswer(index: number): void {
    const { authority, tally } = this.#options
    const { start, end } = authority.window(index, this.#now)
    const info = { windowStart: start, windowEnd: end, retryAfterMs: undefined, explanationUrl: undefined }
    const suggestion = answered('', info, this.#suggestionOf(index), this.#dice)
    tally.questions++
    this.#windowStart[index] = start
    this.#windowEnd[index] = end
    this.#renewAt[index] = suggestion.renewAt!
    this.#askAt[index] = suggestion.askAt
  }

  #suggestionOf(index: number): Suggestion | undefined {
    const askAt = this.#askAt[index]!
    const renewAt = this.#renewAt[index]!
    return Number.isNaN(renewAt) ? undefined : { fingerprint: '', askAt, window: this.#windowOf(index), renewAt }
  }

  #windowOf(index: number): Window | undefined {
    const start = this.#windowStart[index]!
    return Number.isNaN(start) ? undefined : { start, end: this.#windowEnd[index]! }
  }

  #goodUntil(index: number): number | undefined {
    const notBefore = this.#notBefore[index]!
    return Number.isNaN(notBefore) ? undefined : notBefore + this.#options.lifetimeMs
  }

  #plan({ index }: Name, now: number): Step {
    const nextAt = this.#attempts.get(index)?.nextAt
    const notBefore = nextAt === undefined ? undefined : Math.min(nextAt, latestTryAt(now))
    const limit = () => this.#ledger.wait(this.#orderOf(index, now), now)
    const facts = { wanted: this.#wantedOf(index), held: this.#factsOf(index), authorityOf, notBefore, limit }
    const step = planNext(facts, now)
    const outage = this.#outages.holding([ISSUER.name])
    return outage === undefined ? step : planHeld(step, outage, now)
  }

  #orderOf(index: number, now: number): OrderFacts {
    return orderOf(this.#wantedOf(index), ISSUER, this.#formerOf(index), [], now)
  }

  #formerOf(index: number): Former | undefined {
    const obtainedAt = this.#notBefore[index]!
    if (Number.isNaN(obtainedAt)) return undefined
    const names = [this.#options.nameOf(index)]
    return { names, issuer: ISSUER.name, authority: DIRECTORY, obtainedAt, window: this.#windowOf(index) }
  }

  #wantedOf(index: number): WantedCertificate {
    const name = this.#options.nameOf(index)
    return { id: name, site: name, names: [name], keyKind: 'ecdsa-p256', mustStaple: false, issuers: [ISSUER.name] }
  }

  #factsOf(index: number): HeldFacts | undefined {
    const notBefore = this.#notBefore[index]!
    if (Number.isNaN(notBefore)) return undefined
    return {
      names: [this.#options.nameOf(index)],
      keyKind: 'ecdsa-p256',
      issuer: ISSUER.name,
      authority: DIRECTORY,
      notBefore,
      notAfter: notBefore + this.#options.lifetimeMs,
      obtainedAt: notBefore,
      suggestedAt: known(this.#renewAt[index]!),
      spreadAt: known(this.#spreadAt[index]!),
      mustStaple: false,
      fingerprint: this.#fingerprint[index]!.toString(16).padStart(8, '0'),
    }
  }
}

function authorityOf(): string {
  return DIRECTORY
}

function outOfOrder(): Error {
  return Object.assign(new Error('Nobody answers.'), { concernsCa: true })
}

function failureOf(outcome: 'unreachable' | 'refused' | 'invalid'): Error {
  return outcome === 'unreachable' ? outOfOrder() : new Error(`The order was ${outcome}.`)
}

function known(time: number): number | undefined {
  return Number.isNaN(time) ? undefined : time
}
