import { type Priority, URGENCIES } from './priority.ts'

/** Something that has content to send, as far as the order matters. */
export interface Scheduled {
  readonly id: number
  readonly priority: Priority
  isScheduled: boolean
}

/** Those of one urgency. */
type Level<T> = {
  /** One after the other, in the order of their requests. */
  readonly whole: T[]
  /** In turn, a frame each. */
  readonly incremental: T[]
}

/**
 * The order in which streams send (RFC 9218 §10): by urgency; of one urgency first those that are of use only when
 * whole, the older first, then the incremental ones in turn. Whoever is in it can send now.
 */
export class SendSchedule<T extends Scheduled> {
  readonly #levels: (Level<T> | undefined)[] = new Array(URGENCIES).fill(undefined)
  #count = 0

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Does nothing if it is in the schedule. */
  add(it: T): void {
    if (it.isScheduled) return
    it.isScheduled = true
    this.#count++
    const { urgency, isIncremental } = it.priority
    this.#levels[urgency] ??= { whole: [], incremental: [] }
    const { whole, incremental } = this.#levels[urgency]
    if (isIncremental) incremental.push(it)
    else insertById(whole, it)
  }

  /** Does nothing if it is not. `priority` must be what it was when it was added. */
  remove(it: T): void {
    if (!it.isScheduled) return
    it.isScheduled = false
    this.#count--
    const { urgency, isIncremental } = it.priority
    const level = this.#levels[urgency]!
    const queue = isIncremental ? level.incremental : level.whole
    queue.splice(queue.indexOf(it), 1)
  }

  /** Whose turn it is. An incremental one goes behind its like. */
  next(): T | undefined {
    if (this.#count === 0) return undefined
    for (const level of this.#levels) {
      if (level === undefined) continue
      if (level.whole.length > 0) return level.whole[0]
      const first = level.incremental.shift()
      if (first === undefined) continue
      level.incremental.push(first)
      return first
    }
    return undefined
  }
}

/** Most are the newest. */
function insertById<T extends Scheduled>(queue: T[], it: T): void {
  let at = queue.length
  while (at > 0 && queue[at - 1]!.id > it.id) at--
  queue.splice(at, 0, it)
}
