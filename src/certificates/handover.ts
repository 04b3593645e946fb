import { type Inventory, type Item, servedBy } from './inventory.ts'
import type { StoredCertificate } from './record.ts'
import type { Staples } from './staples.ts'
import type { Unsaved } from './unsaved.ts'
import { conclude } from './wish.ts'

/** What somebody leaves who hands over: how it stands with each certificate, and which are still being ordered. */
export type Estate = {
  readonly items: readonly Item[]
  /** Each order resolves when it has come to its end. */
  readonly underWay: ReadonlyMap<Item, Promise<void>>
  /** What these orders have given that does not serve yet. */
  readonly coming: () => readonly StoredCertificate[]
}

/** An item of the former, and when what it gave has been taken over here. */
type Awaited = { readonly former: Item; readonly settled: Promise<void> }

export type HandoverOptions = {
  readonly inventory: Inventory
  readonly staples: Staples
  readonly unsaved: Unsaved
  readonly plan: (item: Item) => void
  readonly leave: (item: Item) => void
  /** What is served has changed. */
  readonly onChange: () => void
}

/**
 * Takes over from those who looked after the certificates of a former config. What was ordered there is not ordered here a
 * second time: it is waited for, and what it gives serves here as it comes.
 */
export class Handover {
  readonly #options: HandoverOptions
  /** What is still being ordered there, by what stands for it here. */
  readonly #awaited = new Map<Item, Awaited>()
  /** Let go when nothing is awaited any more, and with it the former. */
  #coming: Estate['coming'] = () => []

  constructor(options: HandoverOptions) {
    this.#options = options
  }

  /**
   * Serves what the former serve: the storage may have what waits there for its first staple, or for another reason, and is
   * not to serve here any sooner.
   */
  serveAs(items: readonly Item[]): void {
    const own = new Map(this.#options.inventory.items.map((item) => [item.wanted.id, item]))
    for (const former of items) {
      const item = own.get(former.wanted.id)
      if (item !== undefined && !isSame(item.held, former.held)) this.#copy(item, former)
    }
  }

  /** To be called at the instant at which the former begin nothing any more. */
  takeOver({ items, underWay, coming }: Estate): void {
    const own = new Map(this.#options.inventory.items.map((item) => [item.wanted.id, item]))
    for (const former of items) {
      const item = own.get(former.wanted.id)
      const order = underWay.get(former)
      if (item === undefined) this.#dismiss(former, order)
      else if (order === undefined) this.#takeUp(item, former)
      else this.#await(item, former, order)
    }
    if (this.#awaited.size > 0) this.#coming = coming
  }

  /** Takes over what orders have given since, which still look whether it is served well. */
  async refresh(): Promise<void> {
    for (const [item, { former }] of [...this.#awaited]) {
      // With its staple, which is stored, and not without it for a moment.
      if (!isSame(item.held, former.held)) await this.#options.staples.add(servedBy(former))
      if (this.#awaited.has(item)) this.#copy(item, former)
    }
  }

  /** What is about to serve, of those that are awaited. */
  get coming(): readonly StoredCertificate[] {
    return this.#coming()
  }

  isAwaited(item: Item): boolean {
    return this.#awaited.has(item)
  }

  /** For whoever takes over from here before that. */
  get awaited(): [Item, Promise<void>][] {
    return [...this.#awaited].map(([item, { settled }]) => [item, settled])
  }

  /** Nobody asks for it any more, and whoever did by hand is told when its order ends, or now. */
  #dismiss(former: Item, order: Promise<void> | undefined): void {
    if (order === undefined) conclude(former, { status: 'stopped' })
  }

  #takeUp(item: Item, former: Item): void {
    if (!isSame(item.held, former.held)) this.#copy(item, former)
    if (former.saveAgainAt !== undefined) this.#copy(item, former)
    item.wish = former.wish
    former.wish = undefined
  }

  #await(item: Item, former: Item, order: Promise<void>): void {
    if (!isSame(item.held, former.held)) this.#copy(item, former)
    item.orderedSince = former.orderedSince
    this.#options.leave(item)
    this.#awaited.set(item, { former, settled: order.then(() => this.#settle(item, former)) })
  }

  async #settle(item: Item, former: Item): Promise<void> {
    const { inventory, staples, plan, onChange } = this.#options
    await staples.add(servedBy(former))
    this.#copy(item, former)
    // What cannot be read of its tries is as if none had been.
    await inventory.recall(item).catch(() => {})
    this.#awaited.delete(item)
    if (this.#awaited.size === 0) this.#coming = () => []
    item.orderedSince = undefined
    item.wish ??= former.wish
    plan(item)
    onChange()
  }

  #copy(item: Item, { held, standIns, saveAgainAt }: Item): void {
    const { inventory, unsaved } = this.#options
    item.standIns = standIns
    if (held === undefined) return
    inventory.hold(item, held)
    if (saveAgainAt !== undefined) unsaved.take(item, saveAgainAt)
  }
}

function isSame(one: StoredCertificate | undefined, other: StoredCertificate | undefined): boolean {
  return one?.certificate.fingerprint === other?.certificate.fingerprint
}
