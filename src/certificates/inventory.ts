import type { Issuer, IssuerIdentity } from '../issuers/issuer.ts'
import { accountKeyFingerprints } from '../issuers/stored-accounts.ts'
import { coversName } from '../pki/certificate.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { type Entry, newEntry } from './agenda.ts'
import { Attempts } from './attempts.ts'
import type { Placed } from './heap.ts'
import { type HerdMember, UNCOUNTED } from './herd.ts'
import type { Leaf } from './leaf.ts'
import { Ledger } from './ledger/ledger.ts'
import type { Limits } from './ledger/limits.ts'
import type { Balance, OrderFacts, Wait } from './ledger/order-facts.ts'
import { type Former, orderOf, waitOfAll } from './ledger/order-of.ts'
import { LeftOutNames } from './left-out-names.ts'
import { describeOutage, type OutageReport, planHeld } from './outage.ts'
import type { Outages } from './outages.ts'
import { SharedIssuers } from './packed-certificate.ts'
import { isOnDemandId } from './place.ts'
import { type HeldFacts, isDue, isOrder, planNext, type Step } from './plan.ts'
import type { Progress } from './progress.ts'
import { factsOfStored, loadCertificate, type StoredCertificate } from './record.ts'
import { type CertificateReport, reportOf } from './report.ts'
import { describePause } from './spoken-pause.ts'
import { spokenTime } from './spoken-time.ts'
import { EarlyRenewals, earliest } from './spread.ts'
import { findStandIns, type StandIn } from './stand-ins.ts'
import type { CertificatesState, ServableCertificate } from './state.ts'
import { Suggestions } from './suggestions.ts'
import type { Trials } from './trials.ts'
import type { WantedCertificate } from './wanted.ts'
import type { Wish } from './wish.ts'

export type InventoryOptions = {
  readonly wanted: readonly WantedCertificate[]
  /** Every issuer that a wanted certificate names. */
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The rate limits that a CA publishes, by its directory; those that are known unless given. */
  readonly limitsOf?: ((authority: string) => Limits) | undefined
  /** What was spent of them, where somebody keeps count already. */
  readonly ledger?: Ledger | undefined
}

/** When a certificate was revoked and why, as `at …`; undefined if it was not, as far as is known. */
export type RevocationOf = (certificate: Leaf) => string | undefined

/** Who else has a say in what is to be done. */
export type Judges = {
  readonly revocationOf: RevocationOf
  readonly outages: Outages
  readonly trials: Pick<Trials, 'wait'>
}

/** One certificate that should exist, and how it stands with it. */
export type Item = Entry &
  HerdMember & {
    readonly wanted: WantedCertificate
    /** Equal for certificates of the same names. */
    readonly names: string
    held: StoredCertificate | undefined
    /** What serves its names as long as it is not there, or lacks them. */
    standIns: readonly StandIn[]
    /** It serves, but could not be stored: when to try again. */
    saveAgainAt: number | undefined
    /** Since when it is being ordered. */
    orderedSince: number | undefined
    /** When its CA is asked next when to renew it; nowhere while that is being asked. */
    readonly question: Question
    /** What an operator has asked for it, until that has come to its end. */
    wish: Wish | undefined
  }

export type Question = Placed & { readonly item: Item; at: number }

/** So that the storage works on some while others are parsed. */
const LOADED_AT_ONCE = 16

/** Every certificate that should exist, what there is of it, and what follows from that. */
export class Inventory {
  readonly attempts: Attempts
  readonly suggestions: Suggestions
  readonly ledger: Ledger
  readonly early: EarlyRenewals
  readonly leftOut: LeftOutNames
  readonly #options: InventoryOptions
  /** By their names. */
  readonly #siblings = new Map<string, Item[]>()
  readonly #judges: Judges
  readonly #issuers = new SharedIssuers()
  /** By the fingerprint of what they hold, where that can be found to be revoked. */
  readonly #revocable = new Map<string, Item[]>()
  #items: Item[]
  #accountKeys: ReadonlySet<string> = new Set()

