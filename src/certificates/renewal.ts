import { describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { Attempts } from './attempts.ts'
import { IssuanceError, issueFromAny } from './issuance.ts'
import { OwnCertificates, type OwnFiles } from './own-files.ts'
import { type HeldFacts, planStep, renewalTime, type Step } from './plan.ts'
import { loadCertificate, type StoredCertificate, storeCertificate } from './record.ts'
import { spokenDuration, spokenTime } from './spoken-time.ts'
import type { CertificatesState } from './state.ts'
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
  }

  /** What is served now. */
  get state(): CertificatesState {
    const held = this.#items.flatMap(({ wanted, held: stored }) => {
      if (stored === undefined) return []
      const { certificate, chain, privateKey } = stored
      return [{ id: certificate.fingerprint, names: wanted.names, chain, privateKey }]
    })
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
    for (const item of this.#items) {
      next = Math.min(next, item.saveAgainAt ?? next)
      if (item.orderedSince !== undefined) continue
      const step = this.#stepFor(item, now)
      const at = step.type === 'keep' ? step.renewAt : step.at
      if (at > now) next = Math.min(next, at)
      else if (step.type !== 'keep') this.#begin(item, step)
    }
    return next - now
  }

  #stepFor({ wanted, held }: Item, now: number): Step {
    return planStep(wanted, held && factsOf(held), this.#attempts.nextAt(wanted.id), now)
  }

  /** Unless others of the same names, or too many, are at it: whoever ends wakes the loop, which comes back to this one. */
  #begin(item: Item, step: Extract<Step, { type: 'issue' | 'renew' }>): void {
    const names = [...item.wanted.names].sort().join()
    if (this.#busy.size >= MAX_CONCURRENT || this.#busy.has(names)) return
    item.orderedSince = this.#options.clock.now()
    const order = this.#order(item, step).finally(() => {
      item.orderedSince = undefined
      this.#busy.delete(names)
      this.#wake.resolve()
    })
    this.#busy.set(names, order)
  }

  async #order(item: Item, step: Extract<Step, { type: 'issue' | 'renew' }>): Promise<void> {
    const { wanted } = item
    const { issuers, clock, log } = this.#options
    const message = `Ordering ${describe(wanted)} from ${wanted.issuers[0]}: ${step.because}.`
    log.info('certificate-requested', message, factsOfWanted(wanted))
    await this.#attempts.begin(wanted.id)
    try {
      const issued = await issueFromAny(wanted, issuers, clock, this.#stopping.signal)
      await this.#swapIn(item, issued, step.type)
    } catch (error) {
      if (this.#stopping.signal.aborted) await this.#attempts.abandon(wanted.id)
      else await this.#fail(item, error)
    }
  }

  /** Stored first: what serves must survive a crash. Only if the storage fails does it serve without. */
  async #swapIn(item: Item, issued: StoredCertificate, type: 'issue' | 'renew'): Promise<void> {
    const { wanted } = item
    item.saveAgainAt = await this.#save(wanted, issued)
    item.held = issued
    await this.#attempts.succeed(wanted.id)
    const facts = factsOf(issued)
    const [notAfter, renewAt] = [spokenTime(facts.notAfter), spokenTime(renewalTime(facts))]
    const message = `${type === 'issue' ? 'Got' : 'Renewed'} ${describe(wanted)} from ${issued.issuer}: good until ${notAfter}, to be renewed at ${renewAt}.`
    const event = type === 'issue' ? 'certificate-issued' : 'certificate-renewed'
    this.#options.log.info(event, message, { ...factsOfWanted(wanted), issuer: issued.issuer, notAfter, renewAt })
    this.#options.onChange(this.state)
  }

  async #fail(item: Item, error: unknown): Promise<void> {
    const { wanted, held } = item
    const { clock, log, onChange } = this.#options
    const reason = describeError(error)
    const nextAt = await this.#attempts.fail(wanted.id, reason, error instanceof IssuanceError ? error.retryAfterMs : 0)
    const now = clock.now()
    const next = `The next try is in ${spokenDuration(nextAt - now)}, at ${spokenTime(nextAt)}.`
    const left = (held?.certificate.notAfter ?? 0) - now
    const meanwhile =
      held === undefined
        ? 'Until then there is none.'
        : left > 0
          ? `The former one serves for another ${spokenDuration(left)}.`
          : `The former one has expired ${spokenDuration(-left)} ago, and clients refuse it.`
    const message = `No certificate yet: ${describe(wanted)}. ${reason} ${next} ${meanwhile}`
    log[left > 0 ? 'warn' : 'error']('certificate-failed', message, {
      ...factsOfWanted(wanted),
      nextAt: spokenTime(nextAt),
    })
    onChange(this.state)
  }

  async #saveAgain(): Promise<void> {
    const now = this.#options.clock.now()
    for (const item of this.#items)
      if (item.held !== undefined && item.saveAgainAt !== undefined && item.saveAgainAt <= now)
        item.saveAgainAt = await this.#save(item.wanted, item.held)
  }

  /** Gives the time at which to try again, or undefined if it is stored. */
  async #save(wanted: WantedCertificate, stored: StoredCertificate): Promise<number | undefined> {
    const { storage, log, clock } = this.#options
    try {
      await storeCertificate(storage, wanted.id, stored)
      return undefined
    } catch (error) {
      const message = `Could not store ${describe(wanted)}: ${describeError(error)} It serves from memory, and is stored as soon as that is possible; a restart before that orders it again.`
      log.error('certificate-not-stored', message, factsOfWanted(wanted))
      return clock.now() + SAVE_AGAIN_MS
    }
  }

  #waiting(): CertificatesState['waiting'] {
    const served = new Set(this.#items.flatMap(({ wanted, held }) => (held === undefined ? [] : wanted.names)))
    return this.#items
      .filter(({ wanted }) => wanted.names.some((name) => !served.has(name)))
      .map((item) => ({ names: item.wanted.names.filter((name) => !served.has(name)), reason: this.#reasonOf(item) }))
  }

  #reasonOf({ wanted, orderedSince }: Item): string {
    const [issuer] = wanted.issuers
    const failure = this.#attempts.reason(wanted.id)
    if (failure !== undefined) {
      const next = spokenTime(this.#attempts.nextAt(wanted.id) ?? 0)
      return `the last try failed (${failure}) and the next is at ${next}`
    }
    if (orderedSince === undefined) return `it is about to be ordered from ${issuer}`
    return `it is being ordered from ${issuer} since ${spokenTime(orderedSince)}`
  }
}

function factsOf({ certificate, issuer, obtainedAt }: StoredCertificate): HeldFacts {
  const { names, keyKind, notBefore, notAfter, fingerprint } = certificate
  return { names, keyKind, notBefore, notAfter, fingerprint, issuer, obtainedAt }
}

/** More names than a person reads are counted. */
const MAX_DESCRIBED = 5

function describe({ names, keyKind }: WantedCertificate): string {
  const more = names.length > MAX_DESCRIBED ? ` and ${names.length - MAX_DESCRIBED} more` : ''
  return `the ${keyKind} certificate for ${names.slice(0, MAX_DESCRIBED).join(', ')}${more}`
}

function factsOfWanted({ id, names, keyKind }: WantedCertificate): {
  certificate: string
  names: readonly string[]
  keyKind: string
} {
  return { certificate: id, names, keyKind }
}
