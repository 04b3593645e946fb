import { asSentence, describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Clock } from '../system/clock.ts'
import { jittered, type Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import type { Attention, HeldBack, OutOfOrder } from './attention.ts'
import { concernsCa, isForesight, type OutageReport, retryAfterOf } from './outage.ts'
import { spokenDuration, spokenTime } from './spoken-time.ts'

type Outage = {
  readonly issuer: Issuer
  readonly since: number
  reason: string
  /** Failures in a row, that of the order that it began with included. */
  failures: number
  probeAt: number
  /** `answering`: a probe went well, and one order shows whether all is well. */
  phase: 'waiting' | 'probing' | 'answering'
  /** Ids of certificates that are ordered all the same. */
  readonly admitted: Set<string>
}

export type OutagesOptions = {
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Called when an order may go to a CA again, or the next one. */
  readonly onOpen: () => void
  readonly attention?: Pick<Attention, 'outOfOrder' | 'answersAgain'>
  /** When the first certificate ends that is to be renewed by an issuer, in ms since 1970; Infinity if none does. */
  readonly nextEnd: (issuer: string) => number
  /** The certificates that wait for its end. */
  readonly heldBack: (outage: OutOfOrder) => readonly HeldBack[]
}

const MINUTE_MS = 60 * 1000
const HOUR_MS = 60 * MINUTE_MS
/** A probe costs a CA that lies on the ground next to nothing, and an hour is little of most lifetimes. */
const FIRST_PAUSE_MS = MINUTE_MS
const LONGEST_PAUSE_MS = HOUR_MS
/** Of what the certificate has left that ends first: where they live for hours, the outage may be over in time for it. */
const LARGEST_PART_OF_REST = 1 / 4
/** Of each pause, up or down: thousands of programs saw the same outage begin. */
const JITTER = 0.1
/** A CA's own word is waited for up to this. */
const MAX_WAIT_MS = 24 * HOUR_MS * (1 + JITTER)

/**
 * CAs that are out of order: nobody answers, or not as a CA does. That is one incident for all certificates of a CA, and no
 * failure of any. While it lasts nothing is ordered there, and a probe now and then, which asks for no certificate, shows
 * when that may be tried again: then one goes first, and the others when it was answered.
 */
export class Outages {
  readonly #options: OutagesOptions
  /** By authority: two issuers may be the same CA. */
  readonly #outages = new Map<string, Outage>()
  /** By authority: ids of certificates that met this CA out of order last, and as the how manyth that was. */
  readonly #suspects = new Map<string, Map<string, number>>()
  #met = 0
  readonly #probing = new Set<Promise<void>>()

  constructor(options: OutagesOptions) {
    this.#options = options
  }

  /** Whether this CA is out of order, as far as is known. */
  isOut(issuer: string): boolean {
    return this.#of(issuer) !== undefined
  }

  /** Whether a new order may go there. */
  isOpen(issuer: string): boolean {
    const outage = this.#of(issuer)
    return outage === undefined || (outage.phase === 'answering' && outage.admitted.size === 0)
  }

  /** What keeps a certificate of these issuers from being ordered; the one that is looked at first. */
  holding(issuers: readonly string[]): OutageReport | undefined {
    if (issuers.some((issuer) => this.isOpen(issuer))) return undefined
    const [first] = issuers.map((issuer) => this.#of(issuer)!).toSorted((a, b) => a.probeAt - b.probeAt)
    const { issuer, since, reason, probeAt } = first!
    return { issuer: issuer.name, since, reason, probeAt }
  }

  /**
   * Whether a certificate may be asked for there, which is then as good as begun. `isForced` for one that an operator wants
   * now.
   */
  admit(issuer: string, id: string, { isForced = false } = {}): boolean {
    const outage = this.#of(issuer)
    if (isForced || this.isOpen(issuer)) outage?.admitted.add(id)
    return outage === undefined || outage.admitted.has(id)
  }

  /** Its order is over, however it ended. */
  release(id: string): void {
    for (const { admitted, phase } of this.#outages.values())
      if (admitted.delete(id) && phase === 'answering') this.#options.onOpen()
  }

  /**
   * Who met an outage last goes last while it lasts, for it may be what the CA breaks down over: the greater is the later,
   * and 0 is for those that did not.
   */
  suspicion(issuer: string, id: string): number {
    return this.isOut(issuer) ? (this.#suspectsOf(issuer).get(id) ?? 0) : 0
  }

  /** It is not wanted any more. */
  forget(id: string): void {
    for (const suspects of this.#suspects.values()) suspects.delete(id)
  }

  /** Notes what an order met. Gives whether that was the CA's outage, and no failure of the certificate. */
  failed(issuer: string, id: string, error: unknown): boolean {
    if (!concernsCa(error)) {
      if (!isForesight(error)) this.answered(issuer, id)
      return false
    }
    const outage = this.#of(issuer)
    const suspects = this.#suspectsOf(issuer)
    // The CA has been well for others since it last met this one.
    if (outage === undefined && suspects.has(id)) return false
    suspects.set(id, ++this.#met)
    if (outage === undefined) this.#begin(this.#options.issuers.get(issuer)!, error)
    else if (outage.admitted.has(id)) this.#prolong(outage, error)
    return true
  }

  /** The CA has dealt with an order as CAs do. */
  answered(issuer: string, id: string): void {
    this.#suspectsOf(issuer).delete(id)
    const outage = this.#of(issuer)
    if (outage !== undefined) this.#end(outage)
  }

  /** Where a probe went well and nobody wants anything of a CA, that is the end of its outage. */
  endUnless(isWanted: (issuer: string) => boolean): void {
    for (const outage of this.#outages.values())
      if (outage.phase === 'answering' && outage.admitted.size === 0 && !isWanted(outage.issuer.name)) this.#end(outage)
  }

  /** Looks again at CAs when it is time. `onEnd` is called when one has. Gives the time at which the next is due. */
  probeWhatIsDue(now: number, signal: AbortSignal, onEnd: () => void): number {
    let next = Number.POSITIVE_INFINITY
    for (const outage of this.#outages.values()) {
      if (outage.phase !== 'waiting') continue
      // Further ahead than it was ever set: the clock was set back.
      if (outage.probeAt > now && outage.probeAt <= now + MAX_WAIT_MS) next = Math.min(next, outage.probeAt)
      else this.#startProbe(outage, signal, onEnd)
    }
    return next
  }

  /** Resolves when no probe is under way. */
  async idle(): Promise<void> {
    await Promise.all(this.#probing)
  }

  #startProbe(outage: Outage, signal: AbortSignal, onEnd: () => void): void {
    outage.phase = 'probing'
    const probing = this.#probe(outage, signal).finally(() => {
      this.#probing.delete(probing)
      onEnd()
    })
    this.#probing.add(probing)
  }

  async #probe(outage: Outage, signal: AbortSignal): Promise<void> {
    try {
      await outage.issuer.probe?.(signal)
    } catch (error) {
      if (concernsCa(error)) return this.#prolong(outage, error)
    }
    outage.phase = 'answering'
    this.#options.onOpen()
  }

  #begin(issuer: Issuer, error: unknown): void {
    const { clock, log } = this.#options
    const since = clock.now()
    const reason = describeError(error)
    const times = { since, probeAt: this.#nextProbe(issuer, 1, error) }
    this.#outages.set(issuer.authority, {
      issuer,
      reason,
      failures: 1,
      ...times,
      phase: 'waiting',
      admitted: new Set(),
    })
    const message = `${issuer.name} is out of order: ${asSentence(reason)} Until it answers again nothing is ordered there, and that counts as no certificate's failure. It is looked at again in ${spokenDuration(times.probeAt - since)}, and then ever more rarely.`
    log.warn('ca-out-of-order', message, { issuer: issuer.name, authority: issuer.authority })
    this.#tellOf(this.#outages.get(issuer.authority)!, error)
  }

  #prolong(outage: Outage, error: unknown): void {
    outage.failures++
    outage.reason = describeError(error)
    outage.probeAt = this.#nextProbe(outage.issuer, outage.failures, error)
    outage.phase = 'waiting'
    this.#tellOf(outage, error)
  }

  #tellOf({ issuer, since, reason, failures, probeAt }: Outage, error: unknown): void {
    const { attention, heldBack } = this.#options
    const outage = { issuer: issuer.name, since, reason, failures, probeAt, error }
    attention?.outOfOrder(outage, () => heldBack(outage))
  }

  #end({ issuer, since }: Outage): void {
    const { clock, log } = this.#options
    this.#outages.delete(issuer.authority)
    const message = `${issuer.name} answers again, after ${spokenDuration(clock.now() - since)}.`
    log.info('ca-answers-again', message, {
      issuer: issuer.name,
      authority: issuer.authority,
      since: spokenTime(since),
    })
    this.#options.attention?.answersAgain(issuer.name)
    this.#options.onOpen()
  }

  #nextProbe({ name }: Issuer, failures: number, error: unknown): number {
    const { clock, random, nextEnd } = this.#options
    const now = clock.now()
    const longest = Math.min(LONGEST_PAUSE_MS, (nextEnd(name) - now) * LARGEST_PART_OF_REST)
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), Math.max(longest, FIRST_PAUSE_MS))
    const wait = Math.max(jittered(pause, JITTER, random), retryAfterOf(error))
    return Math.round(now + Math.min(wait, MAX_WAIT_MS))
  }

  #suspectsOf(issuer: string): Map<string, number> {
    const { authority } = this.#options.issuers.get(issuer)!
    const suspects = this.#suspects.get(authority) ?? new Map<string, number>()
    this.#suspects.set(authority, suspects)
    return suspects
  }

  #of(issuer: string): Outage | undefined {
    const authority = this.#options.issuers.get(issuer)?.authority
    return authority === undefined ? undefined : this.#outages.get(authority)
  }
}
