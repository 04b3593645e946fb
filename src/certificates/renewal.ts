import type { RevocationReason } from '../acme/revocation.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { pause } from '../system/clock.ts'
import { AddedCertificates, heldOf } from './added.ts'
import { Agenda } from './agenda.ts'
import { agendaRules, ordersAtOnce } from './agenda-rules.ts'
import { type Attention, noAttention } from './attention.ts'
import { ByHand } from './by-hand.ts'
import { CaWatch } from './ca-watch.ts'
import type { CertificatesOptions } from './certificates-options.ts'
import { Dormant } from './dormant.ts'
import { Handover } from './handover.ts'
import { Inventory, type Item, type RevocationOf } from './inventory.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { Balance } from './ledger/order-facts.ts'
import { LimitedRenewals } from './limited-renewals.ts'
import { Ordering } from './ordering.ts'
import { Outages } from './outages.ts'
import { OwnCertificates } from './own-files.ts'
import { isOnDemandId } from './place.ts'
import { Placement } from './placement.ts'
import type { Order } from './plan.ts'
import { Progress } from './progress.ts'
import type { Expected, Prove } from './proof.ts'
import { Questions } from './questions.ts'
import type { StoredCertificate } from './record.ts'
import type { CertificateReport } from './report.ts'
import { type Spread, spreadRenewals } from './spread-renewals.ts'
import { heldBackBy, nextEndAt, standingOf } from './standing.ts'
import { Staples } from './staples.ts'
import type { CertificatesState, ServableCertificate } from './state.ts'
import { Trials, trialOf } from './trials.ts'
import { Unsaved } from './unsaved.ts'
import { type Asked, conclude, type Selection } from './wish.ts'

/** Even with nothing due it looks this often, as clocks are set and machines sleep. */
const MAX_SLEEP_MS = 60 * 60 * 1000
const OWN_FILES_INTERVAL_MS = 10_000
/** A clock that is corrected by less makes no certificate late. */
const CLOCK_STEP_MS = 60_000

/**
 * Loads what the storage holds, and from then on sees to it that every wanted certificate exists and is renewed in time.
 * Throws StorageError `storage-unreadable`.
 */
export async function startCertificates(options: CertificatesOptions): Promise<Certificates> {
  const certificates = await loadCertificates(options)
  certificates.start()
  return certificates
}

/** The same, but nothing is ordered before `start` or, where there is a former, its `handOver`. */
export async function loadCertificates(options: CertificatesOptions): Promise<Certificates> {
  const certificates = new Certificates(options)
  await certificates.load(options.former)
  return certificates
}

/** The certificates of this program. A certificate that cannot be renewed serves on; nothing is taken away before its successor is there. */
export class Certificates {
  /** Those that come and go while it runs. */
  readonly added: AddedCertificates
  readonly #options: CertificatesOptions
  readonly #inventory: Inventory
  readonly #agenda: Agenda<Item>
  readonly #outages: Outages
  readonly #questions: Questions
  readonly #unsaved: Unsaved
  readonly #own: OwnCertificates
  readonly #staples: Staples
  readonly #placement: Placement
  readonly #byHand: ByHand
  readonly #work: Ordering
  readonly #trials: Trials
  readonly #limited: LimitedRenewals
  readonly #attention: Attention
  readonly #handover: Handover
  readonly #stopping = new AbortController()
  /** Aborted when nothing is begun any more, be it that the program stops or that somebody else takes over. */
  readonly #leaving = new AbortController()
  readonly #ordering = new Map<Item, Promise<void>>()
  readonly #hasFormer: boolean
  /** Nothing is begun for the moment. */
  #isResting = false
  #successor: Certificates | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #running: Promise<unknown> = Promise.resolve()
  /** Aborted when it is time to look again. */
  #wake = new AbortController()

