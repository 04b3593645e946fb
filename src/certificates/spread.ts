import { describeError } from '../errors.ts'
import { pageFor } from '../storage/page.ts'
import type { Storage, StorageReader } from '../storage/storage.ts'
import type { Random } from '../system/random.ts'
import type { Log } from '../telemetry/log.ts'
import { setAside } from './set-aside.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * Moves what is due on crowded days to earlier ones, so that no day has more than its share of all: some by a day, some by
 * two, and so on. Which of those of one day go is left to the dice, so that what came together does not stay together.
 *
 * @param dueAt in ms since 1970; what is due within a day already stays where it is.
 * @returns the new times in the same order, none of them later than before.
 */
export function spreadOut(dueAt: readonly number[], now: number, random: Random): number[] {
  const days = dueAt.reduce((last, at) => Math.max(last, dayOf(at, now)), 0) + 1
  const byDay = Array.from({ length: days }, (): number[] => [])
  for (const [index, at] of dueAt.entries()) byDay[dayOf(at, now)]!.push(index)
  const share = shareOf(byDay)
  const spread = [...dueAt]
  let moved: number[] = []
  for (let day = days - 1; day > 0; day--) {
    const all = shuffled([...moved, ...byDay[day]!], random)
    const staying = all.slice(0, share)
    for (const [place, index] of staying.entries())
      spread[index] = Math.min(dueAt[index]!, Math.floor(now + (day + (place + random()) / staying.length) * DAY_MS))
    moved = all.slice(share)
  }
  for (const [place, index] of moved.entries())
    spread[index] = Math.min(dueAt[index]!, Math.floor(now + ((place + random()) / moved.length) * DAY_MS))
  return spread
}

/** The least that each day must do: all that is due up to some day is to be done by then. */
function shareOf(byDay: readonly (readonly number[])[]): number {
  let sum = 0
  let share = 0
  for (const [day, { length }] of byDay.entries()) {
    sum += length
    share = Math.max(share, Math.ceil(sum / (day + 1)))
  }
  return share
}

function dayOf(at: number, now: number): number {
  return Math.max(0, Math.floor((at - now) / DAY_MS))
}

function shuffled(items: number[], random: Random): number[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    ;[items[last], items[other]] = [items[other]!, items[last]!]
  }
  return items
}

/** The most that are due within one day from now, and how many days there are. */
export function busiestDay(dueAt: readonly number[], now: number): { readonly most: number; readonly days: number } {
  const counts: number[] = []
  for (const at of dueAt) counts[dayOf(at, now)] = (counts[dayOf(at, now)] ?? 0) + 1
  return { most: counts.reduce((most, count) => Math.max(most, count), 0), days: counts.length }
}

/** The first of those that there are, in ms since 1970; undefined if there is none. */
export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

/** When a certificate is renewed early: that one, and not its successor. */
type Early = { readonly fingerprint: string; readonly renewAt: number }

type Surroundings = { readonly storage: Storage; readonly log: Log }

/** What was spread out, kept over restarts until it is renewed. */
export class EarlyRenewals {
  readonly #surroundings: Surroundings
  #byId = new Map<string, Early>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** Takes up what is remembered; what is damaged is set aside. Throws StorageError `storage-unreadable`. */
  async load(): Promise<void> {
    const { storage, log } = this.#surroundings
    for (const key of await storage.list(FOLDER)) {
      const page = await readPage(storage, key)
      if (page !== 'damaged') for (const [id, early] of page) this.#byId.set(id, early)
      else {
        const file = storage.locate(key)
        const message = `A page of renewals that were spread out, ${file}, is damaged: those are renewed when they are due. ${await setAside(storage, key)}`
        log.warn('spread-damaged', message, { file })
      }
    }
  }

  /** When this certificate is to be renewed, if that is early. */
  of(id: string, fingerprint: string): number | undefined {
    const early = this.#byId.get(id)
    return early?.fingerprint === fingerprint ? early.renewAt : undefined
  }

  /** In the place of all that was spread out before. What cannot be written is remembered until a restart. */
  async replace(byId: ReadonlyMap<string, Early>): Promise<void> {
    const { storage, log } = this.#surroundings
    this.#byId = new Map(byId)
    const pages = new Map<string, Record<string, Early>>()
    for (const [id, early] of byId) {
      const key = `${FOLDER}/${pageFor(id, PAGES)}`
      const page = pages.get(key) ?? {}
      page[id] = early
      pages.set(key, page)
    }
    try {
      for (const key of await storage.list(FOLDER)) if (!pages.has(key)) await storage.delete(key)
      for (const [key, page] of pages) await storage.put(key, Buffer.from(`${JSON.stringify(page)}\n`))
    } catch (error) {
      const message = `How renewals were spread out could not be written down, and is remembered only until a restart: ${describeError(error)}`
      log.warn('spread-not-stored', message)
    }
  }
}

const FOLDER = 'spread'
const PAGES = 256

/** What the storage remembers, for a look without a program that runs. Changes nothing. Throws StorageError. */
export async function recallEarly(
  storage: StorageReader,
  id: string,
  fingerprint: string,
): Promise<number | undefined> {
  const page = await readPage(storage, `${FOLDER}/${pageFor(id, PAGES)}`)
  const early = page === 'damaged' ? undefined : page.get(id)
  return early?.fingerprint === fingerprint ? early.renewAt : undefined
}

async function readPage(storage: StorageReader, key: string): Promise<Map<string, Early> | 'damaged'> {
  const value = await storage.get(key)
  if (value === undefined) return new Map()
  try {
    const page = Object.entries(JSON.parse(value.toString('utf8')) as Record<string, Early>)
    return page.every(([, early]) => typeof early.fingerprint === 'string' && Number.isFinite(early.renewAt))
      ? new Map(page)
      : 'damaged'
  } catch {
    return 'damaged'
  }
}
