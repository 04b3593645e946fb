import type { NoticeState, Severity, Trouble } from './trouble.ts'

/**
 * One thing that is wrong. Several certificates may be its parts (both kinds of a name, say): it is over when the last of
 * them is well. Plain JSON.
 */
export type Thing = {
  readonly key: string
  readonly parts: Readonly<Record<string, Trouble>>
  /** When it was first told. */
  readonly since: number
  /** The worst that was told of it. */
  readonly told: Severity
  /** From when what is left before the expiry is counted. */
  readonly countedFrom: number
  /** How many of the instants before the expiry are past. */
  readonly reminders: number
}

/** That something is to be told now, and of which trouble. */
export type Telling = {
  readonly state: NoticeState
  readonly trouble: Trouble
  readonly since: number
  /** It is over because nobody asks for it any more. */
  readonly isGone?: boolean
}

/** What has come of a change: whether the thing is another now, and what is to be told of it. */
export type Change = { readonly isChanged: boolean; readonly telling?: Telling }

/** Of what is left before the expiry, from the first notice on. The last is the expiry itself. */
const REMINDERS = [1 / 2, 3 / 4, 1]

const RANK: Record<Severity, number> = { warning: 1, error: 2 }

const NO_CHANGE: Change = { isChanged: false }

/** The part of those that have none of their own. */
export const WHOLE = 'whole'

/**
 * The things that are wrong, each told once: when it is new, when it gets worse or waits for a person from now on, when half and three quarters of the time
 * before an expiry are over, and when it is over. Depends on nothing but what it is given.
 */
export class Board {
  readonly #things: Map<string, Thing>

  constructor(things: Iterable<Thing> = []) {
    this.#things = new Map(Array.from(things, (thing) => [thing.key, thing]))
  }

  get(key: string): Thing | undefined {
    return this.#things.get(key)
  }

  get keys(): string[] {
    return [...this.#things.keys()]
  }

  raise(key: string, part: string, trouble: Trouble, now: number): Change {
    const before = this.#things.get(key)
    if (before === undefined) {
      const first = { key, parts: { [part]: trouble }, since: now, told: trouble.severity }
      this.#things.set(key, { ...first, countedFrom: now, reminders: 0 })
      return { isChanged: true, telling: { state: 'raised', trouble, since: now } }
    }
    const parts = { ...before.parts, [part]: trouble }
    const isCountedAnew = expiryOf(parts) !== expiryOf(before.parts)
    const thing = { ...before, parts, ...(isCountedAnew && { countedFrom: now, reminders: 0 }) }
    const isPausedNow = trouble.unpauseUrl !== undefined && !isPaused(before.parts)
    const worst = isPausedNow ? trouble : worstOf(parts)
    const isWorse = RANK[worst.severity] > RANK[before.told]
    this.#things.set(key, isWorse ? { ...thing, told: worst.severity } : thing)
    if (isWorse || isPausedNow)
      return { isChanged: true, telling: { state: 'worse', trouble: worst, since: before.since } }
    return { isChanged: isCountedAnew || !Object.hasOwn(before.parts, part) }
  }

  /** One part is well; without one, all is. */
  withdraw(key: string, part?: string): Change {
    const before = this.#things.get(key)
    if (before === undefined || (part !== undefined && !Object.hasOwn(before.parts, part))) return NO_CHANGE
    const left = Object.entries(before.parts).filter(([name]) => part !== undefined && name !== part)
    if (left.length > 0) {
      this.#things.set(key, { ...before, parts: Object.fromEntries(left) })
      return { isChanged: true }
    }
    this.#things.delete(key)
    return { isChanged: true, telling: { state: 'over', trouble: worstOf(before.parts), since: before.since } }
  }

  /** What is to be told because of the time. Each is given once. */
  due(now: number): { readonly key: string; readonly telling: Telling }[] {
    const due: { key: string; telling: Telling }[] = []
    for (const before of this.#things.values()) {
      const reminders = REMINDERS.filter((_, index) => momentOf(before, index) <= now).length
      if (reminders <= before.reminders) continue
      const parts = expired(before.parts, now)
      const trouble = worstOf(parts)
      const isWorse = RANK[trouble.severity] > RANK[before.told]
      this.#things.set(before.key, { ...before, parts, reminders, told: isWorse ? trouble.severity : before.told })
      due.push({
        key: before.key,
        telling: { state: isWorse ? 'worse' : 'reminder', trouble, since: before.since },
      })
    }
    return due
  }

  /** When something is due next; Infinity if nothing is. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY
    for (const thing of this.#things.values()) next = Math.min(next, momentOf(thing, thing.reminders))
    return next
  }
}

/** When a thing is to be told again; Infinity after the last of them, and for what never expires. */
function momentOf({ parts, countedFrom }: Thing, reminder: number): number {
  const expiry = expiryOf(parts)
  const fraction = REMINDERS[reminder]
  if (expiry === undefined || fraction === undefined || expiry <= countedFrom) return Number.POSITIVE_INFINITY
  return countedFrom + (expiry - countedFrom) * fraction
}

/** Time does not mend it any more, but for a person. */
function isPaused(parts: Thing['parts']): boolean {
  return Object.values(parts).some(({ unpauseUrl }) => unpauseUrl !== undefined)
}

/** The soonest of the parts. */
function expiryOf(parts: Thing['parts']): number | undefined {
  const times = Object.values(parts).flatMap(({ expiresAt }) => expiresAt ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

/** The gravest of the parts, and among equals the one that ends first. */
export function worstOf(parts: Thing['parts']): Trouble {
  const endOf = ({ expiresAt = Number.POSITIVE_INFINITY }: Trouble): number => expiresAt
  const [worst] = Object.values(parts).sort(
    (a, b) => RANK[b.severity] - RANK[a.severity] || Math.sign(endOf(a) - endOf(b) || 0),
  )
  return worst!
}

/** What has ended is no warning any more. */
function expired(parts: Thing['parts'], now: number): Thing['parts'] {
  const entries = Object.entries(parts).map(([part, trouble]): [string, Trouble] => {
    const isOver = trouble.expiresAt !== undefined && trouble.expiresAt <= now
    return [part, isOver ? { ...trouble, severity: 'error' } : trouble]
  })
  return Object.fromEntries(entries)
}
