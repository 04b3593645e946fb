import type { Book, Counted } from './book.ts'
import { bare, setOf } from './limit-key.ts'
import type { LimitKind } from './limits.ts'
import type { OrderFacts } from './order-facts.ts'
import type { Refusal } from './refusal.ts'

/**
 * What one try at a CA takes of its limits: all of it before it begins, so that no other takes the same, and what a CA does
 * not count of one that fails is given back.
 */
export class Charge {
  readonly #book: Book
  readonly #order: OrderFacts
  readonly #taken: { readonly kind: LimitKind; readonly subject: string; readonly amount: number }[] = []
  #isSuggested: boolean
  #placed = 0
  #isOpening = false

  constructor(book: Book, order: OrderFacts, now: number) {
    this.#book = book
    this.#order = order
    this.#isSuggested = order.isSuggested
    for (const counted of book.countedOf(order)) this.#take(counted, now)
    if (!order.needsAccount || book.opening.has(order.account)) return
    this.#isOpening = true
    book.opening.set(order.account, false)
    this.#take(['accounts', ''], now)
  }

  /** An order is about to be placed. Each but the first is one more; one that names no predecessor is not exempt. */
  placing(isReplacement: boolean, now: number): void {
    const { isRenewal, account } = this.#order
    if (this.#isSuggested && !isReplacement) {
      this.#isSuggested = false
      if (!isRenewal) this.#takeWhatIsMissing(now)
    } else if (this.#placed > 0 && !this.#isSuggested && !isRenewal) this.#take(['orders', account], now)
    this.#placed++
  }

  /** The order that was about to be placed never came to the CA. One of several was taken by itself. */
  lost(now: number): void {
    this.#placed--
    const index = this.#taken.findLastIndex(({ kind }) => kind === 'orders')
    if (this.#placed === 0 || index < 0) return
    const { kind, subject, amount } = this.#taken[index]!
    this.#taken.splice(index, 1)
    this.#book.refund(kind, subject, this.#order.account, amount, now)
  }

  /** The CA found that the account does not control these names. */
  failed(names: readonly string[], now: number): void {
    for (const name of names) this.#book.spend('failures', bare(name), this.#order.account, now)
  }

  /** An account was made. */
  registered(now: number): void {
    const { account } = this.#order
    if (this.#book.opening.has(account)) this.#book.opening.set(account, true)
    else this.#book.spend('accounts', '', account, now)
  }

  /** The CA said that a limit was reached. What it says of others than those of this order is taken for being about its names. */
  refused({ kind, subject, until }: Refusal, now: number): void {
    const { account, names } = this.#order
    const book = this.#book
    const known = book.checkedOf({ ...this.#order, needsAccount: true, isSuggested: false, isRenewal: false })
    const meant = known.find(([each, its]) => each === kind && (subject === undefined || subject === its))
    const [its, of] = meant ?? (['sets', setOf(names)] as const)
    book.hold(its, of, account, until, now)
  }

  /** The try has come to its end. */
  close(isIssued: boolean, now: number): void {
    const { account } = this.#order
    const isAccountMade = this.#book.opening.get(account) === true
    if (this.#isOpening) this.#book.opening.delete(account)
    this.#isOpening = false
    for (const { kind, subject, amount } of this.#taken) {
      if (kind === 'accounts') {
        if (!isAccountMade) this.#book.refund(kind, subject, account, amount, now)
      } else if (isIssued) this.#book.settle(kind, subject, account, now)
      else if (kind !== 'orders' || this.#placed === 0) this.#book.refund(kind, subject, account, amount, now)
    }
    this.#taken.length = 0
  }

  #takeWhatIsMissing(now: number): void {
    for (const [kind, subject] of this.#book.countedOf({ ...this.#order, isSuggested: false }))
      if (!this.#taken.some((taken) => taken.kind === kind && taken.subject === subject))
        this.#take([kind, subject], now)
  }

  #take([kind, subject]: Counted, now: number): void {
    const amount = this.#book.spend(kind, subject, this.#order.account, now)
    this.#taken.push({ kind, subject, amount })
  }
}