  constructor(options: InventoryOptions, progress: Progress, judges: Judges) {
    this.#options = options
    this.#judges = judges
    this.#items = options.wanted.map(itemFor)
    this.attempts = new Attempts(options)
    this.suggestions = new Suggestions(options)
    this.ledger = options.ledger ?? new Ledger(options)
    this.early = new EarlyRenewals(options)
    this.leftOut = new LeftOutNames({ ...options, progress, siblingsOf: (wanted) => this.#alikeOf(wanted) })
    for (const item of this.#items) this.#addSibling(item)
  }

  /** Those for other keys, of the same names from the same issuers. */
  #alikeOf({ id, names, issuers }: WantedCertificate): WantedCertificate[] {
    const all = this.#siblings.get(sorted(names)) ?? []
    return all.map(({ wanted }) => wanted).filter((other) => other.id !== id && other.issuers.join() === issuers.join())
  }

  /** Takes up what the storage holds. Throws StorageError `storage-unreadable`. */
  async load(): Promise<void> {
    const { storage, issuers } = this.#options
    if (this.#options.ledger === undefined) await this.ledger.load()
    await this.early.load()
    this.#accountKeys = await accountKeyFingerprints(storage)
    for (let start = 0; start < this.items.length; start += LOADED_AT_ONCE)
      await Promise.all(this.items.slice(start, start + LOADED_AT_ONCE).map((item) => this.#load(item)))
    const circumstances = this.items.map(({ wanted }) => [wanted.id, circumstancesOf(wanted, issuers)] as const)
    await this.attempts.load(new Map(circumstances))
    await this.suggestions.load(new Set(this.items.map(({ wanted }) => wanted.id)))
    await this.leftOut.load(this.items.map(({ wanted }) => wanted))
    await this.#loadStandIns()
  }

  async #load(item: Item): Promise<void> {
    const { storage, log } = this.#options
    const stored = await loadCertificate(storage, item.wanted.id, log, this.#accountKeys)
    if (stored !== undefined) this.hold(item, stored)
  }

  get items(): readonly Item[] {
    return this.#items
  }

  /** Takes up more that is wanted from now on, with what the storage holds of it. Throws StorageError `storage-unreadable`. */
  async add(wanted: readonly WantedCertificate[]): Promise<Item[]> {
    const items = wanted.map(itemFor)
    // A client waits for it: one reading after the other would take as long as all of them.
    await Promise.all(items.map((item) => this.#take(item)))
    for (const item of items) this.#addSibling(item)
    this.#items.push(...items)
    return items
  }

  /** Takes up anew what the storage has of the tries for it, which somebody else made. Throws StorageError `storage-unreadable`. */
  async recall({ wanted }: Item): Promise<void> {
    this.attempts.letGo(wanted.id)
    this.suggestions.letGo(wanted.id)
    await this.attempts.take(wanted.id, circumstancesOf(wanted, this.#options.issuers))
    await this.suggestions.take(wanted.id)
    await this.leftOut.load([wanted])
  }

  async #take(item: Item): Promise<void> {
    const { id } = item.wanted
    await Promise.all([
      this.#load(item),
      this.attempts.take(id, circumstancesOf(item.wanted, this.#options.issuers)),
      this.suggestions.take(id),
    ])
  }

  /** What is stored of them stays. */
  remove(items: ReadonlySet<Item>): void {
    for (const item of items) {
      const { wanted, names } = item
      this.#forgetHolder(item)
      this.attempts.letGo(wanted.id)
      this.suggestions.letGo(wanted.id)
      const left = this.#siblings.get(names)?.filter((sibling) => !items.has(sibling)) ?? []
      if (left.length === 0) this.#siblings.delete(names)
      else this.#siblings.set(names, left)
    }
    this.#items = this.#items.filter((item) => !items.has(item))
  }

  /** From now on this is what there is of it. */
  hold(item: Item, stored: StoredCertificate): void {
    this.#forgetHolder(item)
    item.held = { ...stored, packed: this.#issuers.share(stored.packed) }
    const { fingerprint, ocspUrl } = stored.certificate
    if (ocspUrl !== undefined) this.#revocable.set(fingerprint, [...(this.#revocable.get(fingerprint) ?? []), item])
  }

  /** From now on there is none of it. */
  drop(item: Item): void {
    this.#forgetHolder(item)
    item.held = undefined
  }

  /** Those whose certificate this is; only of certificates that name a responder. */
  holdersOf(fingerprint: string): readonly Item[] {
    return this.#revocable.get(fingerprint) ?? []
  }

  #forgetHolder(item: Item): void {
    const fingerprint = item.held?.certificate.fingerprint
    const holders = fingerprint === undefined ? undefined : this.#revocable.get(fingerprint)
    if (holders === undefined) return
    const others = holders.filter((holder) => holder !== item)
    if (others.length > 0) this.#revocable.set(fingerprint!, others)
    else this.#revocable.delete(fingerprint!)
  }

  #addSibling(item: Item): void {
    const siblings = this.#siblings.get(item.names)
    if (siblings === undefined) this.#siblings.set(item.names, [item])
    else siblings.push(item)
  }

  /** The keys of accounts at CAs, by their fingerprints, when this was loaded. */
  get accountKeys(): ReadonlySet<string> {
    return this.#accountKeys
  }

  async #loadStandIns(): Promise<void> {
    const { storage, clock, log } = this.#options
    const lacking = this.items.map(({ wanted, held }) => ({ ...wanted, names: namesLacking(wanted, held) }))
    const whole = new Set(lacking.filter(({ names }) => names.length === 0).map(({ id }) => id))
    const found = await findStandIns(storage, lacking, (id) => whole.has(id), { log, now: clock.now() })
    for (const item of this.items) item.standIns = found.get(item.wanted.id) ?? []
  }

  /** What is to be done about it, now or later. */
  stepFor(item: Item, now: number): Step {
    const { wanted, wish } = item
    const authorityOf = (name: string): string | undefined => this.#options.issuers.get(name)?.authority
    const { attempts, leftOut } = this
    const facts = {
      wanted: leftOut.remaining(wanted, now, item.held?.names),
      held: this.factsOf(item),
      authorityOf,
      askedAt: wish?.isRenewal === true ? wish.at : undefined,
    }
    const backAt = leftOut.nextAt(wanted.id)
    const tries = { notBefore: attempts.nextAt(wanted.id), unpauseUrl: attempts.unpauseUrl(wanted.id), backAt }
    const waits = {
      limit: () => this.#waitOf(item, now),
      // Who wants it now need not wait for others to be tried first.
      trial: () => (wish === undefined ? this.#judges.trials.wait(item, now) : undefined),
    }
    const step = planNext({ ...facts, ...tries, ...waits }, now)
    const outage = this.outageFor(item)
    return outage === undefined ? step : planHeld(step, outage, now)
  }

  /** What the plan looks at of what is held. */
  factsOf({ wanted: { id }, held }: Item): HeldFacts | undefined {
    if (held === undefined) return undefined
    const { certificate } = held
    const facts = factsOfStored(held, this.suggestions.renewAt(id, held), this.#judges.revocationOf(certificate))
    return { ...facts, spreadAt: earliest(facts.spreadAt, this.early.of(id, certificate.fingerprint)) }
  }

  /** The others of the same names. */
  siblingsOf(item: Item): readonly Item[] {
    return this.#siblings.get(item.names)!.filter((other) => other !== item)
  }

  /** Those for other keys that would be ordered now, for the same names and from the same issuers. */
  dueSiblingsOf(item: Item, now: number): Item[] {
    const issuers = item.wanted.issuers.join()
    const isMet = (other: Item): boolean =>
      other.wanted.issuers.join() === issuers && isDue(this.stepFor(other, now), now)
    return this.siblingsOf(item).filter(isMet)
  }

  /** It is put off after a failure, lacks a name, is paused by its CA, or that is out of order. */
  isWaiting(item: Item, now: number): boolean {
    const { id } = item.wanted
    const isPutOff = (this.attempts.nextAt(id) ?? 0) > now || (this.leftOut.nextAt(id) ?? 0) > now
    if (isPutOff) return true
    const isHeld = this.outageFor(item) !== undefined
    const isPaused = this.attempts.unpauseUrl(id) !== undefined
    return (isHeld || isPaused) && this.stepFor(item, now).type !== 'keep'
  }

  /** What keeps it from being ordered. An operator who wants it now need not wait for a CA to be well again. */
  outageFor({ wanted, wish }: Item): OutageReport | undefined {
    return wish === undefined ? this.#judges.outages.holding(wanted.issuers) : undefined
  }

  /** Those that may be asked for it now, in order of preference: a CA that is out of order only if an operator wants it. */
  issuersFor({ wanted, wish }: Item): readonly Issuer[] {
    const names = wanted.issuers.filter((name) => wish !== undefined || this.#judges.outages.isOpen(name))
    return names.map((name) => this.#options.issuers.get(name)!)
  }

  /** How this issuer's CA would count an order of it now: without the names that it has to do without. */
  orderOf(item: Item, issuer: Issuer, now: number): OrderFacts {
    const others = this.siblingsOf(item).flatMap((other) => this.#formerOf(other) ?? [])
    return orderOf(this.leftOut.remaining(item.wanted, now), issuer, this.#formerOf(item), others, now)
  }

  /** What the rate limits leave for it at the issuer that is asked first. */
  leftFor(item: Item, now: number): Balance[] {
    const issuer = this.#options.issuers.get(item.wanted.issuers[0]!)
    return issuer === undefined ? [] : this.ledger.limits.leftFor(this.orderOf(item, issuer, now), now)
  }

  #formerOf({ wanted: { id }, held }: Item): Former | undefined {
    return held && { ...held, window: this.suggestions.of(id, held)?.window }
  }

  #waitOf(item: Item, now: number): Wait | undefined {
    const issuers = this.issuersFor(item)
    if (issuers.length === 0) return undefined
    return waitOfAll(
      issuers.map((issuer) => this.ledger.limits.wait(this.orderOf(item, issuer, now), now)),
      now,
    )
  }

  /** What is served. */
  get held(): ServableCertificate[] {
    return this.items.flatMap(servedBy)
  }

  /** The names of sites that nothing is served for, and why. */
  get waiting(): CertificatesState['waiting'] {
    const served = new Set(this.held.flatMap(({ names }) => names))
    return this.items
      .filter(({ wanted: { id, names } }) => !isOnDemandId(id) && names.some((name) => !served.has(name)))
      .map((item) => ({ names: item.wanted.names.filter((name) => !served.has(name)), reason: this.#reasonOf(item) }))
  }

  /** @param isFull with the chain. */
  report(item: Item, isFull: boolean): CertificateReport {
    const { wanted, held, standIns, saveAgainAt, orderedSince } = item
    const step = this.stepFor(item, this.#options.clock.now())
    const attempt = this.attempts.of(wanted.id)
    const suggestion = held && this.suggestions.of(wanted.id, held)
    const leftOut = this.leftOut.of(wanted.id)
    const facts = { isUnstored: saveAgainAt !== undefined, leftOut, outage: this.outageFor(item), fault: undefined }
    return reportOf({ wanted, held, standIns, orderedSince, step, attempt, suggestion, ...facts }, isFull)
  }

  #reasonOf(item: Item): string {
    const { wanted, orderedSince } = item
    const leftOut = this.leftOut.of(wanted.id)
    if (leftOut.length > 0) {
      const reasons = leftOut.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
      return `the others have theirs without it (${reasons}), and it is asked for again at ${spokenTime(this.leftOut.nextAt(wanted.id)!)}`
    }
    const issuers = wanted.issuers.join(' or ')
    const failure = this.attempts.reason(wanted.id)
    if (orderedSince !== undefined) {
      const before = failure === undefined ? '' : `, after the last try failed (${failure})`
      return `it is being ordered from ${issuers} since ${spokenTime(orderedSince)}${before}`
    }
    const unpauseUrl = this.attempts.unpauseUrl(wanted.id)
    if (unpauseUrl !== undefined) return describePause(wanted, unpauseUrl)
    const outage = this.outageFor(item)
    if (outage !== undefined) return `it waits for the CA: ${describeOutage(outage)}`
    const now = this.#options.clock.now()
    const nextAt = this.attempts.nextAt(wanted.id) ?? 0
    if (nextAt <= now) {
      const step = this.stepFor(item, now)
      return isOrder(step) && step.limit !== undefined
        ? `it ${step.because}`
        : `it is about to be ordered from ${issuers}`
    }
    const last = failure === undefined ? 'the last tries were cut short' : `the last try failed (${failure})`
    return `${last} and the next is at ${spokenTime(nextAt)}`
  }
}

function sorted(names: readonly string[]): string {
  return [...names].sort().join()
}

function namesLacking({ names }: WantedCertificate, held: StoredCertificate | undefined): readonly string[] {
  if (held === undefined) return names
  // Of what it was asked for none is missing, which is so but where names were left out.
  if (held.names.length >= names.length) return []
  return names.filter((name) => !coversName(held.certificate.names, name))
}

function itemFor(wanted: WantedCertificate): Item {
  const item: Item = {
    ...newEntry(),
    span: UNCOUNTED,
    wanted,
    names: sorted(wanted.names),
    held: undefined,
    standIns: [],
    saveAgainAt: undefined,
    orderedSince: undefined,
    question: {
      place: -1,
      at: 0,
      get item() {
        return item
      },
    },
    wish: undefined,
  }
  return item
}

/** What serves for it: itself, for those of the wanted names that it is good for, and for the others what stands in. */
export function servedBy({ wanted, held, standIns }: Item): ServableCertificate[] {
  const others = standIns.map(({ stored, names }) => toHeld(wanted, stored, names))
  if (held === undefined) return others
  const names = wanted.names.filter((name) => coversName(held.certificate.names, name))
  return [toHeld(wanted, held, names), ...others]
}

/** One that stands in for several serves other names for each, so its fingerprint alone does not tell them apart. */
function toHeld({ id }: WantedCertificate, stored: StoredCertificate, names: readonly string[]): ServableCertificate {
  const { certificate, packed } = stored
  return { id: `${id}:${certificate.fingerprint}`, names, packed, certificate, ownership: 'issued' }
}

/** Who would be asked, and as what. */
export function circumstancesOf(
  { issuers, mustStaple }: WantedCertificate,
  byName: ReadonlyMap<string, IssuerIdentity>,
): string {
  const asked = issuers.map((name) => `${name}:${byName.get(name)?.settings}`).join()
  return mustStaple ? `${asked} must-staple` : asked
}
