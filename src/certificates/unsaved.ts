import type { Storage } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import type { Item } from './inventory.ts'
import type { Progress } from './progress.ts'
import { type StoredCertificate, storeCertificate } from './record.ts'

const SAVE_AGAIN_MS = 60_000

type UnsavedOptions = { readonly storage: Storage; readonly clock: Clock; readonly progress: Progress }

/** What serves but could not be stored, until it can. */
export class Unsaved {
  readonly #options: UnsavedOptions
  readonly #items = new Set<Item>()
  /** What is stored of one certificate is stored in order. */
  readonly #writing = new Map<Item, Promise<void>>()

  constructor(options: UnsavedOptions) {
    this.#options = options
  }

  /** Stores what was issued for it, now or as soon as that is possible. */
  save(item: Item, stored: StoredCertificate): Promise<void> {
    const before = this.#writing.get(item) ?? Promise.resolve()
    const after = before
      .then(() => this.#write(item, stored))
      .finally(() => {
        if (this.#writing.get(item) === after) this.#writing.delete(item)
      })
    this.#writing.set(item, after)
    return after
  }

  async #write(item: Item, stored: StoredCertificate): Promise<void> {
    const { storage, clock, progress } = this.#options
    try {
      await storeCertificate(storage, item.wanted.id, stored)
      item.saveAgainAt = undefined
      this.#items.delete(item)
    } catch (error) {
      progress.notStored(item.wanted, error)
      item.saveAgainAt = clock.now() + SAVE_AGAIN_MS
      this.#items.add(item)
    }
  }

  /** Somebody else could not store it. */
  take(item: Item, saveAgainAt: number): void {
    item.saveAgainAt = saveAgainAt
    this.#items.add(item)
  }

  /**
   * Not what is being renewed: its successor is stored soon, and must not be overwritten by it. Gives the time at which
   * something is to be stored; Infinity if nothing is.
   */
  async saveWhatIsDue(): Promise<number> {
    let next = Number.POSITIVE_INFINITY
    for (const item of this.#items) {
      const { held, saveAgainAt, orderedSince } = item
      if (held === undefined || saveAgainAt === undefined || orderedSince !== undefined) continue
      const wait = saveAgainAt - this.#options.clock.now()
      // Further ahead than it was ever set: the clock was set back.
      if (wait <= 0 || wait > SAVE_AGAIN_MS) await this.save(item, held)
      next = Math.min(next, item.saveAgainAt ?? next)
    }
    return next
  }
}
