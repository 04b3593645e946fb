import { describeError } from '../errors.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import {
  type Attempt,
  recalled as asRecalled,
  begun,
  type Failure,
  failed,
  hurried,
  isInsistent,
  latestTryAt,
  noAttempt,
  paused,
  postponed,
} from './attempt.ts'
import { placeOf } from './place.ts'
import { setAside } from './set-aside.ts'

/** Where the storage has them. */
const ATTEMPTS = 'attempts'

type Surroundings = { readonly storage: Storage; readonly clock: Clock; readonly random: Random; readonly log: Log }

/**
 * The memory of what was tried, kept over restarts, so that a program that is restarted again and again asks a CA no more
 * often than one that runs on. A try is noted before it begins: the first that a restart cuts short is tried again at once,
 * but from the second in a row on they wait like failures.
 */
export class Attempts {
  readonly #surroundings: Surroundings
  readonly #attempts = new Map<string, Attempt>()
  readonly #circumstances = new Map<string, string>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /**
   * Takes up what is remembered of certificates (ids and circumstances), unless that was under other circumstances: whoever
   * repairs the settings need not wait for the retry of what could not work. Throws StorageError `storage-unreadable`.
   */
  async load(certificates: ReadonlyMap<string, string>): Promise<void> {
    for (const [id, circumstances] of certificates) this.#circumstances.set(id, circumstances)
    // Of most, nothing is remembered, and to ask for each takes as long as to read it.
    for (const key of await this.#surroundings.storage.list(ATTEMPTS)) {
      const id = key.slice(keyOf('').length)
      const circumstances = certificates.get(id)
      if (circumstances !== undefined) await this.#loadOne(id, circumstances)
    }
  }

  /** The same for one that comes later. Throws StorageError `storage-unreadable`. */
  async take(id: string, circumstances: string): Promise<void> {
    this.#circumstances.set(id, circumstances)
    await this.#loadOne(id, circumstances)
  }

  /** What is stored stays. */
  letGo(id: string): void {
    this.#circumstances.delete(id)
    this.#attempts.delete(id)
  }

  async #loadOne(id: string, circumstances: string): Promise<void> {
    const { storage } = this.#surroundings
    const recalled = await recallAttempt(storage, id, circumstances, this.#surroundings)
    switch (recalled.type) {
      case 'none':
        return
      case 'damaged':
        return this.#setAside(id)
      case 'outdated':
        return this.#forget(id)
      case 'attempt':
        this.#attempts.set(id, recalled.attempt)
        // Or else each restart would begin that wait anew.
        if (recalled.isCorrected) await this.#save(id, recalled.attempt)
        return
      default:
        recalled satisfies never
    }
  }

