import { Heap, type Placed } from './heap.ts'
import { isDue, isOrder, type Order, type Step, timeOf } from './plan.ts'

/** What an agenda keeps of a thing to plan. */
export type Entry = Placed & {
  /** When it is looked at again: in ms since 1970, and no later than something is to be done about it. */
  at: number
  /** What comes first of what is due: see urgencyOf. */
  urgency: number
  /** Where it stands: on the calendar, in a line, or nowhere while it is being ordered. */
  line: Heap<never> | undefined
  isRunning: boolean
  /** While its CA is at it. */
  isAtDesk: boolean
}

/** An entry that stands nowhere yet. */
export function newEntry(): Entry {
  return { place: -1, at: 0, urgency: 0, line: undefined, isRunning: false, isAtDesk: false }
}

/** What an agenda asks about its entries; the answers change nothing that it knows. */
export type Rules<T extends Entry> = {
  readonly plan: (entry: T, now: number) => Step
  /** Until when what serves in its place is good; undefined if nothing does. */
  readonly goodUntil: (entry: T) => number | undefined
  /** How often in a row it was tried in vain. */
  readonly failures: (entry: T) => number
  /** Who is asked for it. */
  readonly deskOf: (entry: T) => string
  /** Equal for what must not be ordered at the same time. */
  readonly namesOf: (entry: T) => string
  /** How many are ordered at a desk at a time. */
  readonly maxAtOnce: (desk: string) => number
  /** Tells apart what keeps it from being begun, however due it is, until `reopen`; undefined if nothing does. */
  readonly heldBy?: (entry: T) => string | undefined
  /** Of what is due, the greater is the later, whatever its urgency; 0 for what is as others are. */
  readonly suspicion?: (entry: T) => number
  /** Told of what was looked at and is not to begin yet. */
  readonly deferred?: (entry: T, step: Step) => void
}

/** Begins with what was taken from the agenda, at once: what it spends is known before the next is looked at. */
type Begin<T> = (entry: T, step: Order) => void

/** Those that wait for the same token of a rate limit, or for the same CAs to be well again: that is at Infinity. */
type Line<T extends Entry> = Placed & { readonly key: string; readonly entries: Heap<T>; at: number }

/** One CA: what is under way there, and what waits for it. */
type Desk<T extends Entry> = {
  running: number
  readonly due: Heap<T>
  readonly lines: Map<string, Line<T>>
  readonly openings: Heap<Line<T>>
}

/**
 * What is to be done, by time. Nothing is scanned: an entry is planned anew when its time has come, when it has been told
 * that something about it changed, and before it begins. What is due stands in a line of its CA, what a rate limit holds back
 * in a line of that limit, of which one at a time is let through, and what a CA that is out of order does in a line of its own: renewals ahead of first orders, and of those whatever
 * expires first.
 */
export class Agenda<T extends Entry> {
  readonly #rules: Rules<T>
  readonly #calendar = new Heap<T>((a, b) => a.at < b.at)
  readonly #desks = new Map<string, Desk<T>>()
  /** By names: who is being ordered, and those that wait for its end. */
  readonly #busy = new Map<string, { readonly ordered: T; readonly waiting: T[] }>()
  /** The lines that wait for `reopen`. */
  readonly #shut = new Map<Line<T>, Desk<T>>()

  constructor(rules: Rules<T>) {
    this.#rules = rules
  }

  /** Something about it has changed, or it is new: it is looked at with the next `begin`. */
  changed(entry: T): void {
    if (entry.isRunning) return
    this.#leave(entry)
    this.#enter(entry, 0)
  }

  /** Takes it off. */
  remove(entry: T): void {
    this.#leave(entry)
  }

  /** Nothing is begun for it until it is given back, whatever changes. For what is not being ordered. */
  occupy(entry: T): void {
    this.#leave(entry)
    entry.isRunning = true
  }

  giveBack(entry: T): void {
    entry.isRunning = false
    this.changed(entry)
  }

