import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import { coversName } from '../pki/certificate.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { Attempts } from './attempts.ts'
import { IssuanceError, isFrom, issueFromAny } from './issuance.ts'
import { OwnCertificates, type OwnFiles } from './own-files.ts'
import { planStep, type Step } from './plan.ts'
import { Progress } from './progress.ts'
import { factsOfStored, loadCertificate, type StoredCertificate, storeCertificate } from './record.ts'
import { spokenTime } from './spoken-time.ts'
import { findStandIns, type StandIn } from './stand-ins.ts'
import type { CertificatesState, HeldCertificate } from './state.ts'
import { Suggestions } from './suggestions.ts'
import type { WantedCertificate } from './wanted.ts'

export type CertificatesOptions = {
  readonly wanted: readonly WantedCertificate[]
  readonly ownFiles: readonly OwnFiles[]
  /** Every issuer that a wanted certificate names. */
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Called whenever the state has changed, but not for the first one. The state is put together when it is asked for. */
  readonly onChange: (state: () => CertificatesState) => void
}

/** One certificate that should exist, and how it stands with it. */
type Item = {
  readonly wanted: WantedCertificate
  /** Equal for certificates of the same names. */
  readonly names: string
  held: StoredCertificate | undefined
  /** What serves its names as long as it is not there. */
  standIns: readonly StandIn[]
  /** It serves, but could not be stored: when to try again. */
  saveAgainAt: number | undefined
  /** Since when it is being ordered. */
  orderedSince: number | undefined
  /** Its CA is being asked when to renew it. */
  isAsking: boolean
}

