import type { Issuer } from '../issuers/issuer.ts'
import type { Clock } from '../system/clock.ts'
import { Heap } from './heap.ts'
import type { Item, Question } from './inventory.ts'
import { isFrom } from './issuance.ts'
import type { Suggestions } from './suggestions.ts'

type QuestionsOptions = {
  readonly suggestions: Suggestions
  readonly issuers: ReadonlyMap<string, Issuer>
  readonly clock: Clock
  /** Aborted when the program stops. */
  readonly signal: AbortSignal
  readonly atOnce: number
  /** Whether this CA should be asked nothing, until `reopen`. */
  readonly isOut: (issuer: string) => boolean
  /** Called after each answer, with whether it says another time than before. */
  readonly onAnswer: (item: Item, isNews: boolean) => void
}

/** When CAs are asked when to renew what they gave, by time. */
export class Questions {
  readonly #options: QuestionsOptions
  readonly #calendar = new Heap<Question>((a, b) => a.at < b.at)
  readonly #asking = new Set<Promise<void>>()
  /** Those that are asked about and still wanted. */
  readonly #awaited = new Set<Item>()
  /** By issuer: those that were due while it was out of order. */
  readonly #putOff = new Map<string, Set<Item>>()

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** When to come back; Infinity if nothing is to be asked before an answer comes. */
  get next(): number {
    const isFull = this.#asking.size >= this.#options.atOnce
    return isFull ? Number.POSITIVE_INFINITY : (this.#calendar.first?.at ?? Number.POSITIVE_INFINITY)
  }

  /** What is held has changed, or what its CA said of it. */
  changed(item: Item): void {
    const { question, wanted, held } = item
    this.#leave(item)
    if (held === undefined || this.#askedFor(item) === undefined) return
    question.at = this.#options.suggestions.askAt(wanted.id, held)
    if (Number.isFinite(question.at)) this.#calendar.add(question)
  }

  /** Nobody is to be asked about it any more, and what is still answered is forgotten. */
  remove(item: Item): void {
    this.#awaited.delete(item)
    this.#leave(item)
  }

  #leave(item: Item): void {
    for (const items of this.#putOff.values()) items.delete(item)
    if (this.#calendar.has(item.question)) this.#calendar.remove(item.question)
  }

  /** CAs may be well again. */
  reopen(): void {
    for (const [issuer, items] of this.#putOff) {
      if (this.#options.isOut(issuer)) continue
      this.#putOff.delete(issuer)
      for (const item of items) this.changed(item)
    }
  }

  askWhatIsDue(now: number): void {
    while (this.#asking.size < this.#options.atOnce) {
      const question = this.#calendar.first
      if (question === undefined || question.at > now) return
      this.#calendar.remove(question)
      this.#ask(question.item, now)
    }
  }

  /** Resolves when nobody is being asked any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#asking)
  }

  #ask(item: Item, now: number): void {
    const { held, wanted } = item
    const issuer = this.#askedFor(item)
    const { suggestions, signal, isOut, onAnswer } = this.#options
    if (held === undefined || issuer === undefined) return
    if (isOut(issuer.name)) return this.#putOffUntilWell(item, issuer.name)
    if (suggestions.askAt(wanted.id, held) > now) return this.changed(item)
    this.#awaited.add(item)
    const asking = suggestions.ask(wanted, held, issuer, signal).then((isNews) => {
      this.#asking.delete(asking)
      if (!this.#awaited.delete(item)) return suggestions.letGo(wanted.id)
      this.changed(item)
      onAnswer(item, isNews)
    })
    this.#asking.add(asking)
  }

  #putOffUntilWell(item: Item, issuer: string): void {
    const items = this.#putOff.get(issuer) ?? new Set()
    this.#putOff.set(issuer, items.add(item))
  }

  /** Nobody, if its CA says no such thing or is another one now. */
  #askedFor({ held }: Item): Issuer | undefined {
    const issuer = held && this.#options.issuers.get(held.issuer)
    return issuer?.renewalInfo !== undefined && isFrom(issuer, held) ? issuer : undefined
  }
}
