import { describeError } from '../errors.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { jittered, type Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { IssuanceError } from './issuance.ts'
import type { Progress } from './progress.ts'
import type { WantedCertificate } from './wanted.ts'

/** A name that a certificate does without, as it kept the others from getting theirs. Times in ms since 1970. */
export type LeftOutName = {
  readonly name: string
  /** In the words of the CA, or of the look before it was asked. */
  readonly reason: string
  readonly since: number
  /** How often it was asked for in vain, in a row; and how often it was only looked at, in vain. */
  readonly failures: number
  readonly looks: number
  /** It is ordered again with the others from then on. */
  readonly nextAt: number
}

const MINUTE_MS = 60 * 1000
const DAY_MS = 24 * 60 * MINUTE_MS
/** The end of the Integration Guide's ladder: what may have been an accident is tried once more on the same day. */
const WAITS_MS = [100 * MINUTE_MS, DAY_MS]
/** What costs the CA nothing is looked at again soon: somebody may be at work on it. After an hour of that, daily. */
const LOOK_AGAIN_MS = 5 * MINUTE_MS
const MAX_LOOKS = 12
/** Of each wait, up or down. */
const JITTER = 0.1
/** CAs stop at the first kind of fault: they may know of names one after the other. */
const MAX_ROUNDS = 5

export type LeftOutNamesOptions = {
  readonly storage: Storage
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly progress: Progress
  /** Those of the same names from the same issuers, for other keys: each would meet the same. */
  readonly siblingsOf: (wanted: WantedCertificate) => readonly WantedCertificate[]
}

/**
 * The names that certificates do without for the time being, kept over restarts. One bad name among a hundred keeps the others
 * from nothing: they are ordered without it at once, and with it again after 100 minutes and then every day, which costs a
 * failed validation each time and none of the certificates that a CA allows. One that plainly cannot be validated is looked at
 * more often, as that costs nothing.
 */
export class LeftOutNames {
  readonly #options: LeftOutNamesOptions
  readonly #byId = new Map<string, readonly LeftOutName[]>()

  constructor(options: LeftOutNamesOptions) {
    this.#options = options
  }

  /** Takes up what the storage holds. Throws StorageError `storage-unreadable`. */
  async load(wanted: readonly WantedCertificate[]): Promise<void> {
    const { storage, clock } = this.#options
    const stored = new Set(await storage.list('left-out'))
    for (const each of wanted) {
      const names = stored.has(leftOutPlace(each.id)) ? await recallLeftOut(storage, each, clock.now()) : []
      if (names.length > 0) this.#byId.set(each.id, names)
      else this.#byId.delete(each.id)
    }
  }

  of(id: string): readonly LeftOutName[] {
    return this.#byId.get(id) ?? []
  }

  /** The wanted certificate without the names that are not to be asked for now, but for those that are held. */
  remaining(wanted: WantedCertificate, now: number, held: readonly string[] = []): WantedCertificate {
    const leftOut = this.#byId.get(wanted.id)
    return leftOut === undefined ? wanted : withoutLeftOut(wanted, leftOut, now, held)
  }

  /** When the first of them is asked for again; undefined if there is none. */
  nextAt(id: string): number | undefined {
    return backAtOf(this.of(id))
  }

  /** One of those that are asked for now has been looked at often enough: what this machine sees is not what a CA sees. */
  isInsistent(id: string, now: number): boolean {
    return this.of(id).some(({ looks, nextAt }) => looks >= MAX_LOOKS && nextAt <= now)
  }

