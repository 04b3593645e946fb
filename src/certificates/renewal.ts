import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { pause } from '../system/clock.ts'
import { Inventory, type InventoryOptions, type Item, servedBy } from './inventory.ts'
import { IssuanceError, isFrom, issueFromAny } from './issuance.ts'
import { OwnCertificates, type OwnFiles } from './own-files.ts'
import { type Step, timeOf } from './plan.ts'
import { Progress } from './progress.ts'
import { type StoredCertificate, storeCertificate } from './record.ts'
import type { CertificateReport } from './report.ts'
import type { AskResponder } from './responder.ts'
import { selectByName } from './selection.ts'
import { Staples } from './staples.ts'
import type { CertificatesState, ServableCertificate } from './state.ts'
import type { WantedCertificate } from './wanted.ts'
import { addWish, type Outcome } from './wish.ts'

export type CertificatesOptions = InventoryOptions & {
  readonly ownFiles: readonly OwnFiles[]
  /** For the OCSP staples of certificates that name a responder. */
  readonly askResponder: AskResponder
  /** Called whenever the state has changed, but not for the first one. The state is put together when it is asked for. */
  readonly onChange: (state: () => CertificatesState) => void
}

type Order = Extract<Step, { type: 'issue' | 'renew' }>

/** What is known by a name, with an item if Castellan orders it. */
type Known = Pick<Asked, 'id' | 'names' | 'keyKind'> & {
  readonly item: Item | undefined
  readonly report: () => CertificateReport
}

/** Which certificates an operator means. */
export type Selection = 'all' | { readonly name: string }

/** A certificate for which an operator has asked something, and how that will have ended. */
export type Asked = {
  readonly id: string
  readonly names: readonly string[]
  readonly keyKind: KeyKind | undefined
  readonly outcome: Promise<Outcome>
}

/** An order under way. */
type Running = { readonly issuer: string; readonly done: Promise<void> }

/**
 * Orders at a time from one issuer: enough to hide a CA's slowness, and far below the 10 connections an address may have at
 * some. A CA that hangs takes none from another.
 */
