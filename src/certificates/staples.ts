import { describeError } from '../errors.ts'
import { type Certificate, isSignedBy } from '../pki/certificate.ts'
import { createOcspRequest } from '../pki/ocsp-request.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { Storage } from '../storage/storage.ts'
import { type Clock, pause } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import type { Attention } from './attention.ts'
import { type PackedCertificate, unpackChain } from './packed-certificate.ts'
import type { AskResponder } from './responder.ts'
import { spokenTime } from './spoken-time.ts'
import {
  acceptAnswer,
  type Certified,
  endingAt,
  isCurrent,
  loadAnswer,
  refreshAt,
  retryAt,
  STAPLES,
  type StapleAnswer,
  stapleKey,
  storeAnswer,
} from './staple-answer.ts'
import { type Ownership, StapleReport } from './staple-report.ts'

export type StaplesOptions = {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly askResponder: AskResponder
  readonly attention?: Attention
  /** Another staple is to be served with a certificate, or none any more, or one was revoked. */
  readonly onChange: () => void
  /** It has just become known. */
  readonly onRevoked: (fingerprint: string) => Promise<void>
}

/** A certificate that is served, as far as it matters here; of most, no more needs to be kept in memory. */
export type Stapled = {
  readonly certificate: Pick<Certificate, 'fingerprint' | 'ocspUrl' | 'mustStaple'>
  readonly packed: PackedCertificate
  readonly ownership: Ownership
}

/** `when` is how a sentence goes on: `at 2026-11-24T12:00:00Z (keyCompromise)`. */
export type Revocation = { readonly when: string }

/** How it stands with the staple of one certificate. */
type Item = Certified & {
  readonly ownership: Ownership
  /** The last that was good or revoked; it may be over. */
  answer: StapleAnswer | undefined
  /** When to ask next, and when that was settled. */
  askAt: number
  settledAt: number
  failures: number
  /** Why the last try failed, in words. */
  reason: string | undefined
  isAsking: boolean
  /** What the operator was last told. */
  told: 'nothing' | 'missing' | 'ending' | 'over'
  /** Until then the certificate waits for it, and another serves. */
  neededBy: number | undefined
  /** The first question has found its answer, or none. */
  readonly asked: PromiseWithResolvers<void>
  /** There is an answer, or there will be none. */
  readonly answered: PromiseWithResolvers<void>
}

/** Questions at a time: responders answer in milliseconds, and one that hangs does so for ten seconds. */
const MAX_CONCURRENT = 5
/** Even with nothing due it looks this often, as clocks are set and machines sleep. */
const MAX_SLEEP_MS = 60 * 60 * 1000
/** For the first staple of a certificate that must have one before it is served. */
const FIRST_WAIT_MS = 15_000

/**
 * The OCSP staples of all certificates that are served and name a responder (RFC 6066 §8): asked for at once, renewed
 * halfway to their end, kept over restarts, and served until they end. Others cost nothing.
 */
export class Staples {
  readonly #options: StaplesOptions
  readonly #items = new Map<string, Item>()
  /** Those that can have none, though they must. */
  readonly #impossible = new Set<string>()
  readonly #report: StapleReport
  readonly #asking = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  /** Aborted when it is time to look again. */
  #wake = new AbortController()

  constructor(options: StaplesOptions) {
    this.#options = options
    this.#report = new StapleReport(options.log, options.attention)
  }

  /** What is to be served with a certificate: DER in base64. Never what is over, or says that it was revoked. */
  staple({ fingerprint }: Pick<Certificate, 'fingerprint'>): string | undefined {
    return this.#good(fingerprint)?.response.toString('base64')
  }

  /** When that ends; undefined if there is none. */
  stapledUntil({ fingerprint }: Pick<Certificate, 'fingerprint'>): number | undefined {
    return this.#good(fingerprint)?.until
  }