  /** Begins what is due, as far as CAs and limits let it. */
  begin(now: number, begin: Begin<T>): void {
    this.#sortDue(now)
    for (const [name, desk] of this.#desks) this.#serve(name, desk, now, begin)
  }

  /** What is held by something else than a limit may be so no more: the first of each line is looked at again. */
  reopen(): void {
    for (const [line, desk] of this.#shut) {
      line.at = 0
      desk.openings.move(line)
    }
    this.#shut.clear()
  }

  /** There may be something left of what waits for this at a desk: its first is looked at with the next `begin`. */
  letOn(name: string, key: string): void {
    const desk = this.#desks.get(name)
    const line = desk?.lines.get(key)
    if (desk === undefined || line === undefined) return
    line.at = 0
    desk.openings.move(line)
  }

  /** Whether anything is under way at a desk, or only waits for others there. */
  isBusy(desk: string): boolean {
    const { running = 0, due } = this.#desks.get(desk) ?? {}
    return running > 0 || (due?.size ?? 0) > 0
  }

  /** What is due at a desk, or held back there. */
  *dueAt(name: string): Generator<T> {
    const desk = this.#desks.get(name)
    if (desk === undefined) return
    yield* desk.due
    for (const { entries } of desk.lines.values()) yield* entries
  }

  /** Its CA is done with it, though it has not come to its end: another may go there, but for those of the same names. */
  answered(entry: T): void {
    const desk = this.#desks.get(this.#rules.deskOf(entry))
    if (!entry.isAtDesk || desk === undefined) return
    entry.isAtDesk = false
    desk.running--
  }

  /** An order has come to its end. */
  ended(entry: T): void {
    if (!entry.isRunning) return
    this.answered(entry)
    entry.isRunning = false
    for (const each of [entry, ...this.#leaveNames(entry)]) this.changed(each)
  }

  /** The same, and it may be long until it has: those of the same names do not wait for it any more. */
  putAside(entry: T): void {
    this.answered(entry)
    for (const each of this.#leaveNames(entry)) this.changed(each)
  }

  /** When to come back; Infinity if there is nothing to wait for. */
  get next(): number {
    let next = this.#calendar.first?.at ?? Number.POSITIVE_INFINITY
    for (const [name, desk] of this.#desks)
      if (desk.running < this.#rules.maxAtOnce(name))
        next = Math.min(next, desk.openings.first?.at ?? Number.POSITIVE_INFINITY)
    return next
  }

  /** Off the calendar and into the line of its CA, or of a limit, or back to another day. */
  #sortDue(now: number): void {
    for (let entry = this.#calendar.first; entry !== undefined && entry.at <= now; entry = this.#calendar.first) {
      this.#leave(entry)
      this.#sort(entry, this.#rules.plan(entry, now), now)
    }
  }

  #sort(entry: T, step: Step, now: number): void {
    const at = timeOf(step)
    if (!isDue(step, now)) this.#rules.deferred?.(entry, step)
    const line = isOrder(step) ? this.#lineFor(entry, step, now) : undefined
    if (!isOrder(step) || (at > now && line === undefined)) return this.#enter(entry, at)
    entry.at = at
    entry.urgency = this.#urgencyOf(entry, step)
    const desk = this.#deskOf(entry)
    if (line === undefined) this.#stand(entry, desk.due)
    else this.#hold(entry, desk, line)
  }

  /** What it waits for with others. */
  #lineFor(entry: T, { at, limit }: Order, now: number): { readonly key: string; readonly at: number } | undefined {
    const key = this.#rules.heldBy?.(entry)
    if (key !== undefined) return { key, at: Number.POSITIVE_INFINITY }
    return at > now ? limit : undefined
  }

  #urgencyOf(entry: T, step: Order): number {
    const suspicion = this.#rules.suspicion?.(entry) ?? 0
    if (suspicion > 0) return SUSPECT + suspicion
    return urgencyOf(step, this.#rules.goodUntil(entry), this.#rules.failures(entry))
  }

  #serve(name: string, desk: Desk<T>, now: number, begin: Begin<T>): void {
    const { maxAtOnce, plan, namesOf, heldBy } = this.#rules
    while (desk.running < maxAtOnce(name)) {
      const entry = this.#nextAt(desk, now)
      if (entry === undefined) return
      const step = plan(entry, now)
      if (!isDue(step, now) || heldBy?.(entry) !== undefined) {
        this.#sort(entry, step, now)
        continue
      }
      const busy = this.#busy.get(namesOf(entry))
      if (busy !== undefined) {
        busy.waiting.push(entry)
        continue
      }
      this.#busy.set(namesOf(entry), { ordered: entry, waiting: [] })
      entry.isRunning = true
      entry.isAtDesk = true
      desk.running++
      begin(entry, step)
    }
  }

  /** The most urgent of those that are due and of those of whose limits there is something left. */
  #nextAt(desk: Desk<T>, now: number): T | undefined {
    const held = this.#opened(desk, now)?.entries.first
    const due = desk.due.first
    const next = held === undefined || (due !== undefined && isMoreUrgent(due, held)) ? due : held
    if (next !== undefined) this.#leave(next)
    return next
  }

  /** A line of whose limit there is something left. Lines that all have left are given up. */
  #opened({ lines, openings }: Desk<T>, now: number): Line<T> | undefined {
    for (let line = openings.first; line !== undefined && line.at <= now; line = openings.first) {
      if (line.entries.size > 0) return line
      openings.remove(line)
      lines.delete(line.key)
    }
    return undefined
  }