const MAX_CONCURRENT = 5
/** Even with nothing due it looks this often, as clocks are set and machines sleep. */
const MAX_SLEEP_MS = 60 * 60 * 1000
const OWN_FILES_INTERVAL_MS = 10_000
const SAVE_AGAIN_MS = 60_000

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
  readonly #options: CertificatesOptions
  readonly #inventory: Inventory
  readonly #asking = new Set<Promise<void>>()
  readonly #own: OwnCertificates
  readonly #staples: Staples
  readonly #progress: Progress
  readonly #stopping = new AbortController()
  /** By their names: a CA that is asked for the same names twice at once may give the same order twice. */
  readonly #busy = new Map<string, Running>()
  #running: Promise<unknown> = Promise.resolve()
  /** Aborted when it is time to look again. */
  #wake = new AbortController()

  constructor(options: CertificatesOptions) {
    const { ownFiles, clock, log } = options
    this.#options = options
    this.#inventory = new Inventory(options, (certificate) => this.#staples.revocation(certificate)?.when)
    this.#own = new OwnCertificates(ownFiles, clock, log)
    this.#progress = new Progress(log, clock)
    this.#staples = new Staples({
      ...options,
      onChange: () => options.onChange(() => this.state),
      onRevoked: (fingerprint) => this.#replaceRevoked(fingerprint),
    })
  }

  /** What is served now. */
  get state(): CertificatesState {
    const held = this.#servable().map(({ certificate, id, names, packed }) => {
      return { id, names, key: certificate.key, packed, staple: this.#staples.staple(certificate) }
    })
    return { held, waiting: [...this.#inventory.waiting, ...this.#own.waiting] }
  }

  /**
   * How it stands with each, in the order of the config and then those that an operator brings; or, whole with their chains,
   * with those of a name. Throws UnknownCertificateError.
   */
  report(name?: string): CertificateReport[] {
    const isFull = name !== undefined
    const { items } = this.#inventory
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

  #known(): Known[] {
    const own = this.#own.known.map((known) => ({ ...known, item: undefined }))
    return [...this.#inventory.items.map((item) => this.#know(item)), ...own]
  }

  #know(item: Item): Known {
    const { id, names, keyKind } = item.wanted
    return { id, names, keyKind, item, report: () => this.#inventory.report(item, true) }
  }

  #waitingItems(): Known[] {
    const { items, attempts } = this.#inventory
    const now = this.#options.clock.now()
    return items.filter(({ wanted }) => (attempts.nextAt(wanted.id) ?? 0) > now).map((item) => this.#know(item))
  }

  async #askFor(known: readonly Known[], isRenewal: boolean): Promise<Asked[]> {
    const now = this.#options.clock.now()
    const asked: Asked[] = []
    const written: Promise<void>[] = []
    for (const { id, names, keyKind, item } of known) {
      // In one go with the wish: no look at the plan comes between.
      if (item !== undefined && item.orderedSince === undefined) written.push(this.#inventory.attempts.hurry(id))
      if (item !== undefined) item.wish = addWish(item.wish, isRenewal, now)
      asked.push({ id, names, keyKind, outcome: item?.wish?.outcome ?? Promise.resolve({ status: 'own-files' }) })
    }
    await Promise.all(written)
    this.#wake.abort()
    return asked
  }

  /** How long what is held for each item is good for. */
  get lifetimes(): { readonly names: readonly string[]; readonly keyKind: KeyKind; readonly notAfter: number }[] {
    return this.#inventory.items.flatMap(({ wanted: { names, keyKind }, held }) =>
      held === undefined ? [] : [{ names, keyKind, notAfter: held.certificate.notAfter }],
    )
  }

  async load(): Promise<void> {
    await this.#inventory.load()
    await this.#own.refresh()
    await this.#staples.add(this.#servable())
    await this.#staples.keepOnly(this.#servable())
  }

  #servable(): ServableCertificate[] {
    return [...this.#inventory.held, ...this.#own.held]
  }

  start(): void {
    this.#staples.start()
    this.#running = Promise.all([this.#keepWanted(), this.#keepOwn()])
  }

  /** Gives up what is under way, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#running, this.#staples.stop()])
    await Promise.all([...[...this.#busy.values()].map(({ done }) => done), ...this.#asking])
    for (const item of this.#inventory.items) conclude(item, { status: 'stopped' })
  }

  async #keepWanted(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      await this.#saveAgain()
      const ms = Math.min(this.#startWhatIsDue(), this.#askWhatIsDue())
      await pause(this.#options.clock, ms, this.#wake.signal, this.#stopping.signal)
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

  /** Begins with what has been due for longest. Gives the time until something else is due. */
  #startWhatIsDue(): number {
    const now = this.#options.clock.now()
    let next = now + MAX_SLEEP_MS
    const due: { item: Item; step: Order }[] = []
    for (const item of this.#inventory.items) {
      if (item.orderedSince !== undefined) continue
      next = Math.min(next, item.saveAgainAt ?? next)
      const step = this.#inventory.stepFor(item, now)
      if (step.type !== 'keep' && step.at <= now) {
        due.push({ item, step })
        continue
      }
      const [at, because] = [timeOf(step), step.because]
      next = Math.min(next, at)
      conclude(item, { status: 'not-due', renewAt: at, because })
    }
    due.sort((a, b) => a.step.at - b.step.at)
    const begun = due.filter(({ item, step }) => this.#begin(item, step))
    // What its names wait for is another thing now.
    if (begun.some(({ item }) => item.held === undefined)) this.#options.onChange(() => this.state)
    return next - now
  }

  /** Asks CAs when to renew what they gave. Gives the time until the next is to be asked. */
  #askWhatIsDue(): number {
    const now = this.#options.clock.now()
    let next = now + MAX_SLEEP_MS
    for (const item of this.#inventory.items) {
      const { wanted, held, isAsking } = item
      const issuer = held && this.#options.issuers.get(held.issuer)
      if (held === undefined || isAsking || issuer?.renewalInfo === undefined || !isFrom(issuer, held)) continue
      const askAt = this.#inventory.suggestions.askAt(wanted.id, held)
      if (askAt > now) next = Math.min(next, askAt)
      else if (this.#asking.size < MAX_CONCURRENT) this.#ask(item, held, issuer)
    }
    return next - now
  }

  #ask(item: Item, held: StoredCertificate, issuer: Issuer): void {
    item.isAsking = true
    const asking = this.#inventory.suggestions
      .ask(item.wanted, held, issuer, this.#stopping.signal)
      .then(() => {})
      .finally(() => {
        item.isAsking = false
        this.#asking.delete(asking)
        this.#wake.abort()
      })
    this.#asking.add(asking)
  }

  /** Unless others of the same names, or too many, are at it: whoever ends wakes the loop, which comes back to this one. */
  #begin(item: Item, step: Order): boolean {
    const { names, wanted } = item
    const issuer = wanted.issuers[0]!
    const isFull = [...this.#busy.values()].filter((running) => running.issuer === issuer).length >= MAX_CONCURRENT
    if (isFull || this.#busy.has(names)) return false
    item.orderedSince = this.#options.clock.now()
    const done = this.#order(item, step).finally(() => {
      item.orderedSince = undefined
      this.#busy.delete(names)
      this.#wake.abort()
    })
    this.#busy.set(names, { issuer, done })
    return true
  }

  async #order(item: Item, step: Order): Promise<void> {
    const { wanted } = item
    const { issuers, clock } = this.#options
    const { signal } = this.#stopping
    this.#progress.requested(wanted, step.because)
    await this.#inventory.attempts.begin(wanted.id)
    try {
      const replacesRevoked = item.held !== undefined && this.#staples.revocation(item.held.certificate) !== undefined
      const issued = await issueFromAny(
        wanted,
        { held: item.held, isInsistent: this.#inventory.attempts.isInsistent(wanted.id) },
        issuers,
        { clock, progress: this.#progress },
        signal,
      )
      await this.#swapIn(item, { ...issued, replacesRevoked }, step.type)
    } catch (error) {
      // Given up as the program stops, it stays noted as begun, as after a crash.
      if (!signal.aborted) await this.#fail(item, step.type, error)
    }
  }

  /** Stored first: what serves must survive a crash. Only if the storage fails does it serve without. */
  async #swapIn(item: Item, issued: StoredCertificate, type: Order['type']): Promise<void> {
    const { wanted } = item
    const { certificate } = issued
    const former = servedBy(item)
    item.saveAgainAt = await this.#save(wanted, issued)
    await this.#staples.add([{ ...issued, ownership: 'issued' }])
    if (certificate.mustStaple) await this.#staples.first(certificate)
    this.#inventory.hold(item, issued)
    item.standIns = []
    // Only then, for this looks at all that there are.
    if (former.some((each) => each.certificate.ocspUrl !== undefined)) await this.#staples.keepOnly(this.#servable())
    await this.#inventory.attempts.succeed(wanted.id)
    this.#progress.received(wanted, issued, type)
    conclude(item, { status: 'obtained', issuer: issued.issuer, notAfter: issued.certificate.notAfter })
    if (wanted.mustStaple && !certificate.mustStaple) this.#progress.withoutMustStaple(wanted, issued)
    this.#options.onChange(() => this.state)
  }

  /** Whatever its last tries met, they were not about this: the next is now. */
  async #replaceRevoked(fingerprint: string): Promise<void> {
    for (const { wanted, held } of this.#inventory.items)
      if (held?.certificate.fingerprint === fingerprint) await this.#inventory.attempts.startAnew(wanted.id)
    this.#wake.abort()
  }

  async #fail(item: Item, type: Order['type'], error: unknown): Promise<void> {
    const { wanted } = item
    const reason = describeError(error)
    const { attempts } = this.#inventory
    const { retryAfterMs, concernsNames, isForesight } =
      error instanceof IssuanceError ? error : { retryAfterMs: 0, concernsNames: false, isForesight: false }
    if (isForesight) await attempts.postpone(wanted.id, reason)
    else await attempts.fail(wanted.id, reason, retryAfterMs)
    // Or else a dual site would fail the same validation twice in a row, and sooner meet the CA's limit for it.
    const siblings = concernsNames ? this.#dueSiblingsOf(item) : []
    for (const sibling of siblings) await attempts.share(wanted.id, sibling.wanted.id)
    for (const each of [item, ...siblings]) this.#concludeFailed(each, reason)
    const alsoWaiting = siblings.map((sibling) => sibling.wanted.keyKind)
    const nextAt = timeOf(this.#inventory.stepFor(item, this.#options.clock.now()))
    const serving = item.held ?? item.standIns[0]?.stored
    this.#progress.failed(wanted, { type, serving, reason, nextAt, alsoWaiting })
    item.orderedSince = undefined
    this.#options.onChange(() => this.state)
  }

  /** Without the wish: what was asked for by hand is tried once, and is due again when it would have been. */
  #concludeFailed(item: Item, reason: string): void {
    const { wish } = item
    item.wish = undefined
    wish?.resolve({
      status: 'failed',
      reason,
      nextAt: timeOf(this.#inventory.stepFor(item, this.#options.clock.now())),
    })
  }

  /** Those for other keys that would be ordered now, for the same names and from the same issuers. */
  #dueSiblingsOf(item: Item): Item[] {
    const now = this.#options.clock.now()
    const isDue = (other: Item): boolean => {
      const step = this.#inventory.stepFor(other, now)
      return step.type !== 'keep' && step.at <= now
    }
    return this.#inventory.items.filter(
      (other) =>
        other !== item &&
        other.names === item.names &&
        other.wanted.issuers.join() === item.wanted.issuers.join() &&
        isDue(other),
    )
  }

  /** Not what is being renewed: its successor is stored soon, and must not be overwritten by it. */
  async #saveAgain(): Promise<void> {
    for (const item of this.#inventory.items) {
      const { wanted, held, saveAgainAt, orderedSince } = item
      if (held === undefined || saveAgainAt === undefined || orderedSince !== undefined) continue
      const wait = saveAgainAt - this.#options.clock.now()
      // Further ahead than it was ever set: the clock was set back.
      if (wait <= 0 || wait > SAVE_AGAIN_MS) item.saveAgainAt = await this.#save(wanted, held)
    }
  }

  /** Gives the time at which to try again, or undefined if it is stored. */
  async #save(wanted: WantedCertificate, stored: StoredCertificate): Promise<number | undefined> {
    const { storage, clock } = this.#options
    try {
      await storeCertificate(storage, wanted.id, stored)
      return undefined
    } catch (error) {
      this.#progress.notStored(wanted, error)
      return clock.now() + SAVE_AGAIN_MS
    }
  }
}

/** Tells whoever asked for it how that has ended. */
function conclude(item: Item, outcome: Outcome): void {
  item.wish?.resolve(outcome)
  item.wish = undefined
}
