/** Someone whose deadlines are looked at now and then. */
export interface Swept {
  /** `now` in milliseconds from any start, the same as `Sweep.now`. Must not throw. */
  sweep(now: number): void
}

/** How exact deadlines are. They are seconds and minutes long, and there for peers that do not behave. */
export const SWEEP_INTERVAL_MS = 1_000

/** What a member needs of a sweep. */
export type Sweeping = Pick<Sweep, 'now' | 'add' | 'delete'>

/**
 * Looks at the deadlines of many connections with one timer, where a timer for each would be armed and disarmed several
 * times a request. Members read `now` to note when something began: it stands still between two rounds, and costs nothing.
 */
export class Sweep {
  #now: number
  readonly #clock: () => number
  readonly #members = new Set<Swept>()
  #timer: NodeJS.Timeout | undefined

  /** `clock` gives milliseconds from any start. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock
    this.#now = clock()
  }

  /** The time of the latest round: at most SWEEP_INTERVAL_MS ago while there are members. */
  get now(): number {
    return this.#now
  }

  add(member: Swept): void {
    this.#members.add(member)
    if (this.#timer !== undefined) return
    this.#now = this.#clock()
    this.#timer = setInterval(() => this.run(), SWEEP_INTERVAL_MS)
    // Sockets keep the process alive as long as it has something to do; deadlines need not.
    this.#timer.unref()
  }

  delete(member: Swept): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** One round. Members may leave, or others join, while it goes on. */
  run(): void {
    this.#now = this.#clock()
    for (const member of this.#members) member.sweep(this.#now)
  }
}