  #hold(entry: T, desk: Desk<T>, { key, at }: { readonly key: string; readonly at: number }): void {
    let line = desk.lines.get(key)
    if (line === undefined) {
      line = { place: -1, key, at, entries: new Heap<T>(isMoreUrgent) }
      desk.lines.set(key, line)
      desk.openings.add(line)
    } else if (line.at !== at) {
      line.at = at
      desk.openings.move(line)
    }
    if (at === Number.POSITIVE_INFINITY) this.#shut.set(line, desk)
    this.#stand(entry, line.entries)
  }

  #deskOf(entry: T): Desk<T> {
    const name = this.#rules.deskOf(entry)
    const known = this.#desks.get(name)
    if (known !== undefined) return known
    const openings = new Heap<Line<T>>((a, b) => a.at < b.at)
    const desk = { running: 0, due: new Heap<T>(isMoreUrgent), lines: new Map(), openings }
    this.#desks.set(name, desk)
    return desk
  }

  #enter(entry: T, at: number): void {
    entry.at = at
    if (Number.isFinite(at)) this.#stand(entry, this.#calendar)
  }

  #stand(entry: T, line: Heap<T>): void {
    entry.line = line as unknown as Heap<never>
    line.add(entry)
  }

  /** Gives those that have waited for it. */
  #leaveNames(entry: T): readonly T[] {
    const names = this.#rules.namesOf(entry)
    const busy = this.#busy.get(names)
    if (busy?.ordered !== entry) return []
    this.#busy.delete(names)
    return busy.waiting
  }

  #leave(entry: T): void {
    const line = entry.line as unknown as Heap<T> | undefined
    entry.line = undefined
    line?.remove(entry)
  }
}

/** Ahead of everything that can expire. */
const AT_ONCE = 0
/** Behind everything that can expire. */
const FIRST_ORDER = 2 ** 50

/** Behind everything. */
const SUSPECT = 2 ** 51

/**
 * The smaller is the more urgent: what was revoked or must be replaced as it is unfit, then renewals by the time at which
 * what they replace expires, then first orders, of those what has failed least: names that are hopeless hold up no others.
 */
function urgencyOf(step: Order, goodUntil: number | undefined, failures: number): number {
  if (step.type === 'renew') return goodUntil ?? AT_ONCE
  return goodUntil === undefined ? FIRST_ORDER + failures : AT_ONCE
}

function isMoreUrgent(a: Entry, b: Entry): boolean {
  return a.urgency < b.urgency || (a.urgency === b.urgency && a.at < b.at)
}