  /** An operator has put right what was wrong: they are asked for with the next order. */
  async hurry(id: string): Promise<void> {
    const leftOut = this.#byId.get(id)
    if (leftOut !== undefined)
      await this.#put(
        id,
        leftOut.map((each) => ({ ...each, nextAt: 0 })),
      )
  }

  /**
   * Gets a certificate for as many of the wanted names as can have one. `order` places one order; `isNeeded` says whether one
   * for the names that are left is still of use. Undefined if it is not: what is there is all that there can be for now.
   * Throws what `order` throws, where no name alone is to blame.
   */
  async getMost<T>(
    wanted: WantedCertificate,
    order: (aim: WantedCertificate) => Promise<T>,
    isNeeded: () => boolean,
  ): Promise<T | undefined> {
    const { clock } = this.#options
    for (let round = 1; ; round++) {
      const aim = this.remaining(wanted, clock.now())
      try {
        const issued = await order(aim)
        await this.#takeBack(wanted, aim.names)
        return issued
      } catch (error) {
        if (!(error instanceof IssuanceError) || error.badNames.length === 0 || round === MAX_ROUNDS) throw error
        await this.#leaveOut(wanted, error)
      }
      if (!isNeeded()) return undefined
    }
  }

  /** Told once for all kinds of key, and none of the others fails at the same name again. */
  async #leaveOut(wanted: WantedCertificate, { badNames, isForesight }: IssuanceError): Promise<void> {
    const { clock, random, progress, siblingsOf } = this.#options
    const now = clock.now()
    const known = new Map(this.of(wanted.id).map((each) => [each.name, each]))
    const fresh = badNames.filter(({ name }) => !known.has(name))
    for (const { name, reason } of badNames) {
      const before = known.get(name) ?? { failures: 0, looks: 0, since: now }
      const failures = before.failures + (isForesight ? 0 : 1)
      const looks = isForesight ? before.looks + 1 : 0
      const wait = isForesight ? waitAfterLook(looks) : WAITS_MS[Math.min(failures, WAITS_MS.length) - 1]!
      const nextAt = Math.round(now + jittered(wait, JITTER, random))
      known.set(name, { name, reason, since: before.since, failures, looks, nextAt })
    }
    if (fresh.length > 0) progress.leftOut(wanted, fresh)
    for (const { id } of [wanted, ...siblingsOf(wanted)]) await this.#put(id, [...known.values()])
  }

  async #takeBack(wanted: WantedCertificate, names: readonly string[]): Promise<void> {
    const before = this.of(wanted.id)
    const back = before.filter(({ name }) => names.includes(name)).map(({ name }) => name)
    if (back.length === 0) return
    this.#options.progress.takenBack(wanted, back)
    await this.#put(
      wanted.id,
      before.filter(({ name }) => !names.includes(name)),
    )
  }

  /** It is worth less than a certificate: a full disk must not keep one from being ordered. */
  async #put(id: string, names: readonly LeftOutName[]): Promise<void> {
    const { storage, log } = this.#options
    if (names.length === 0) this.#byId.delete(id)
    else this.#byId.set(id, names)
    try {
      if (names.length === 0) await storage.delete(leftOutPlace(id))
      else await storage.put(leftOutPlace(id), Buffer.from(`${JSON.stringify(names)}\n`))
    } catch (error) {
      const message = `Which names ${id} does without could not be written down: ${describeError(error)}`
      log.warn('left-out-not-stored', message, { certificate: id })
    }
  }
}

/**
 * The names that the storage says a certificate does without; what cannot be read of it is nothing, as it is only asked for
 * once more. Throws StorageError `storage-unreadable`.
 */
export async function recallLeftOut(
  storage: StorageReader,
  { id, names }: WantedCertificate,
  now: number,
): Promise<LeftOutName[]> {
  // Alone it is the whole certificate.
  const value = names.length === 1 ? undefined : await storage.get(leftOutPlace(id))
  if (value === undefined) return []
  const latest = now + DAY_MS * (1 + JITTER)
  const leftOut = parse(value).filter(({ name }) => names.includes(name))
  // A clock that was once far ahead left times that never come.
  return leftOut.length < names.length
    ? leftOut.map((each) => ({ ...each, nextAt: Math.min(each.nextAt, latest) }))
    : []
}

/** A wanted certificate without those that wait until later than now, but for those that are held all the same. */
export function withoutLeftOut(
  wanted: WantedCertificate,
  leftOut: readonly LeftOutName[],
  now: number,
  held: readonly string[] = [],
): WantedCertificate {
  const isWaiting = ({ name, nextAt }: LeftOutName): boolean => nextAt > now && !held.includes(name)
  const waiting = new Set(leftOut.filter(isWaiting).map(({ name }) => name))
  return waiting.size === 0 ? wanted : { ...wanted, names: wanted.names.filter((name) => !waiting.has(name)) }
}

/** When the first of them is asked for again; undefined if there is none. */
export function backAtOf(leftOut: readonly LeftOutName[]): number | undefined {
  return leftOut.length === 0 ? undefined : Math.min(...leftOut.map(({ nextAt }) => nextAt))
}

function waitAfterLook(looks: number): number {
  return looks < MAX_LOOKS ? LOOK_AGAIN_MS : DAY_MS
}

/** Where the storage has the names that a certificate does without. */
export function leftOutPlace(id: string): string {
  return `left-out/${id}`
}

function parse(value: Buffer): LeftOutName[] {
  try {
    const names: unknown = JSON.parse(value.toString('utf8'))
    return Array.isArray(names) ? names.filter(isLeftOutName) : []
  } catch {
    return []
  }
}

function isLeftOutName(value: Partial<LeftOutName> | null): value is LeftOutName {
  const { name, reason, since, failures, looks, nextAt } = value ?? {}
  const areTexts = [name, reason].every((text) => typeof text === 'string')
  return areTexts && [since, failures, looks, nextAt].every(Number.isFinite)
}
