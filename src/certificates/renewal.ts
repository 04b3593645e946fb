import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { pause } from '../system/clock.ts'
import { AddedCertificates, heldOf } from './added.ts'
import { Agenda } from './agenda.ts'
import { agendaRules, ordersAtOnce } from './agenda-rules.ts'
import { type Attention, noAttention } from './attention.ts'
import { Inventory, type InventoryOptions, type Item, type RevocationOf, servedBy } from './inventory.ts'
import { IssuanceError, issueFromAny } from './issuance.ts'
import type { Balance } from './ledger/order-facts.ts'
import { openTab, type Tab } from './ledger/tab.ts'
import { Outages } from './outages.ts'
import { OwnCertificates, type OwnFiles } from './own-files.ts'
import { isOnDemandId } from './place.ts'
import { type Order, timeOf } from './plan.ts'
import { Progress } from './progress.ts'
import { Questions } from './questions.ts'
import type { StoredCertificate } from './record.ts'
import type { CertificateReport } from './report.ts'
import type { AskResponder } from './responder.ts'
import { selectByName } from './selection.ts'
import { type Spread, spreadRenewals } from './spread-renewals.ts'
import { heldBackBy, standingOf } from './standing.ts'
import { Staples } from './staples.ts'
import type { CertificatesState, ServableCertificate } from './state.ts'
import { Unsaved } from './unsaved.ts'
import type { WantedCertificate } from './wanted.ts'
import { type Asked, addWish, conclude, type Selection } from './wish.ts'

export type CertificatesOptions = InventoryOptions & {
  readonly ownFiles: readonly OwnFiles[]
  /** Who sees to it that a person hears of what does not mend itself; nobody unless given. */
  readonly attention?: Attention
  /** For the OCSP staples of certificates that name a responder. */
  readonly askResponder: AskResponder
  /** Asked before each order. Throws if it is not to be ordered any more, which then counts as a failure. */
  readonly mayOrder?: (wanted: WantedCertificate, signal: AbortSignal) => Promise<void>
  /** Called whenever the state has changed, but not for the first one. The state is put together when it is asked for. */
  readonly onChange: (state: () => CertificatesState) => void
}

/** What is known by a name, with an item if Castellan orders it. */
type Known = Pick<Asked, 'id' | 'names' | 'keyKind'> & {
  readonly item: Item | undefined
  readonly report: () => CertificateReport
}

/** The issuer that is asked first, and what it spends. */
type First = { readonly issuer: Issuer; readonly tab: Tab }

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
  const certificates = new Certificates(options)
  await certificates.load()
  certificates.start()
  return certificates
}

/** The certificates of this program. A certificate that cannot be renewed serves on; nothing is taken away before its successor is there. */
export class Certificates {
  /** Those that come and go while it runs. */
  readonly added: AddedCertificates
  readonly #options: CertificatesOptions
  readonly #inventory: Inventory
  readonly #agenda: Agenda<Item>
  readonly #questions: Questions
  readonly #unsaved: Unsaved
  readonly #own: OwnCertificates
  readonly #staples: Staples
  readonly #progress: Progress
  readonly #outages: Outages
  readonly #attention: Attention
  readonly #stopping = new AbortController()
  readonly #ordering = new Set<Promise<void>>()
  #lookedAt = Number.NEGATIVE_INFINITY
  #running: Promise<unknown> = Promise.resolve()
  /** Aborted when it is time to look again. */
  #wake = new AbortController()