  /** The former is kept nowhere: it would keep the one before it. */
  constructor({ former, ...options }: CertificatesOptions) {
    const { ownFiles, clock, log, attention = noAttention } = options
    this.#options = options
    this.#attention = attention
    this.#isResting = former !== undefined
    this.#hasFormer = former !== undefined
    const { signal } = this.#stopping
    signal.addEventListener('abort', () => this.#leaving.abort(), { once: true })
    const progress = new Progress(log, clock)
    const trials = new Trials(log, clock)
    this.#trials = trials
    const outages = new Outages({
      ...options,
      onOpen: () => this.#reopen(),
      nextEnd: (issuer) => nextEndAt(issuer, this.#inventory, clock.now()),
      heldBack: (outage) => heldBackBy(outage, this.#inventory, clock.now()),
    })
    this.#outages = outages
    const revocationOf: RevocationOf = (certificate) => this.#staples.revocation(certificate)?.when
    const ledger = former === undefined ? undefined : former.#ledgerFor(options)
    const inventory = new Inventory({ ...options, ledger }, progress, { revocationOf, outages, trials })
    this.#inventory = inventory
    const formerOwn = former === undefined ? undefined : former.#own
    const own = new OwnCertificates(ownFiles, clock, log, attention, () => inventory.accountKeys, formerOwn)
    this.#own = own
    this.#limited = new LimitedRenewals({ clock, attention })
    this.#agenda = new Agenda<Item>(agendaRules(inventory, outages, this.#limited))
    this.#questions = new Questions({
      ...options,
      suggestions: inventory.suggestions,
      signal,
      atOnce: ordersAtOnce(options.wanted.length),
      isOut: (issuer) => outages.isOut(issuer),
      onAnswer: (item, isNews) => this.#takeAnswer(item, isNews),
    })
    const unsaved = new Unsaved({ ...options, progress })
    this.#unsaved = unsaved
    const staples = new Staples({
      ...options,
      onChange: () => this.#tell(),
      onRevoked: (fingerprint) => this.#replaceRevoked(fingerprint),
    })
    this.#staples = staples
    const parts = { ...options, attention, inventory, own, unsaved, staples, progress, trials, outages, signal }
    const placement = new Placement({
      ...parts,
      prove: options.prove && ((expected, ending) => this.#prove(expected, ending)),
      tell: async () => this.#tell(),
      keepStaples: () => this.#keepStaples(),
    })
    this.#placement = placement
    this.#work = new Ordering({
      ...parts,
      placement,
      watch: new CaWatch(options, (issuer, changes) => trials.begin(issuer, changes, this.#agenda.dueAt(issuer))),
      changed: (item) => this.#agenda.changed(item),
      answered: (item) => this.#leaveDesk(item),
      putAside: (item) => this.#putAside(item),
      onChange: () => this.#tell(),
    })
    this.#byHand = new ByHand({
      ...parts,
      placement,
      plan: (item) => this.#plan(item),
      occupy: (item) => {
        this.#agenda.occupy(item)
        this.#trials.ended(item)
      },
      giveBack: (item) => {
        this.#agenda.giveBack(item)
        this.#plan(item)
      },
    })
    const dormant = new Dormant({ ...options, isOut: (issuer) => outages.isOut(issuer) })
    this.#handover = new Handover({
      ...{ inventory, staples, unsaved },
      plan: (item) => this.#plan(item),
      leave: (item) => this.#leave(item),
      onChange: () => this.#tell(),
    })
    this.added = new AddedCertificates({
      askAtRest: (wanted, until) => dormant.ask(wanted, until),
      inventory,
      staples,
      now: () => clock.now(),
      plan: (item) => this.#plan(item),
      leave: (item) => this.#leave(item),
      onChange: () => this.#tell(),
    })
  }

  /** What is served now. */
  get state(): CertificatesState {
    const held = this.#servable().map((servable) => heldOf(servable, this.#staples))
    return { held, waiting: [...this.#inventory.waiting, ...this.#own.waiting] }
  }

  /** Both may spend for a while; where limits are other ones now, each keeps a count of its own. */
  #ledgerFor({ limitsOf }: CertificatesOptions): Ledger | undefined {
    return this.#options.limitsOf === limitsOf ? this.#inventory.ledger : undefined
  }

  /** See ByHand, which does what an operator asks. */
  report(name?: string): CertificateReport[] {
    return this.#byHand.report(name)
  }

  retry(selection: Selection): Promise<Asked[]> {
    return this.#byHand.retry(selection)
  }

  renew(name: string): Promise<Asked[]> {
    return this.#byHand.renew(name)
  }

  revoke(name: string, reason: RevocationReason): Promise<Asked[]> {
    return this.#byHand.revoke(name, reason)
  }

  import(files: readonly string[]): Promise<Asked[]> {
    return this.#byHand.import(files)
  }

  /** What the rate limits of the CAs leave, of all of which something was spent. */
  get limits(): Balance[] {
    return this.#inventory.ledger.limits.balances(this.#options.clock.now())
  }

  /** How many more orders each account may place now, where it has placed some. */
  get ordersLeft(): Balance[] {
    return this.#inventory.ledger.limits.balances(this.#options.clock.now(), 'orders')
  }

  /**
   * Renews some of what is due on crowded days earlier than that, once: some by a day, some by two, and so on, so that each
   * day has its share.
   */
  async spread(): Promise<Spread> {
    const spread = await spreadRenewals(this.#inventory, this.#options)
    this.#lookAtAll()
    this.#wake.abort()
    return spread
  }

  /** How long what is held for each of the sites' is good for. */
  get lifetimes(): { readonly names: readonly string[]; readonly keyKind: KeyKind; readonly notAfter: number }[] {
    return this.#inventory.items.flatMap(({ wanted: { id, names, keyKind }, held }) =>
      held === undefined || isOnDemandId(id) ? [] : [{ names, keyKind, notAfter: held.certificate.notAfter }],
    )
  }

  async load(former?: Certificates): Promise<void> {
    await this.#inventory.load()
    if (former !== undefined) this.#handover.serveAs(former.#inventory.items)
    await this.#own.refresh()
    await this.#staples.add(this.#servable())
    if (!this.#hasFormer) await this.#settleIn()
  }

  /** What was told and stored of certificates that are not there any more is dropped. */
  async #settleIn(): Promise<void> {
    const { ownFiles, clock } = this.#options
    this.#attention.began(() => standingOf(this.#inventory, this.#own, ownFiles, clock.now()))
    await this.#keepStaples()
  }

  #servable(): ServableCertificate[] {
    return [...this.#inventory.held, ...this.#own.held]
  }

  start(): void {
    this.#isResting = false
    this.#lookAtAll()
    this.#staples.start()
    this.#running = Promise.all([this.#keepWanted(), this.#keepOwn()])
  }

  /** Begins no order until `resume` or `handOver`; what is under way goes on. */
  rest(): void {
    this.#isResting = true
  }

  /** Resolves when the orders that are under way now have ended. */
  async idle(): Promise<void> {
    await Promise.all([...this.#ordering.values(), ...this.#handover.awaited.map(([, settled]) => settled)])
  }

  resume(): void {
    this.#isResting = false
    this.#wake.abort()
  }

  /**
   * Leaves all to a successor, which has been loaded and begins now. What is being ordered here comes to its end, and serves
   * there; resolves when that is so. If the successor is stopped before, it is given up.
   */
  async handOver(successor: Certificates): Promise<void> {
    this.#leaving.abort()
    this.#successor = successor
    const underWay = new Map([...this.#ordering, ...this.#handover.awaited])
    const giveUp = (): void => void this.stop()
    successor.#stopping.signal.addEventListener('abort', giveUp, { once: true })
    successor.#handover.takeOver({ items: this.#inventory.items, underWay, coming: () => this.#coming })
    successor.start()
    await successor.#settleIn()
    await Promise.all(underWay.values())
    successor.#stopping.signal.removeEventListener('abort', giveUp)
    await this.stop()
  }

  /** Gives up what is under way, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#running, this.#staples.stop(), this.#outages.idle()])
    await Promise.all([...this.#ordering.values(), this.#questions.settled(), this.#byHand.settled()])
    await this.#placement.settled()
    for (const item of this.#inventory.items) conclude(item, { status: 'stopped' })
  }

  async #keepWanted(): Promise<void> {
    while (!this.#leaving.signal.aborted) {
      this.#wake = new AbortController()
      const savedUntil = await this.#unsaved.saveWhatIsDue()
      const now = this.#options.clock.now()
      // What was to come at a time of a clock that has been set back.
      if (now < this.#lookedAt - CLOCK_STEP_MS) this.#lookAtAll()
      this.#lookedAt = now
      const probeAt = this.#outages.probeWhatIsDue(now, this.#stopping.signal, () => this.#wake.abort())
      this.#beginWhatIsDue(now)
      this.#questions.askWhatIsDue(now)
      const toldUntil = this.#limited.tellWhatIsDue(now)
      const dueAt = this.#isResting ? Number.POSITIVE_INFINITY : this.#agenda.next
      const next = Math.min(savedUntil, probeAt, toldUntil, dueAt, this.#questions.next, now + MAX_SLEEP_MS)
      await pause(this.#options.clock, Math.max(0, next - now), this.#wake.signal, this.#leaving.signal)
    }
  }

  async #keepOwn(): Promise<void> {
    while (!this.#own.isEmpty && !this.#leaving.signal.aborted) {
      await pause(this.#options.clock, OWN_FILES_INTERVAL_MS, this.#leaving.signal)
      if (this.#leaving.signal.aborted) return
      if (!(await this.#own.refresh())) continue
      await this.#staples.add(this.#own.held)
      await this.#keepStaples()
      this.#tell()
    }
  }

  /** All that there is, as if it had just been taken up. */
  #lookAtAll(): void {
    for (const item of this.#inventory.items) {
      if (this.#handover.isAwaited(item)) continue
      this.#agenda.changed(item)
      this.#questions.changed(item)
    }
  }

  #plan(item: Item): void {
    this.#agenda.changed(item)
    this.#questions.changed(item)
    this.#wake.abort()
  }

  #beginWhatIsDue(now: number): void {
    if (this.#isResting) return
    let isFirst = false
    this.#agenda.begin(now, (item, step) => {
      isFirst ||= item.held === undefined
      this.#begin(item, step, now)
    })
    this.#outages.endUnless((issuer) => this.#agenda.isBusy(issuer))
    // What its names wait for is another thing now.
    if (isFirst) this.#tell()
  }

  #takeAnswer(item: Item, isNews: boolean): void {
    if (isNews) this.#agenda.changed(item)
    this.#wake.abort()
  }

  /** A CA takes orders again, or the next one. */
  #reopen(): void {
    this.#agenda.reopen()
    this.#questions.reopen()
    this.#wake.abort()
  }

  #begin(item: Item, step: Order, now: number): void {
    item.orderedSince = now
    this.#trials.started(item)
    this.#limited.remove(item)
    const done = this.#work.run(item, step, now).finally(() => {
      item.orderedSince = undefined
      this.#ordering.delete(item)
      this.#trials.ended(item)
      this.#outages.release(item.wanted.id)
      this.#agenda.ended(item)
      this.#agenda.letOn(item.wanted.issuers[0]!, trialOf(item))
      this.#questions.changed(item)
      this.#wake.abort()
    })
    this.#ordering.set(item, done)
  }

  /** Its CA can be asked for another while it is proven: the workers may be told of it only later, with many others. */
  #leaveDesk(item: Item): void {
    this.#agenda.answered(item)
    this.#wake.abort()
  }

  #putAside(item: Item): void {
    this.#agenda.putAside(item)
    this.#wake.abort()
  }

  #leave(item: Item): void {
    this.#agenda.remove(item)
    this.#questions.remove(item)
    this.#trials.ended(item)
    this.#outages.forget(item.wanted.id)
    this.#limited.remove(item)
  }

  /** Who has handed over serves nothing by itself any more. */
  #tell(): Promise<void> | void {
    const successor = this.#successor
    if (successor === undefined) return this.#options.onChange(() => this.state)
    return successor.#handover.refresh().then(() => successor.#tell())
  }

  /** Also of what is about to serve, which may be waiting for its first. */
  async #keepStaples(): Promise<void> {
    if (this.#successor !== undefined) return this.#successor.#keepStaples()
    await this.#staples.keepOnly([...this.#servable(), ...this.#coming])
  }

  get #coming(): StoredCertificate[] {
    return [...this.#placement.coming, ...this.#handover.coming]
  }

  /** What nobody asks for any more once it has come is met nowhere. */
  async #prove(expected: Expected, signal: AbortSignal): ReturnType<Prove> {
    const { fingerprint } = expected.chain[0]
    const isServed = ({ id }: { readonly id: string }): boolean => id.endsWith(`:${fingerprint}`)
    if (this.#successor !== undefined && !this.#successor.state.held.some(isServed)) return 'unproven'
    return this.#options.prove!(expected, signal)
  }

  /** Whatever its last tries met, they were not about this: the next is now. */
  async #replaceRevoked(fingerprint: string): Promise<void> {
    for (const item of this.#inventory.holdersOf(fingerprint)) {
      await this.#inventory.attempts.startAnew(item.wanted.id)
      this.#agenda.changed(item)
    }
    this.#wake.abort()
  }
}