  /** No try before this; undefined if none has failed. */
  nextAt(id: string): number | undefined {
    const attempt = this.#attempts.get(id)
    const latest = latestTryAt(this.#surroundings.clock.now())
    if (attempt === undefined || attempt.nextAt <= latest) return attempt?.nextAt
    // The clock was set back meanwhile. What is past all waits counts from now on, and from no later look.
    this.#attempts.set(id, { ...attempt, nextAt: latest })
    return latest
  }

  /** The last failure in words; undefined if none has failed. */
  reason(id: string): string | undefined {
    return this.#attempts.get(id)?.reason || undefined
  }

  /** Where somebody must go before it is tried again, if the CA has paused it. */
  unpauseUrl(id: string): string | undefined {
    return this.#attempts.get(id)?.unpauseUrl
  }

  /** All that is remembered of the tries, until one succeeds. */
  of(id: string): Attempt | undefined {
    return this.#attempts.get(id)
  }

  /** Failures and looks in a row that gave none. */
  countOf(id: string): number {
    const { failures = 0, looks = 0 } = this.#attempts.get(id) ?? {}
    return failures + looks
  }

  /** An operator wants no waiting. */
  async hurry(id: string): Promise<void> {
    const attempt = this.#attempts.get(id)
    if (attempt !== undefined) await this.#save(id, hurried(attempt))
  }

  /** To be called before the CA is asked. */
  begin(id: string): Promise<void> {
    return this.#save(id, begun(this.#get(id), this.#surroundings.clock.now()))
  }

  /** Notes a failure. Gives the time of the next try. */
  async fail(id: string, failure: Failure): Promise<number> {
    const { clock, random } = this.#surroundings
    const attempt = failed(this.#get(id), failure, clock.now(), random)
    await this.#save(id, attempt)
    return attempt.nextAt
  }

  /** Notes that the CA takes no more orders for it: it is not tried again until an operator says so. */
  async pause(id: string, reason: string, unpauseUrl: string): Promise<void> {
    await this.#save(id, paused(this.#get(id), reason, unpauseUrl, this.#surroundings.clock.now()))
  }

  /** It came to nothing, and that says nothing of it: as if it had not been begun. */
  async forgive(id: string): Promise<void> {
    const before = this.#get(id)
    if (before.failures === 0 && before.looks === 0) await this.#forget(id)
    else await this.#save(id, { ...before, unfinished: 0 })
  }

  /** Notes that it was not tried, as that was plainly in vain. Gives the time of the next look. */
  async postpone(id: string, reason: string): Promise<number> {
    const { clock, random } = this.#surroundings
    const attempt = postponed(this.#get(id), reason, clock.now(), random)
    await this.#save(id, attempt)
    return attempt.nextAt
  }

  /** The CA should be asked whatever a look before it says: that has been said often enough. */
  isInsistent(id: string): boolean {
    return isInsistent(this.#get(id))
  }

  /** Notes the last failure of one certificate for another too, which would have met the same. */
  async share(id: string, otherId: string): Promise<void> {
    const { circumstances } = this.#get(otherId)
    await this.#save(otherId, { ...this.#get(id), circumstances })
  }

  async succeed(id: string): Promise<void> {
    await this.#forget(id)
  }

  /** What has failed so far means nothing any more. */
  async startAnew(id: string): Promise<void> {
    await this.#forget(id)
  }

  #get(id: string): Attempt {
    return this.#attempts.get(id) ?? noAttempt(this.#circumstances.get(id) ?? '')
  }

  async #forget(id: string): Promise<void> {
    this.#attempts.delete(id)
    const { storage } = this.#surroundings
    await this.#careless(id, () => storage.delete(keyOf(id)))
  }

  async #save(id: string, attempt: Attempt): Promise<void> {
    this.#attempts.set(id, attempt)
    const { storage } = this.#surroundings
    await this.#careless(id, () => storage.put(keyOf(id), Buffer.from(`${JSON.stringify(attempt)}\n`)))
  }

  /** This memory is worth less than a certificate: a full disk must not keep one from being ordered. */
  async #careless(id: string, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      const message = `What was tried for ${id} could not be written down, and is remembered only until a restart: ${describeError(error)}`
      this.#surroundings.log.warn('attempt-not-stored', message, { certificate: id })
    }
  }

  async #setAside(id: string): Promise<void> {
    const { storage, log } = this.#surroundings
    const file = storage.locate(keyOf(id))
    const whereabouts = await setAside(storage, keyOf(id))
    const message = `The memory of what was tried in ${file} is damaged, and begins anew. ${whereabouts}`
    log.warn('attempt-damaged', message, { certificate: id, file })
  }
}

type Recalled =
  | { readonly type: 'none' }
  | { readonly type: 'damaged' }
  /** Made with other issuers or settings. */
  | { readonly type: 'outdated' }
  /** As it counts now, which is not what is stored if it was corrected. */
  | { readonly type: 'attempt'; readonly attempt: Attempt; readonly isCorrected: boolean }

/** What the storage remembers of a certificate's tries. Changes nothing. Throws StorageError `storage-unreadable`. */
export async function recallAttempt(
  storage: StorageReader,
  id: string,
  circumstances: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<Recalled> {
  const value = await storage.get(keyOf(id))
  if (value === undefined) return { type: 'none' }
  const attempt = parseAttempt(value)
  if (attempt === undefined) return { type: 'damaged' }
  if (attempt.circumstances !== circumstances) return { type: 'outdated' }
  const corrected = asRecalled(attempt, clock.now(), random)
  const isCorrected = corrected.nextAt < attempt.nextAt || corrected.lastAt < attempt.lastAt
  return { type: 'attempt', attempt: corrected, isCorrected }
}

function keyOf(id: string): string {
  return placeOf(ATTEMPTS, id)
}

function parseAttempt(value: Buffer): Attempt | undefined {
  let attempt: Partial<Attempt> | null
  try {
    attempt = JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
  const { failures, unfinished, looks, lastAt, nextAt, reason, unpauseUrl = '', circumstances } = attempt ?? {}
  const areCounts = [failures, unfinished, looks].every((count) => Number.isInteger(count) && count! >= 0)
  const areTimes = [lastAt, nextAt].every((time) => Number.isFinite(time) && time! >= 0)
  const areTexts = [reason, unpauseUrl, circumstances].every((text) => typeof text === 'string')
  return areCounts && areTimes && areTexts ? (attempt as Attempt) : undefined
}