  /** Whether it may have a staple and nobody has yet said how it stands with it. */
  isAwaited({ fingerprint }: Pick<Certificate, 'fingerprint'>): boolean {
    const item = this.#items.get(fingerprint)
    return item !== undefined && item.answer === undefined
  }

  /** undefined unless its CA said that it was revoked. */
  revocation({ fingerprint }: Pick<Certificate, 'fingerprint'>): Revocation | undefined {
    const status = this.#items.get(fingerprint)?.answer?.status
    if (status?.type !== 'revoked') return undefined
    const { revokedAt, reason } = status
    return { when: `at ${spokenTime(revokedAt)}${reason === undefined ? '' : ` (${reason})`}` }
  }

  /** Looks after these as well from now on; resolves when what is stored of them is known. Never rejects. */
  async add(certificates: readonly Stapled[]): Promise<void> {
    const fresh = certificates.flatMap((each) => this.#add(each) ?? [])
    if (fresh.length === 0) return
    await Promise.all(fresh.map((item) => this.#load(item)))
    this.#wake.abort()
  }

  /** Looks after no others than these any more, and forgets what is stored of others. Never rejects. */
  async keepOnly(certificates: readonly Pick<Stapled, 'certificate'>[]): Promise<void> {
    const { storage } = this.#options
    const kept = new Set(certificates.map(({ certificate }) => certificate.fingerprint))
    for (const [fingerprint, item] of this.#items) if (!kept.has(fingerprint)) this.#drop(item)
    for (const fingerprint of this.#impossible) if (!kept.has(fingerprint)) this.#dropImpossible(fingerprint)
    const stored = await storage.list(STAPLES).catch(() => [])
    const keys = new Set([...kept].map(stapleKey))
    for (const key of stored) if (!keys.has(key)) await storage.delete(key).catch(() => {})
  }

  /** Looks after these no longer; what is stored stays until the next `keepOnly`. */
  letGo(certificates: readonly Pick<Stapled, 'certificate'>[]): void {
    for (const { certificate } of certificates) {
      const item = this.#items.get(certificate.fingerprint)
      if (item !== undefined) this.#drop(item)
      if (this.#impossible.has(certificate.fingerprint)) this.#dropImpossible(certificate.fingerprint)
    }
  }

  /** Waits for the first answer, but not for long: whoever must have a staple is better not served before. */
  async first({ fingerprint }: Pick<Certificate, 'fingerprint'>): Promise<void> {
    const item = this.#items.get(fingerprint)
    if (item === undefined) return
    const inTime = new AbortController()
    const { clock } = this.#options
    const late = pause(clock, FIRST_WAIT_MS, inTime.signal, this.#stopping.signal)
    await Promise.race([item.asked.promise, late])
    inTime.abort()
  }

  /**
   * The certificate waits for its first staple while another serves, until this time; undefined: it waits no more. Towards
   * it, the responder is asked ever more often, and nobody is told that there is none.
   */
  need({ fingerprint }: Pick<Certificate, 'fingerprint'>, by: number | undefined): void {
    const item = this.#items.get(fingerprint)
    if (item !== undefined) item.neededBy = by
  }

  /** Resolves when there is an answer, or after so many milliseconds. */
  async answered({ fingerprint }: Pick<Certificate, 'fingerprint'>, forMs: number): Promise<void> {
    const item = this.#items.get(fingerprint)
    if (item === undefined) return
    const inTime = new AbortController()
    const late = pause(this.#options.clock, forMs, inTime.signal, this.#stopping.signal)
    await Promise.race([item.answered.promise, late])
    inTime.abort()
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Gives up what is under way, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await Promise.all(this.#asking)
  }

  #add({ certificate: { fingerprint, ocspUrl, mustStaple }, packed, ownership }: Stapled): Item | undefined {
    if (this.#items.has(fingerprint) || (ocspUrl === undefined && !mustStaple)) return undefined
    const [certificate, ...others] = unpackChain(packed)
    const issuer = ocspUrl === undefined ? undefined : others.find((other) => isSignedBy(certificate, other))
    if (issuer === undefined) {
      this.#sayImpossible(certificate)
      return undefined
    }
    const item: Item = {
      certificate,
      issuer,
      ownership,
      answer: undefined,
      askAt: Number.POSITIVE_INFINITY,
      settledAt: this.#options.clock.now(),
      failures: 0,
      reason: undefined,
      isAsking: false,
      told: 'nothing',
      neededBy: undefined,
      asked: Promise.withResolvers(),
      answered: Promise.withResolvers(),
    }
    this.#items.set(fingerprint, item)
    return item
  }

  #sayImpossible(certificate: Certificate): void {
    const { fingerprint, ocspUrl, mustStaple } = certificate
    if (!mustStaple || this.#impossible.has(fingerprint)) return
    this.#impossible.add(fingerprint)
    const why = ocspUrl === undefined ? 'it names no OCSP responder' : 'its chain lacks the certificate of its CA'
    this.#report.impossible(certificate, why)
  }

  /** A revocation is for ever, and anything else for as long as it says. */
  async #load(item: Item): Promise<void> {
    const { storage, clock, random } = this.#options
    const answer = await loadAnswer(storage, item).catch(() => undefined)
    if (!this.#isLookedAfter(item)) return
    const now = clock.now()
    const isFresh = answer !== undefined && isCurrent(answer, now)
    if (isFresh || answer?.status.type === 'revoked') item.answer = answer
    if (isFresh && answer.status.type === 'good') this.#options.attention?.stapled(item.certificate)
    const revocation = this.revocation(item.certificate)
    if (revocation !== undefined) this.#report.revoked(item.certificate, revocation.when, item.ownership)
    this.#settle(item, isFresh ? refreshAt(answer, answer.receivedAt, random) : now)
  }

  #good(fingerprint: string): StapleAnswer | undefined {
    const answer = this.#items.get(fingerprint)?.answer
    return answer?.status.type === 'good' && isCurrent(answer, this.#options.clock.now()) ? answer : undefined
  }

  #drop(item: Item): void {
    item.asked.resolve()
    item.answered.resolve()
    this.#items.delete(item.certificate.fingerprint)
    this.#options.attention?.dropped(item.certificate.fingerprint)
  }

  #dropImpossible(fingerprint: string): void {
    this.#impossible.delete(fingerprint)
    this.#options.attention?.dropped(fingerprint)
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      await pause(this.#options.clock, this.#startWhatIsDue(), this.#wake.signal, this.#stopping.signal)
    }
  }

  /** Gives the time until something else is due. */
  #startWhatIsDue(): number {
    const now = this.#options.clock.now()
    let next = now + MAX_SLEEP_MS
    let isChanged = false
    for (const item of this.#items.values()) {
      isChanged = this.#tellOfTime(item, now) || isChanged
      next = Math.min(next, alarmOf(item, now))
      if (item.isAsking) continue
      // Settled in the future: the clock was set back, and what was settled then means nothing now.
      const askAt = item.settledAt > now ? now : item.askAt
      if (askAt > now) next = Math.min(next, askAt)
      else if (this.#asking.size < MAX_CONCURRENT) this.#ask(item)
    }
    if (isChanged) this.#options.onChange()
    return next - now
  }

  /** Says when a staple is about to end, and when it has. Gives whether there is one less to serve. */
  #tellOfTime(item: Item, now: number): boolean {
    const { certificate, answer, told, reason } = item
    if (answer?.status.type !== 'good' || told === 'over') return false
    if (answer.until <= now) {
      item.told = 'over'
      this.#report.over(certificate, answer)
      return true
    }
    if (told === 'nothing' && endingAt(answer) <= now) {
      item.told = 'ending'
      this.#report.ending(certificate, answer, now, reason)
    }
    return false
  }

  #ask(item: Item): void {
    item.isAsking = true
    const asking = this.#question(item).finally(() => {
      item.isAsking = false
      item.asked.resolve()
      this.#asking.delete(asking)
      this.#wake.abort()
    })
    this.#asking.add(asking)
  }

  async #question(item: Item): Promise<void> {
    const { clock, askResponder } = this.#options
    const { certificate, issuer } = item
    const { signal } = this.#stopping
    try {
      const response = await askResponder(certificate.ocspUrl!, createOcspRequest(certificate, issuer), signal)
      const answer = acceptAnswer(response, item, clock.now())
      if (answer.status.type === 'unknown')
        throw new PkiError('ocsp-unknown', 'The responder does not know this certificate, or not yet.')
      if (this.#isLookedAfter(item)) await this.#take(item, answer)
    } catch (error) {
      // Of what is not served any more nobody wants to hear.
      if (!signal.aborted && this.#isLookedAfter(item)) this.#fail(item, error)
    }
  }

  /** A responder, or who stands between, may give again what it gave before, or what is older: that is no news. */
  async #take(item: Item, answer: StapleAnswer): Promise<void> {
    const { clock, random } = this.#options
    const { certificate, answer: before } = item
    item.failures = 0
    item.reason = undefined
    this.#settle(item, refreshAt(answer, clock.now(), random))
    if (before !== undefined && !isNewer(answer, before)) return
    item.answer = answer
    item.told = 'nothing'
    item.answered.resolve()
    // Ahead of the storage, which may be slow: what is lost in a crash is had anew.
    this.#options.onChange()
    await this.#save(item, answer)
    if (!this.#isLookedAfter(item)) return
    if (answer.status.type === 'revoked' && before?.status.type !== 'revoked') await this.#sayRevoked(item)
    if (answer.status.type === 'good') this.#report.received(certificate, answer, before?.status.type !== 'good')
  }

  #isLookedAfter(item: Item): boolean {
    return this.#items.get(item.certificate.fingerprint) === item
  }

  async #sayRevoked({ certificate, ownership }: Item): Promise<void> {
    this.#report.revoked(certificate, this.revocation(certificate)!.when, ownership)
    await this.#options.onRevoked(certificate.fingerprint)
  }

  #fail(item: Item, error: unknown): void {
    const { clock, random } = this.#options
    const { certificate, answer } = item
    const now = clock.now()
    item.failures++
    item.reason = describeError(error)
    this.#settle(item, retryAt(item.failures, { answer, neededBy: item.neededBy }, now, random))
    // A responder often learns of a new certificate a little later than we do.
    const isSoon = item.failures < (certificate.mustStaple ? 1 : 2)
    const isMissed = answer === undefined && !isSoon && item.neededBy === undefined && item.told === 'nothing'
    if (isMissed) item.told = 'missing'
    this.#report.failed(certificate, error, { isMissed, waitMs: item.askAt - now })
  }

  #settle(item: Item, askAt: number): void {
    item.askAt = askAt
    item.settledAt = this.#options.clock.now()
  }

  /** Not worth a word if it cannot be stored: it is asked anew after a restart. */
  async #save(item: Item, answer: StapleAnswer): Promise<void> {
    await storeAnswer(this.#options.storage, item, answer).catch((error) =>
      this.#report.notStored(item.certificate, error),
    )
  }
}

/** A revocation counts whenever it was said; that it is none any more (a hold that ended) must be the later word. */
function isNewer(answer: StapleAnswer, before: StapleAnswer): boolean {
  if (answer.status.type === before.status.type) return answer.until > before.until
  return answer.status.type === 'revoked' || answer.thisUpdate > before.thisUpdate
}

/** When there will be something to say of it. */
function alarmOf({ answer, told }: Item, now: number): number {
  if (answer?.status.type !== 'good' || told === 'over') return Number.POSITIVE_INFINITY
  const ending = endingAt(answer)
  return told === 'nothing' && ending > now ? ending : answer.until
}
