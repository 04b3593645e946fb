import type { Random } from '../system/random.ts'

const HOUR_MS = 60 * 60 * 1000
const DAY_MS = 24 * HOUR_MS
/** What is renewed is counted by spans of this length. */
const SPAN_MS = 6 * HOUR_MS
/** In a span: fewer are no burden to any CA, however few certificates there are in all. */
const FEW = 25
/** Of what a span would have if all were spread evenly: up to this it is the ordinary unevenness. */
const CROWDED = 1.25
/** Of the time until it is due, what is used all the same: nothing is renewed that has just come. */
const LEAST_USED = 1 / 2
/** The same for short lives. Both kinds of a name then stay below five certificates of the same names in a week. */
const LEAST_USED_IF_SHORT = 3 / 4
const SHORT_MS = 5 * DAY_MS

/** What a herd keeps of each certificate. */
export type HerdMember = {
  /** The span in which it is expected to be renewed, counted from 1970; -1 for one that is not counted. */
  span: number
}

export const UNCOUNTED = -1

/** How it stands with one that has just been obtained. Times in ms since 1970. */
type Newcomer = {
  /** How many certificates are looked after. */
  readonly all: number
  readonly now: number
  /** When it is to be renewed. */
  readonly dueAt: number
}

/**
 * What is obtained on one day, after a mass revocation, an outage or a bulk start, would be due on one day for ever. So one
 * that would be due when many others are is renewed early, once, when the fewest are: a herd is spread over half of its time
 * with the first renewal, and over all of it with the next.
 */
export class Herd {
  /** By spans, those that are to be renewed then. */
  readonly #expected = new Map<number, number>()
  #forgottenUntil = 0

  /** Counts one that is there already. */
  expect(member: HerdMember, dueAt: number): void {
    this.#move(member, Math.floor(dueAt / SPAN_MS))
  }

  /** Counts one that has just been obtained, and gives when it is to be renewed instead; undefined where that is not crowded. */
  joined(member: HerdMember, { all, now, dueAt }: Newcomer, random: Random): number | undefined {
    this.#forgetBefore(Math.floor(now / SPAN_MS))
    const due = Math.floor(dueAt / SPAN_MS)
    this.#move(member, due)
    const wait = dueAt - now
    const share = (all * SPAN_MS) / wait
    if (wait <= 0 || this.#at(due) <= Math.max(FEW, share * CROWDED)) return undefined
    const leastUsed = wait < SHORT_MS ? LEAST_USED_IF_SHORT : LEAST_USED
    const emptiest = this.#emptiest(Math.ceil((now + wait * leastUsed) / SPAN_MS), due)
    if (emptiest === due) return undefined
    this.#move(member, emptiest)
    return Math.floor((emptiest + random()) * SPAN_MS)
  }

  #emptiest(first: number, last: number): number {
    let emptiest = last
    for (let span = last - 1; span >= first; span--) if (this.#at(span) < this.#at(emptiest)) emptiest = span
    return emptiest
  }

  #at(span: number): number {
    return this.#expected.get(span) ?? 0
  }

  #move(member: HerdMember, to: number): void {
    const count = this.#expected.get(member.span)
    if (count !== undefined) this.#expected.set(member.span, count - 1)
    member.span = to
    this.#expected.set(to, this.#at(to) + 1)
  }

  #forgetBefore(span: number): void {
    if (span <= this.#forgottenUntil) return
    for (const each of this.#expected.keys()) if (each < span) this.#expected.delete(each)
    this.#forgottenUntil = span
  }
}
