import { describeError } from '../../errors.ts'
import { pageFor } from '../../storage/page.ts'
import { segmentFor } from '../../storage/segment.ts'
import type { Storage, StorageReader } from '../../storage/storage.ts'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../telemetry/log.ts'
import { setAside } from '../set-aside.ts'
import { type Limits, publishedLimits } from './limits.ts'
import type { Entry } from './order-facts.ts'
import { RateLimits } from './rate-limits.ts'

type Surroundings = {
  readonly storage: Storage
  readonly clock: Clock
  readonly log: Log
  /** What the CAs publish, unless given. */
  readonly limitsOf?: ((authority: string) => Limits) | undefined
}

/**
 * What was spent of the rate limits of CAs, kept over restarts. It is written down before a CA is asked, and what a CA
 * counts no more is dropped with the next writing: the storage never holds more than was spent within a limit's time.
 */
export class Ledger {
  readonly limits: RateLimits
  readonly #surroundings: Surroundings
  /** The pages that have changed since they were written. */
  readonly #changed = new Map<string, Page>()
  readonly #keys = new Map<string, Set<string>>()
  #writing: Promise<void> = Promise.resolve()
  #isWarned = false

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
    this.limits = new RateLimits(surroundings.limitsOf ?? publishedLimits, (authority, key) => {
      const page = pageOf(authority, key)
      this.#keysOf(page).add(key)
      this.#changed.set(page.key, page)
    })
  }

  /** Takes up what is remembered; what is damaged is set aside and begins anew. Throws StorageError `storage-unreadable`. */
  async load(): Promise<void> {
    const { storage, clock } = this.#surroundings
    for (const key of await storage.list(FOLDER)) {
      const record = await recallPage(storage, key)
      if (record === 'damaged') await this.#setAside(key)
      else if (record !== undefined) this.#takeUp(record, clock.now())
    }
  }

  #takeUp({ authority, entries }: PageRecord, now: number): void {
    for (const [key, entry] of Object.entries(entries)) {
      this.#keysOf(pageOf(authority, key)).add(key)
      if (entry.fullAt > now || entry.until > now) this.limits.restore(authority, key, entry)
    }
  }

  /** Resolves when all that was noted so far is written down, or could not be: that is no reason not to order. */
  save(): Promise<void> {
    if (this.#changed.size > 0) this.#writing = this.#writing.then(() => this.#writeAll())
    return this.#writing
  }

  async #writeAll(): Promise<void> {
    const pages = [...this.#changed.values()]
    this.#changed.clear()
    await Promise.all(pages.map((page) => this.#write(page)))
  }

  async #write(page: Page): Promise<void> {
    const { storage, clock, log } = this.#surroundings
    const entries = this.#entriesOf(page, clock.now())
    try {
      if (entries === undefined) await storage.delete(page.key)
      else await storage.put(page.key, Buffer.from(`${JSON.stringify({ authority: page.authority, entries })}\n`))
    } catch (error) {
      this.#changed.set(page.key, page)
      if (this.#isWarned) return
      this.#isWarned = true
      const message = `What was spent of rate limits could not be written down, and is remembered only until a restart: ${describeError(error)}`
      log.warn('ledger-not-stored', message)
    }
  }

  #entriesOf({ key: place, authority }: Page, now: number): Record<string, Entry> | undefined {
    const keys = this.#keys.get(place) ?? new Set()
    const entries: Record<string, Entry> = {}
    for (const key of keys) {
      const entry = this.limits.entry(authority, key, now)
      if (entry === undefined) keys.delete(key)
      else entries[key] = entry
    }
    if (keys.size > 0) return entries
    this.#keys.delete(place)
    return undefined
  }

  #keysOf({ key }: Page): Set<string> {
    const known = this.#keys.get(key) ?? new Set()
    this.#keys.set(key, known)
    return known
  }

  async #setAside(key: string): Promise<void> {
    const { storage, log } = this.#surroundings
    const file = storage.locate(key)
    const message = `A page of the ledger of rate limits, ${file}, is damaged: what it said counts no more. ${await setAside(storage, key)}`
    log.warn('ledger-damaged', message, { file })
  }
}

const FOLDER = 'ledger'
/** Of one CA: each change writes one anew, and with 100,000 certificates in a week it has 400 lines. */
const PAGES = 256

type Page = { readonly key: string; readonly authority: string }

type PageRecord = { readonly authority: string; readonly entries: Readonly<Record<string, Entry>> }

function pageOf(authority: string, key: string): Page {
  return { key: `${FOLDER}/${folderOf(authority)}/${pageFor(key, PAGES)}`, authority }
}

/** Readable, and a hash of all of it. */
function folderOf(authority: string): string {
  return segmentFor(URL.parse(authority)?.host ?? 'issuer', authority)
}

/** What the storage remembers of all CAs, for a look without a program that runs. Changes nothing. Throws StorageError. */
export async function recallLimits(
  storage: StorageReader,
  now: number,
  limitsOf: (authority: string) => Limits = publishedLimits,
): Promise<RateLimits> {
  const limits = new RateLimits(limitsOf)
  for (const key of await storage.list(FOLDER)) {
    const record = await recallPage(storage, key)
    if (record === undefined || record === 'damaged') continue
    for (const [name, entry] of Object.entries(record.entries))
      if (entry.fullAt > now || entry.until > now) limits.restore(record.authority, name, entry)
  }
  return limits
}

async function recallPage(storage: StorageReader, key: string): Promise<PageRecord | 'damaged' | undefined> {
  const value = await storage.get(key)
  if (value === undefined) return undefined
  try {
    const { authority, entries } = JSON.parse(value.toString('utf8')) as Partial<PageRecord>
    const isWhole = typeof authority === 'string' && typeof entries === 'object' && entries !== null
    return isWhole && Object.entries(entries).every(isEntry) ? { authority, entries } : 'damaged'
  } catch {
    return 'damaged'
  }
}

function isEntry([key, entry]: [string, Partial<Entry> | null]): boolean {
  return (
    /^(?:orders|certificates|sets|failures|accounts) /.test(key) && [entry?.fullAt, entry?.until].every(Number.isFinite)
  )
}
