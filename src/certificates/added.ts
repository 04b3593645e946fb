import type { Learnt } from './dormant.ts'
import type { Inventory, Item } from './inventory.ts'
import { servedBy } from './inventory.ts'
import { timeOf } from './plan.ts'
import type { Staples } from './staples.ts'
import type { HeldCertificate, ServableCertificate } from './state.ts'
import type { WantedCertificate } from './wanted.ts'
import { addWish, type Outcome } from './wish.ts'

export type AddedOptions = {
  readonly inventory: Inventory
  readonly staples: Staples
  readonly now: () => number
  /** It is to be planned, for it is new or something about it has changed. */
  readonly plan: (item: Item) => void
  /** It is not to be planned any more. */
  readonly leave: (item: Item) => void
  /** See Dormant. */
  readonly askAtRest: (wanted: WantedCertificate, signal: AbortSignal) => Promise<Learnt | undefined>
  /** What is served has changed. */
  readonly onChange: () => void
}

/** How it stands with a certificate that was added. Times in ms since 1970. */
export type Standing = {
  /** When it ends that there is; undefined if there is none. */
  readonly notAfter: number | undefined
  /** When it is renewed, or, where there is none, ordered; what is past is under way or about to be. */
  readonly at: number
}

/**
 * Certificates that come to be wanted, and cease to be, while the program runs: in between they are ordered, renewed and
 * served like all others.
 */
export class AddedCertificates {
  readonly #options: AddedOptions
  readonly #items = new Map<string, Item>()

  constructor(options: AddedOptions) {
    this.#options = options
  }

  /**
   * Looks after these, too, from now on, with what the storage holds of them. Not to be called again before they are let go.
   * Throws StorageError `storage-unreadable`.
   */
  async add(wanted: readonly WantedCertificate[]): Promise<void> {
    const { inventory, staples, plan } = this.#options
    const items = await inventory.add(wanted)
    for (const item of items) this.#items.set(item.wanted.id, item)
    const held = items.flatMap(servedBy)
    await staples.add(held)
    // What is at rest has no staple any more, and clients refuse a must-staple certificate without one.
    const bare = held.filter(({ certificate }) => certificate.mustStaple && staples.staple(certificate) === undefined)
    await Promise.all(bare.map(({ certificate }) => staples.first(certificate)))
    for (const item of items) plan(item)
  }

  /**
   * What is stored stays. All of them stay if one is being ordered or waits for its turn, or is not stored yet; gives whether
   * they have gone.
   */
  letGo(ids: readonly string[]): boolean {
    const { inventory, staples, leave, onChange } = this.#options
    const items = ids.flatMap((id) => this.#items.get(id) ?? [])
    if (items.some(isOccupied)) return false
    for (const { wanted } of items) this.#items.delete(wanted.id)
    for (const item of items) leave(item)
    staples.letGo(items.flatMap(servedBy))
    inventory.remove(new Set(items))
    onChange()
    return true
  }

  /** Asks the CA of one that is stored and not looked after now when to renew it: see Dormant. */
  askAtRest(wanted: WantedCertificate, signal: AbortSignal): Promise<Learnt | undefined> {
    return this.#options.askAtRest(wanted, signal)
  }

  /** What is served of these. */
  held(ids: readonly string[]): HeldCertificate[] {
    const items = ids.flatMap((id) => this.#items.get(id) ?? [])
    return items.flatMap(servedBy).map((servable) => heldOf(servable, this.#options.staples))
  }

  /** undefined for one that is not there, or not yet. */
  standing(id: string): Standing | undefined {
    const item = this.#items.get(id)
    return item && { notAfter: item.held?.certificate.notAfter, at: this.#at(item) }
  }

  /** How the next try for it ends, or that there is to be none yet: it waits for as long as after any failure. */
  outcome(id: string): Promise<Outcome> {
    const item = this.#items.get(id)!
    item.wish = addWish(item.wish, false, this.#options.now())
    this.#options.plan(item)
    return item.wish.outcome
  }

  #at(item: Item): number {
    return timeOf(this.#options.inventory.stepFor(item, this.#options.now()))
  }
}

/** Somebody waits for it, or it would be lost. */
function isOccupied({ orderedSince, wish, saveAgainAt }: Item): boolean {
  return orderedSince !== undefined || wish !== undefined || saveAgainAt !== undefined
}

/** As it is shown to clients. */
export function heldOf({ certificate, id, names, packed }: ServableCertificate, staples: Staples): HeldCertificate {
  return { id, names, key: certificate.key, packed, staple: staples.staple(certificate) }
}