type Order = Extract<Step, { type: 'issue' | 'renew' }>

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
  readonly #items: Item[]
  readonly #attempts: Attempts
  readonly #suggestions: Suggestions
  readonly #asking = new Set<Promise<void>>()
  readonly #own: OwnCertificates
  readonly #progress: Progress
  readonly #stopping = new AbortController()
  /** By their names: a CA that is asked for the same names twice at once may give the same order twice. */
  readonly #busy = new Map<string, Running>()
  #running: Promise<unknown> = Promise.resolve()
  #wake = Promise.withResolvers<void>()

  constructor(options: CertificatesOptions) {
    const { wanted, ownFiles, clock, log } = options
    this.#options = options
    this.#items = wanted.map((each) => ({
      wanted: each,
      names: [...each.names].sort().join(),
      held: undefined,
      standIns: [],
      saveAgainAt: undefined,
      orderedSince: undefined,
      isAsking: false,
    }))
    this.#attempts = new Attempts(options)
    this.#suggestions = new Suggestions(options)
    this.#own = new OwnCertificates(ownFiles, clock, log)
    this.#progress = new Progress(log, clock)
  }

  /** What is served now. */
  get state(): CertificatesState {
    const held = this.#items.flatMap(servedBy)
    return { held: [...held, ...this.#own.held], waiting: [...this.#waiting(), ...this.#own.waiting] }
  }

  /** How long what is held for each item is good for. */
  get lifetimes(): { readonly names: readonly string[]; readonly keyKind: KeyKind; readonly notAfter: number }[] {
    return this.#items.flatMap(({ wanted: { names, keyKind }, held }) =>
      held === undefined ? [] : [{ names, keyKind, notAfter: held.certificate.notAfter }],
    )
  }

  async load(): Promise<void> {
    const { storage, issuers, log } = this.#options
    for (const item of this.#items) {
      item.held = await loadCertificate(storage, item.wanted.id, log)
      await this.#attempts.load(item.wanted.id, circumstancesOf(item.wanted, issuers))
      await this.#suggestions.load(item.wanted.id)
    }
    await this.#loadStandIns()
    await this.#own.refresh()
  }

  async #loadStandIns(): Promise<void> {
    const { storage, wanted, clock, log } = this.#options
    const held = new Set(this.#items.filter((item) => item.held !== undefined).map((item) => item.wanted.id))
    const found = await findStandIns(storage, wanted, (id) => held.has(id), { log, now: clock.now() })
    for (const item of this.#items) item.standIns = found.get(item.wanted.id) ?? []
  }

  start(): void {
    this.#running = Promise.all([this.#keepWanted(), this.#keepOwn()])
  }

  /** Gives up what is under way, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await Promise.all([...[...this.#busy.values()].map(({ done }) => done), ...this.#asking])
  }

  async #keepWanted(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = Promise.withResolvers()
      await this.#saveAgain()
      await this.#sleep(Math.min(this.#startWhatIsDue(), this.#askWhatIsDue()))
    }
  }

  async #keepOwn(): Promise<void> {
    while (!this.#own.isEmpty && !this.#stopping.signal.aborted) {
      await this.#sleep(OWN_FILES_INTERVAL_MS, Promise.withResolvers<void>())
      if (this.#stopping.signal.aborted) return
      if (await this.#own.refresh()) this.#options.onChange(() => this.state)
    }
  }

  /** Waits, but no longer than until woken or stopped. */
  async #sleep(ms: number, wake = this.#wake): Promise<void> {
    const woken = new AbortController()
    void wake.promise.then(() => woken.abort())
    const signal = AbortSignal.any([woken.signal, this.#stopping.signal])
    // Aborted or not, it is time to look again.
    await this.#options.clock.sleep(ms, signal).catch(() => {})
  }

  /** Begins with what has been due for longest. Gives the time until something else is due. */
  #startWhatIsDue(): number {
    const now = this.#options.clock.now()
    let next = now + MAX_SLEEP_MS
    const due: { item: Item; step: Order }[] = []
    for (const item of this.#items) {
      if (item.orderedSince !== undefined) continue
      next = Math.min(next, item.saveAgainAt ?? next)
      const step = this.#stepFor(item, now)
      const at = step.type === 'keep' ? step.renewAt : step.at
      if (step.type === 'keep' || at > now) next = Math.min(next, at)
      else due.push({ item, step })
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
    for (const item of this.#items) {
      const { wanted, held, isAsking } = item
      const issuer = held && this.#options.issuers.get(held.issuer)
      if (held === undefined || isAsking || issuer?.renewalInfo === undefined || !isFrom(issuer, held)) continue
      const askAt = this.#suggestions.askAt(wanted.id, held)
      if (askAt > now) next = Math.min(next, askAt)
      else if (this.#asking.size < MAX_CONCURRENT) this.#ask(item, held, issuer)
    }
    return next - now
  }

  #ask(item: Item, held: StoredCertificate, issuer: Issuer): void {
    item.isAsking = true
    const asking = this.#suggestions
      .ask(item.wanted, held, issuer, this.#stopping.signal)
      .then(() => {})
      .finally(() => {
        item.isAsking = false
        this.#asking.delete(asking)
        this.#wake.resolve()
      })
    this.#asking.add(asking)
  }

  #stepFor({ wanted, held }: Item, now: number): Step {
    const authorityOf = (name: string): string | undefined => this.#options.issuers.get(name)?.authority
    const facts = held && factsOfStored(held, this.#suggestions.renewAt(wanted.id, held))
    return planStep(wanted, facts, authorityOf, this.#attempts.nextAt(wanted.id), now)
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
      this.#wake.resolve()
    })
    this.#busy.set(names, { issuer, done })
    return true
  }

  async #order(item: Item, step: Order): Promise<void> {
    const { wanted } = item
    const { issuers, clock } = this.#options
    const { signal } = this.#stopping
    this.#progress.requested(wanted, step.because)
    await this.#attempts.begin(wanted.id)
    try {
      const issued = await issueFromAny(
        wanted,
        { held: item.held, isInsistent: this.#attempts.isInsistent(wanted.id) },
        issuers,
        { clock, progress: this.#progress },
        signal,
      )
      await this.#swapIn(item, issued, step.type)
    } catch (error) {
      // Given up as the program stops, it stays noted as begun, as after a crash.
      if (!signal.aborted) await this.#fail(item, step.type, error)
    }
  }

  /** Stored first: what serves must survive a crash. Only if the storage fails does it serve without. */
  async #swapIn(item: Item, issued: StoredCertificate, type: Order['type']): Promise<void> {
    const { wanted } = item
    item.saveAgainAt = await this.#save(wanted, issued)
    item.held = issued
    item.standIns = []
    await this.#attempts.succeed(wanted.id)
    this.#progress.received(wanted, issued, type)
    this.#options.onChange(() => this.state)
  }

  async #fail(item: Item, type: Order['type'], error: unknown): Promise<void> {
    const { wanted } = item
    const reason = describeError(error)
    const { retryAfterMs, concernsNames, isForesight } =
      error instanceof IssuanceError ? error : { retryAfterMs: 0, concernsNames: false, isForesight: false }
    const nextAt = isForesight
      ? await this.#attempts.postpone(wanted.id, reason)
      : await this.#attempts.fail(wanted.id, reason, retryAfterMs)
    // Or else a dual site would fail the same validation twice in a row, and sooner meet the CA's limit for it.
    const siblings = concernsNames ? this.#dueSiblingsOf(item) : []
    for (const sibling of siblings) await this.#attempts.share(wanted.id, sibling.wanted.id)
    const alsoWaiting = siblings.map((sibling) => sibling.wanted.keyKind)
    const serving = item.held ?? item.standIns[0]?.stored
    this.#progress.failed(wanted, { type, serving, reason, nextAt, alsoWaiting })
    item.orderedSince = undefined
    this.#options.onChange(() => this.state)
  }

  /** Those for other keys that would be ordered now, for the same names and from the same issuers. */
  #dueSiblingsOf(item: Item): Item[] {
    const now = this.#options.clock.now()
    const isDue = (other: Item): boolean => {
      const step = this.#stepFor(other, now)
      return step.type !== 'keep' && step.at <= now
    }
    return this.#items.filter(
      (other) =>
        other !== item &&
        other.names === item.names &&
        other.wanted.issuers.join() === item.wanted.issuers.join() &&
        isDue(other),
    )
  }

  /** Not what is being renewed: its successor is stored soon, and must not be overwritten by it. */
  async #saveAgain(): Promise<void> {
    for (const item of this.#items) {
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

  #waiting(): CertificatesState['waiting'] {
    const served = new Set(this.#items.flatMap(servedBy).flatMap(({ names }) => names))
    return this.#items
      .filter(({ wanted }) => wanted.names.some((name) => !served.has(name)))
      .map((item) => ({ names: item.wanted.names.filter((name) => !served.has(name)), reason: this.#reasonOf(item) }))
  }

  #reasonOf({ wanted, orderedSince }: Item): string {
    const issuers = wanted.issuers.join(' or ')
    const failure = this.#attempts.reason(wanted.id)
    if (orderedSince !== undefined) {
      const before = failure === undefined ? '' : `, after the last try failed (${failure})`
      return `it is being ordered from ${issuers} since ${spokenTime(orderedSince)}${before}`
    }
    const nextAt = this.#attempts.nextAt(wanted.id) ?? 0
    if (nextAt <= this.#options.clock.now()) return `it is about to be ordered from ${issuers}`
    const last = failure === undefined ? 'the last tries were cut short' : `the last try failed (${failure})`
    return `${last} and the next is at ${spokenTime(nextAt)}`
  }
}

/** What serves for it: itself, for those of the wanted names that it is good for, or else what stands in. */
function servedBy({ wanted, held, standIns }: Item): HeldCertificate[] {
  if (held === undefined) return standIns.map(({ stored, names }) => toHeld(wanted, stored, names))
  const names = wanted.names.filter((name) => coversName(held.certificate.names, name))
  return [toHeld(wanted, held, names)]
}

/** One that stands in for several serves other names for each, so its fingerprint alone does not tell them apart. */
function toHeld({ id }: WantedCertificate, stored: StoredCertificate, names: readonly string[]): HeldCertificate {
  const { certificate, chain, privateKey } = stored
  return { id: `${id}:${certificate.fingerprint}`, names, chain, privateKey }
}

/** Who would be asked, and as what. */
function circumstancesOf({ issuers }: WantedCertificate, byName: CertificatesOptions['issuers']): string {
  return issuers.map((name) => `${name}:${byName.get(name)?.settings}`).join()
}