  constructor(options: CertificatesOptions) {
    const { ownFiles, clock, log, attention = noAttention } = options
    this.#options = options
    this.#attention = attention
    this.#outages = new Outages({
      ...options,
      onOpen: () => this.#reopen(),
      heldBack: (outage) => heldBackBy(outage, this.#inventory, clock.now()),
    })
    const revocationOf: RevocationOf = (certificate) => this.#staples.revocation(certificate)?.when
    this.#inventory = new Inventory(options, revocationOf, this.#outages)
    this.#agenda = new Agenda<Item>(agendaRules(this.#inventory, this.#outages))
    this.#questions = new Questions({
      ...options,
      suggestions: this.#inventory.suggestions,
      signal: this.#stopping.signal,
      atOnce: ordersAtOnce(options.wanted.length),
      isOut: (issuer) => this.#outages.isOut(issuer),
      onAnswer: (item, isNews) => this.#takeAnswer(item, isNews),
    })
    this.#own = new OwnCertificates(ownFiles, clock, log, attention)
    this.#progress = new Progress(log, clock)
    this.#unsaved = new Unsaved({ ...options, progress: this.#progress })
    this.#staples = new Staples({
      ...options,
      onChange: () => options.onChange(() => this.state),
      onRevoked: (fingerprint) => this.#replaceRevoked(fingerprint),
    })
    this.added = new AddedCertificates({
      inventory: this.#inventory,
      staples: this.#staples,
      now: () => clock.now(),
      plan: (item) => this.#plan(item),
      leave: (item) => {
        this.#agenda.remove(item)
        this.#questions.remove(item)
      },
      onChange: () => options.onChange(() => this.state),
    })
  }

  /** What is served now. */
  get state(): CertificatesState {
    const held = this.#servable().map((servable) => heldOf(servable, this.#staples))
    return { held, waiting: [...this.#inventory.waiting, ...this.#own.waiting] }
  }

  /**
   * How it stands with each of the sites, in the order of the config and then those that an operator brings; or, whole with
   * their chains, with those of a name, on demand or not. Throws UnknownCertificateError.
   */
  report(name?: string): CertificateReport[] {
    const isFull = name !== undefined
    const items = this.#inventory.items.filter(({ wanted }) => !isOnDemandId(wanted.id))
    if (!isFull) return [...items.map((item) => this.#inventory.report(item, false)), ...this.#own.report(false)]
    return selectByName(this.#known(), name).map((known) => known.report())
  }

  /**
   * Tries at once what waits after a failure: all of it, or what a name means. Throws UnknownCertificateError. The waits that
   * follow are as long as if it had waited.
   */
  async retry(selection: Selection): Promise<Asked[]> {
    const known = selection === 'all' ? this.#waitingItems() : selectByName(this.#known(), selection.name)
    return this.#askFor(known, false)
  }

  /** Orders at once what a name means, due or not. Throws UnknownCertificateError. */
  async renew(name: string): Promise<Asked[]> {
    return this.#askFor(selectByName(this.#known(), name), true)
  }

  /** What the rate limits of the CAs leave, of all of which something was spent. */
  get limits(): Balance[] {
    return this.#inventory.ledger.limits.balances(this.#options.clock.now())
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

  #known(): Known[] {
    const own = this.#own.known.map((known) => ({ ...known, item: undefined }))
    return [...this.#inventory.items.map((item) => this.#know(item)), ...own]
  }

  #know(item: Item): Known {
    const { id, names, keyKind } = item.wanted
    return { id, names, keyKind, item, report: () => this.#inventory.report(item, true) }
  }

  #waitingItems(): Known[] {
    const now = this.#options.clock.now()
    return this.#inventory.items.filter((item) => this.#inventory.isWaiting(item, now)).map((item) => this.#know(item))
  }

  async #askFor(known: readonly Known[], isRenewal: boolean): Promise<Asked[]> {
    const now = this.#options.clock.now()
    const asked: Asked[] = []
    const written: Promise<void>[] = []
    for (const { id, names, keyKind, item } of known) {
      const left = item === undefined ? [] : this.#inventory.leftFor(item, now)
      // In one go with the wish: no look at the plan comes between.
      if (item !== undefined && item.orderedSince === undefined) written.push(this.#inventory.attempts.hurry(id))
      if (item !== undefined) item.wish = addWish(item.wish, isRenewal, now)
      if (item !== undefined) this.#agenda.changed(item)
      asked.push({ id, names, keyKind, left, outcome: item?.wish?.outcome ?? Promise.resolve({ status: 'own-files' }) })
    }
    await Promise.all(written)
    this.#wake.abort()
    return asked
  }

  /** How long what is held for each of the sites' is good for. */
  get lifetimes(): { readonly names: readonly string[]; readonly keyKind: KeyKind; readonly notAfter: number }[] {
    return this.#inventory.items.flatMap(({ wanted: { id, names, keyKind }, held }) =>
      held === undefined || isOnDemandId(id) ? [] : [{ names, keyKind, notAfter: held.certificate.notAfter }],
    )
  }

  async load(): Promise<void> {
    await this.#inventory.load()
    await this.#own.refresh()
    const { ownFiles, clock } = this.#options
    this.#attention.began(() => standingOf(this.#inventory, this.#own, ownFiles, clock.now()))
    await this.#staples.add(this.#servable())
    await this.#staples.keepOnly(this.#servable())
  }

  #servable(): ServableCertificate[] {
    return [...this.#inventory.held, ...this.#own.held]
  }

  start(): void {
    this.#lookAtAll()
    this.#staples.start()
    this.#running = Promise.all([this.#keepWanted(), this.#keepOwn()])
  }

  /** Gives up what is under way, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#running, this.#staples.stop(), this.#outages.idle()])
    await Promise.all([...this.#ordering, this.#questions.settled()])
    for (const item of this.#inventory.items) conclude(item, { status: 'stopped' })
  }

  async #keepWanted(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      const savedUntil = await this.#unsaved.saveWhatIsDue()
      const now = this.#options.clock.now()
      // What was to come at a time of a clock that has been set back.
      if (now < this.#lookedAt - CLOCK_STEP_MS) this.#lookAtAll()
      this.#lookedAt = now
      const probeAt = this.#outages.probeWhatIsDue(now, this.#stopping.signal, () => this.#wake.abort())
      this.#beginWhatIsDue(now)
      this.#questions.askWhatIsDue(now)
      const next = Math.min(savedUntil, probeAt, this.#agenda.next, this.#questions.next, now + MAX_SLEEP_MS)
      await pause(this.#options.clock, Math.max(0, next - now), this.#wake.signal, this.#stopping.signal)
    }
  }

  async #keepOwn(): Promise<void> {
    while (!this.#own.isEmpty && !this.#stopping.signal.aborted) {
      await pause(this.#options.clock, OWN_FILES_INTERVAL_MS, this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      if (!(await this.#own.refresh())) continue
      await this.#staples.add(this.#own.held)
      await this.#staples.keepOnly(this.#servable())
      this.#options.onChange(() => this.state)
    }
  }

  /** All that there is, as if it had just been taken up. */
  #lookAtAll(): void {
    for (const item of this.#inventory.items) {
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
    let isFirst = false
    this.#agenda.begin(now, (item, step) => {
      isFirst ||= item.held === undefined
      this.#begin(item, step, now)
    })
    this.#outages.endUnless((issuer) => this.#agenda.isBusy(issuer))
    // What its names wait for is another thing now.
    if (isFirst) this.#options.onChange(() => this.state)
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
    const { wanted, wish } = item
    const isForced = wish !== undefined
    const asked = this.#inventory.issuersFor(item)
    const first = this.#openFirst(item, asked, now)
    const issuer = first?.issuer ?? asked[0]!
    for (const { name } of isForced ? asked : [issuer]) this.#outages.admit(name, wanted.id, { isForced })
    const done = this.#order(item, step, issuer.name, first).finally(() => {
      item.orderedSince = undefined
      this.#ordering.delete(done)
      this.#outages.release(wanted.id)
      this.#agenda.ended(item)
      this.#questions.changed(item)
      this.#wake.abort()
    })
    this.#ordering.add(done)
  }

  /** What the first issuer spends that will be asked is noted at once, before another order is looked at. */
  #openFirst(item: Item, asked: readonly Issuer[], now: number): First | undefined {
    const { ledger } = this.#inventory
    const issuer = asked.find((each) => ledger.limits.wait(this.#inventory.orderOf(item, each, now), now) === undefined)
    return issuer && { issuer, tab: this.#openTab(item, issuer) }
  }

  #openTab(item: Item, issuer: Issuer): Tab {
    const { clock } = this.#options
    return openTab(this.#inventory.ledger, this.#inventory.orderOf(item, issuer, clock.now()), clock)
  }

  async #order(item: Item, step: Order, issuer: string, first: First | undefined): Promise<void> {
    const { wanted } = item
    const { issuers, clock } = this.#options
    const { signal } = this.#stopping
    this.#progress.requested(wanted, issuer, step.because)
    await this.#inventory.attempts.begin(wanted.id)
    try {
      await this.#options.mayOrder?.(wanted, signal)
      const replacesRevoked = item.held !== undefined && this.#staples.revocation(item.held.certificate) !== undefined
      const isInsistent = this.#inventory.attempts.isInsistent(wanted.id)
      const openTabAt = (issuer: Issuer): Tab => (issuer === first?.issuer ? first.tab : this.#openTab(item, issuer))
      const issued = await issueFromAny(
        wanted,
        { held: item.held, isInsistent, openTab: openTabAt },
        issuers,
        { clock, progress: this.#progress, outages: this.#outages },
        signal,
      )
      first?.tab.leave()
      await this.#swapIn(item, { ...issued, replacesRevoked }, step.type)
    } catch (error) {
      // Given up as the program stops, it stays noted as begun, as after a crash.
      if (signal.aborted) return
      first?.tab.leave()
      await this.#fail(item, step.type, error)
    }
  }

  /** Stored first: what serves must survive a crash. Only if the storage fails does it serve without. */
  async #swapIn(item: Item, issued: StoredCertificate, type: Order['type']): Promise<void> {
    const { wanted } = item
    const { certificate } = issued
    const former = servedBy(item)
    await this.#unsaved.save(item, issued)
    await this.#staples.add([{ ...issued, ownership: 'issued' }])
    if (certificate.mustStaple) await this.#staples.first(certificate)
    this.#inventory.hold(item, issued)
    item.standIns = []
    // Only then, for this looks at all that there are.
    if (former.some(({ certificate: { ocspUrl, mustStaple } }) => ocspUrl !== undefined || mustStaple))
      await this.#staples.keepOnly(this.#servable())
    await this.#inventory.attempts.succeed(wanted.id)
    this.#progress.received(wanted, issued, type)
    this.#attention.obtained(wanted)
    conclude(item, { status: 'obtained', issuer: issued.issuer, notAfter: issued.certificate.notAfter })
    if (wanted.mustStaple && !certificate.mustStaple) this.#progress.withoutMustStaple(wanted, issued)
    this.#options.onChange(() => this.state)
  }

  /** Whatever its last tries met, they were not about this: the next is now. */
  async #replaceRevoked(fingerprint: string): Promise<void> {
    for (const item of this.#inventory.items) {
      const { wanted, held } = item
      if (held?.certificate.fingerprint === fingerprint) {
        await this.#inventory.attempts.startAnew(wanted.id)
        this.#agenda.changed(item)
      }
    }
    this.#wake.abort()
  }

  async #fail(item: Item, type: Order['type'], error: unknown): Promise<void> {
    const { wanted } = item
    const reason = describeError(error)
    const { attempts } = this.#inventory
    const { retryAfterMs, concernsNames, isForesight, isOutage, unpauseUrl } =
      error instanceof IssuanceError
        ? error
        : { retryAfterMs: 0, concernsNames: false, isForesight: false, isOutage: false }
    if (isOutage) return this.#putOff(item, reason)
    if (isForesight) await attempts.postpone(wanted.id, reason)
    else if (unpauseUrl !== undefined) await attempts.pause(wanted.id, reason, unpauseUrl)
    else await attempts.fail(wanted.id, reason, retryAfterMs)
    // Or else a dual site would fail the same validation twice in a row, and sooner meet the CA's limit for it.
    const siblings = concernsNames ? this.#inventory.dueSiblingsOf(item, this.#options.clock.now()) : []
    for (const sibling of siblings) {
      await attempts.share(wanted.id, sibling.wanted.id)
      this.#agenda.changed(sibling)
    }
    for (const each of [item, ...siblings]) this.#concludeFailed(each, reason)
    const alsoWaiting = siblings.map((sibling) => sibling.wanted.keyKind)
    const next = unpauseUrl === undefined ? { at: this.#nextAt(item) } : { unpauseUrl }
    const serving = item.held ?? item.standIns[0]?.stored
    this.#progress.failed(wanted, { type, serving, reason, next, alsoWaiting })
    const failure = { error, count: attempts.countOf(wanted.id), serving, next }
    this.#attention.failed(wanted, { ...failure, siblings: siblings.map((sibling) => sibling.wanted) })
    item.orderedSince = undefined
    this.#options.onChange(() => this.state)
  }

  async #putOff(item: Item, reason: string): Promise<void> {
    await this.#inventory.attempts.forgive(item.wanted.id)
    this.#concludeFailed(item, reason)
    item.orderedSince = undefined
    this.#progress.putOff(item.wanted, reason)
    this.#options.onChange(() => this.state)
  }

  /** Without the wish: what was asked for by hand is tried once, and is due again when it would have been. */
  #concludeFailed(item: Item, reason: string): void {
    const { wish } = item
    item.wish = undefined
    const nextAt = this.#nextAt(item)
    wish?.resolve({ status: 'failed', reason, ...(Number.isFinite(nextAt) && { nextAt }) })
  }

  /** Of the next try; Infinity if there is none by itself. */
  #nextAt(item: Item): number {
    return timeOf(this.#inventory.stepFor(item, this.#options.clock.now()))
  }
}
