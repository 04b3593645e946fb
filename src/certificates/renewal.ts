import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import { coversName } from '../pki/certificate.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { Attempts } from './attempts.ts'
import { IssuanceError, issueFromAny } from './issuance.ts'
import { OwnCertificates, type OwnFiles } from './own-files.ts'
import { planStep, type Step } from './plan.ts'
import { Progress } from './progress.ts'
import { factsOfStored, loadCertificate, type StoredCertificate, storeCertificate } from './record.ts'
import { spokenTime } from './spoken-time.ts'
import type { CertificatesState, HeldCertificate } from './state.ts'
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
  /** Called with the whole state whenever it has changed, but not for the first one. */
  readonly onChange: (state: CertificatesState) => void
}

/** One certificate that should exist, and how it stands with it. */
type Item = {
  readonly wanted: WantedCertificate
  held: StoredCertificate | undefined
  /** It serves, but could not be stored: when to try again. */
  saveAgainAt: number | undefined
  /** Since when it is being ordered. */
  orderedSince: number | undefined
}

type Order = Extract<Step, { type: 'issue' | 'renew' }>

/** Orders at a time: enough to hide a CA's slowness, and far below the 10 connections an address may have at some. */
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
  readonly #own: OwnCertificates
  readonly #progress: Progress
  readonly #stopping = new AbortController()
  /** By their names: a CA that is asked for the same names twice at once may give the same order twice. */
  readonly #busy = new Map<string, Promise<void>>()
  #running: Promise<unknown> = Promise.resolve()
  #wake = Promise.withResolvers<void>()

  constructor(options: CertificatesOptions) {
    const { wanted, ownFiles, clock, log } = options
    this.#options = options
    this.#items = wanted.map((each) => ({
      wanted: each,
      held: undefined,
      saveAgainAt: undefined,
      orderedSince: undefined,
    }))
    this.#attempts = new Attempts(options)
    this.#own = new OwnCertificates(ownFiles, clock, log)
    this.#progress = new Progress(log, clock)
  }

  /** What is served now. */
  get state(): CertificatesState {
    const held = this.#items.flatMap((item) => heldOf(item) ?? [])
    return { held: [...held, ...this.#own.held], waiting: [...this.#waiting(), ...this.#own.waiting] }
  }

  async load(): Promise<void> {
    const { storage, log } = this.#options
    for (const item of this.#items) {
      item.held = await loadCertificate(storage, item.wanted.id, log)
      await this.#attempts.load(item.wanted.id)
    }
    await this.#own.refresh()
  }

  start(): void {
    this.#running = Promise.all([this.#keepWanted(), this.#keepOwn()])
  }

  /** Gives up what is under way, and resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await Promise.all(this.#busy.values())
  }

  async #keepWanted(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = Promise.withResolvers()
      await this.#saveAgain()
      await this.#sleep(this.#startWhatIsDue())
    }
  }

  async #keepOwn(): Promise<void> {
    while (!this.#own.isEmpty && !this.#stopping.signal.aborted) {
      await this.#sleep(OWN_FILES_INTERVAL_MS, Promise.withResolvers<void>())
      if (this.#stopping.signal.aborted) return
      if (await this.#own.refresh()) this.#options.onChange(this.state)
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

  /** Gives the time until something else is due. */
  #startWhatIsDue(): number {
    const now = this.#options.clock.now()
    let next = now + MAX_SLEEP_MS
    let isFirstBegun = false
    for (const item of this.#items) {
      if (item.orderedSince !== undefined) continue
      next = Math.min(next, item.saveAgainAt ?? next)
      const step = this.#stepFor(item, now)
      const at = step.type === 'keep' ? step.renewAt : step.at
      if (at > now) next = Math.min(next, at)
      else if (step.type !== 'keep' && this.#begin(item, step) && item.held === undefined) isFirstBegun = true
    }
    // What its names wait for is another thing now.
    if (isFirstBegun) this.#options.onChange(this.state)
    return next - now
  }

  #stepFor({ wanted, held }: Item, now: number): Step {
    return planStep(wanted, held && factsOfStored(held), this.#attempts.nextAt(wanted.id), now)
  }

  /** Unless others of the same names, or too many, are at it: whoever ends wakes the loop, which comes back to this one. */
  #begin(item: Item, step: Order): boolean {
    const names = [...item.wanted.names].sort().join()
    if (this.#busy.size >= MAX_CONCURRENT || this.#busy.has(names)) return false
    item.orderedSince = this.#options.clock.now()
    const order = this.#order(item, step).finally(() => {
      item.orderedSince = undefined
      this.#busy.delete(names)
      this.#wake.resolve()
    })
    this.#busy.set(names, order)
    return true
  }

  async #order(item: Item, step: Order): Promise<void> {
    const { wanted } = item
    const { issuers, clock } = this.#options
    const { signal } = this.#stopping
    this.#progress.requested(wanted, step.because)
    await this.#attempts.begin(wanted.id)
    try {
      const issued = await issueFromAny(wanted, issuers, { clock, progress: this.#progress }, signal)
      await this.#swapIn(item, issued, step.type)
    } catch (error) {
      if (signal.aborted) await this.#attempts.abandon(wanted.id)
      else await this.#fail(item, error)
    }
  }

  /** Stored first: what serves must survive a crash. Only if the storage fails does it serve without. */
  async #swapIn(item: Item, issued: StoredCertificate, type: Order['type']): Promise<void> {
    const { wanted } = item
    item.saveAgainAt = await this.#save(wanted, issued)
    item.held = issued
    await this.#attempts.succeed(wanted.id)
    this.#progress.received(wanted, issued, type)
    this.#options.onChange(this.state)
  }

  async #fail(item: Item, error: unknown): Promise<void> {
    const { wanted, held } = item
    const reason = describeError(error)
    const nextAt = await this.#attempts.fail(wanted.id, reason, error instanceof IssuanceError ? error.retryAfterMs : 0)
    this.#progress.failed(wanted, held, reason, nextAt)
    item.orderedSince = undefined
    this.#options.onChange(this.state)
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
    const served = new Set(this.#items.flatMap((item) => heldOf(item)?.names ?? []))
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

/** A certificate that serves, for those of the wanted names that it is good for. */
function heldOf({ wanted, held }: Item): HeldCertificate | undefined {
  if (held === undefined) return undefined
  const { certificate, chain, privateKey } = held
  const names = wanted.names.filter((name) => coversName(certificate.names, name))
  return { id: certificate.fingerprint, names, chain, privateKey }
}
