import { describeError } from '../errors.ts'
import { forgetOldOrders } from '../issuers/forgotten-orders.ts'
import { PkiError } from '../pki/pki-error.ts'
import { type Storage, StorageError, type StorageReader } from '../storage/storage.ts'
import { type Clock, pause } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { leftOutPlace } from './left-out-names.ts'
import { ARCHIVE, placeOf } from './place.ts'
import { isFormerId, readCertificate, type StoredCertificate, storedCertificateIds } from './record.ts'
import { spokenTime } from './spoken-time.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** Whoever takes a name out of the config by mistake, or for a while, finds its certificate for so long. */
const GRACE_MS = 30 * DAY_MS
/** Since when each is parked, in one value. */
const KEY = 'parked/certificates'

export type ParkedOptions = {
  /** What sites ask for, by id. */
  readonly wanted: ReadonlySet<string>
  /** Fingerprints of all that is served now: what stands in for another is needed, wanted or not. */
  readonly inUse: () => ReadonlySet<string>
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
}

/**
 * Looks after what the storage has of names that no site serves any more: nothing renews it, and after a time of grace it is
 * moved to the archive, never deleted; orders that nobody goes on with are forgotten. Once a day is often enough.
 */
export class Parked {
  readonly #options: ParkedOptions

  constructor(options: ParkedOptions) {
    this.#options = options
  }

  /** Until the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal)
      await pause(this.#options.clock, DAY_MS, signal)
    }
  }

  /** Never rejects. */
  async look(signal: AbortSignal): Promise<void> {
    const { storage, log } = this.#options
    try {
      const before = await recallParked(storage)
      const after = await this.#lookAt(before, signal)
      await forgetOldOrders(storage, this.#options)
      if (!isSame(before, after)) await storage.put(KEY, Buffer.from(`${JSON.stringify(Object.fromEntries(after))}\n`))
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      const message = `What no site serves any more could not be looked after, and will be in a day: ${describeError(error)}`
      log.warn('parked-unattended', message)
    }
  }

  async #lookAt(before: ReadonlyMap<string, number>, signal: AbortSignal): Promise<Map<string, number>> {
    const { wanted, storage, clock, log } = this.#options
    const now = clock.now()
    const after = new Map<string, number>()
    for (const id of await storedCertificateIds(storage)) {
      if (wanted.has(id)) {
        if (before.has(id))
          log.info('certificate-unparked', `${id} is wanted again, and is looked after.`, { certificate: id })
        continue
      }
      // It is there to serve what its successor lacks, and was never a site's of its own.
      if (isFormerId(id) && (await this.#isInUse(id))) continue
      // Beyond now, it was parked by a clock that was ahead.
      const since = Math.min(before.get(id) ?? now, now)
      if (!before.has(id)) this.#tellParked(id, now)
      const isDue = keptUntil(since) <= now && !signal.aborted
      if (!isDue || !(await this.#archive(id))) after.set(id, since)
    }
    return after
  }

  #tellParked(id: string, now: number): void {
    const until = spokenTime(keptUntil(now))
    const message =
      `No site asks for the certificate ${id} any more: it is parked, not renewed, and archived at ${until} unless it ` +
      'serves names whose new certificate has not come by then.'
    this.#options.log.info('certificate-parked', message, { certificate: id })
  }

  async #isInUse(id: string): Promise<boolean> {
    const { inUse, storage } = this.#options
    const stored = await readWhole(storage, id)
    return stored !== undefined && inUse().has(stored.certificate.fingerprint)
  }

  /** Whether it was moved: not what stands in for another. */
  async #archive(id: string): Promise<boolean> {
    const { storage, clock, log } = this.#options
    if (await this.#isInUse(id)) return false
    const place = placeOf('certificates', id)
    // With the day, as what was archived under this id before is not to be overwritten.
    const archived = `${ARCHIVE}/${place}.${spokenTime(clock.now()).slice(0, 10)}`
    const value = await storage.get(place)
    if (value !== undefined) await storage.put(archived, value)
    const memories = [placeOf('attempts', id), placeOf('renewal-info', id), leftOutPlace(id)]
    for (const each of [place, ...memories]) await storage.delete(each)
    const file = storage.locate(archived)
    log.info('certificate-archived', `No site has asked for ${id} for long: it was moved to ${file}.`, {
      certificate: id,
      file,
    })
    return true
  }
}

/** When it is archived, in ms since 1970. */
export function keptUntil(since: number): number {
  return since + GRACE_MS
}

/** Undefined for one that is damaged, which can stand in for nothing. */
async function readWhole(storage: StorageReader, id: string): Promise<StoredCertificate | undefined> {
  try {
    return await readCertificate(storage, id)
  } catch (error) {
    if (error instanceof PkiError) return undefined
    throw error
  }
}

/** Since when each is parked, in ms since 1970, by id. What is damaged begins anew. Throws StorageError. */
export async function recallParked(storage: StorageReader): Promise<ReadonlyMap<string, number>> {
  const value = await storage.get(KEY)
  try {
    const entries = Object.entries(JSON.parse(value?.toString('utf8') ?? '{}') as { [id: string]: unknown })
    return new Map(entries.filter((entry): entry is [string, number] => Number.isFinite(entry[1])))
  } catch {
    return new Map()
  }
}

function isSame(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): boolean {
  return before.size === after.size && [...after].every(([id, since]) => before.get(id) === since)
}
