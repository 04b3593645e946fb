import { Book, isOver } from './book.ts'
import { Charge } from './charge.ts'
import { keyOf } from './limit-key.ts'
import type { LimitKind, Limits } from './limits.ts'
import type { Balance, Entry, OrderFacts, Wait } from './order-facts.ts'

/** Called with each change, to be written down. */
type OnChange = (authority: string, key: string) => void

/** What was spent of the rate limits of CAs. Knows no storage, and depends on nothing but what it is told. */
export class RateLimits {
  readonly #limitsOf: (authority: string) => Limits
  readonly #onChange: OnChange
  readonly #books = new Map<string, Book>()

  constructor(limitsOf: (authority: string) => Limits, onChange: OnChange = () => {}) {
    this.#limitsOf = limitsOf
    this.#onChange = onChange
  }

  /** Why an order would be refused now; undefined if nothing is known that would. */
  wait(order: OrderFacts, now: number): Wait | undefined {
    if (order.isSuggested) return undefined
    const book = this.#book(order.authority)
    if (book.isFree) return undefined
    let longest: Wait | undefined
    for (const [kind, subject] of book.checkedOf(order)) {
      const at = book.nextAt(kind, subject, order.account, now)
      if (at <= now || (longest !== undefined && at <= longest.at)) continue
      const key = `${order.authority} ${keyOf(kind, subject, order.account)}`
      longest = { key, at, limit: book.describe(kind, subject) }
    }
    return longest
  }

  /** Notes that an order is about to be placed. */
  charge(order: OrderFacts, now: number): Charge {
    return new Charge(this.#book(order.authority), order, now)
  }

  /** What is left of each limit that this order falls under. */
  leftFor(order: OrderFacts, now: number): Balance[] {
    const book = this.#book(order.authority)
    return book.checkedOf({ ...order, isSuggested: false, isRenewal: false }).flatMap(([kind, subject]) => {
      const balance = book.balance(kind, subject, order.account, now)
      return balance === undefined ? [] : [balance]
    })
  }

  /** What is left of each limit of which something was spent; of one kind, if that is given. */
  balances(now: number, only?: LimitKind): Balance[] {
    return [...this.#books.values()].flatMap((book) => book.balances(now, only))
  }

  /** Takes up what was written down. */
  restore(authority: string, key: string, entry: Entry): void {
    this.#book(authority).entries.set(key, { ...entry })
  }

  /** undefined if nothing is spent of it any more. */
  entry(authority: string, key: string, now: number): Entry | undefined {
    const entry = this.#book(authority).entries.get(key)
    return entry === undefined || isOver(entry, now) ? undefined : entry
  }

  /** How many limits are remembered. */
  get size(): number {
    return [...this.#books.values()].reduce((sum, { entries }) => sum + entries.size, 0)
  }

  #book(authority: string): Book {
    const known = this.#books.get(authority)
    if (known !== undefined) return known
    const book = new Book(authority, this.#limitsOf(authority), (key) => this.#onChange(authority, key))
    this.#books.set(authority, book)
    return book
  }
}
