import type { Storage, StorageReader } from '../storage/storage.ts'
import type { Thing } from './board.ts'
import type { Notice } from './trouble.ts'

/** The last notice of a thing that not every channel has taken yet. */
export type Undelivered = { readonly notice: Notice; readonly channels: readonly string[] }

/** What is remembered of a thing over restarts: how it stands, if it is not over, and what is still to be told. */
export type StoredNotice = {
  readonly key: string
  readonly thing: Thing | undefined
  readonly undelivered: Undelivered | undefined
}

/** Where the storage has them. */
const NOTICES = 'notices'

function placeOf(key: string): string {
  return `${NOTICES}/${key}`
}

/** Throws StorageError `storage-unwritable`. */
export async function storeNotice(storage: Storage, stored: StoredNotice): Promise<void> {
  const place = placeOf(stored.key)
  if (stored.thing === undefined && stored.undelivered === undefined) return storage.delete(place)
  return storage.put(place, Buffer.from(`${JSON.stringify(stored)}\n`))
}

/** All that are remembered. What is damaged is left out, and told anew when it is met again. */
export async function loadNotices(storage: StorageReader): Promise<StoredNotice[]> {
  const found: StoredNotice[] = []
  for (const place of await storage.list(NOTICES)) {
    const value = await storage.get(place)
    const stored = value && parse(value, place.slice(placeOf('').length))
    if (stored !== undefined) found.push(stored)
  }
  return found
}

function parse(value: Buffer, key: string): StoredNotice | undefined {
  let stored: Partial<StoredNotice> | null
  try {
    stored = JSON.parse(value.toString('utf8'))
  } catch {
    return undefined
  }
  const { thing, undelivered } = stored ?? {}
  const isThing = thing === undefined || (isObject(thing.parts) && Number.isFinite(thing.countedFrom))
  const isUndelivered =
    undelivered === undefined || (isObject(undelivered.notice) && Array.isArray(undelivered.channels))
  if (!isThing || !isUndelivered || stored?.key !== key) return undefined
  return { key, thing, undelivered }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}
