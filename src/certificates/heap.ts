/** What stands in a heap knows where: one thing is in one heap at a time. -1 if it is in none. */
export type Placed = { place: number }

/** A binary heap: what comes first is known at once, and adding, moving and taking out cost log n. */
export class Heap<T extends Placed> {
  readonly #isBefore: (a: T, b: T) => boolean
  readonly #items: T[] = []

  constructor(isBefore: (a: T, b: T) => boolean) {
    this.#isBefore = isBefore
  }

  get size(): number {
    return this.#items.length
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  /** All of them, in no order. */
  [Symbol.iterator](): Iterator<T> {
    return this.#items[Symbol.iterator]()
  }

  /** Adds what is in no heap. */
  add(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Takes the first out. */
  take(): T | undefined {
    const [first] = this.#items
    if (first !== undefined) this.remove(first)
    return first
  }

  has(item: T): boolean {
    return this.#items[item.place] === item
  }

  /** Takes out what is in this heap. */
  remove(item: T): void {
    const { place } = item
    const last = this.#items.pop()!
    item.place = -1
    if (last !== item) this.#settle(last, place)
  }

  /** What comes before what has changed for an item of this heap. */
  move(item: T): void {
    this.#settle(item, item.place)
  }

  #settle(item: T, place: number): void {
    const parent = this.#items[(place - 1) >> 1]
    if (place > 0 && this.#isBefore(item, parent!)) this.#rise(item, place)
    else this.#sink(item, place)
  }

  #rise(item: T, from: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      const parent = this.#items[above]!
      if (!this.#isBefore(item, parent)) break
      this.#put(parent, place)
      place = above
    }
    this.#put(item, place)
  }

  #sink(item: T, from: number): void {
    const { length } = this.#items
    let place = from
    for (;;) {
      let below = 2 * place + 1
      if (below >= length) break
      if (below + 1 < length && this.#isBefore(this.#items[below + 1]!, this.#items[below]!)) below++
      const child = this.#items[below]!
      if (!this.#isBefore(child, item)) break
      this.#put(child, place)
      place = below
    }
    this.#put(item, place)
  }

  #put(item: T, place: number): void {
    this.#items[place] = item
    item.place = place
  }
}
