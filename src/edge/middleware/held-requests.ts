import type { Exchange, Outcome } from '../exchange/exchange.ts'
import { HeldExchange } from '../exchange/held-exchange.ts'
import type { Sweeping, Swept } from '../sweep.ts'
import type { Handler, RequestFacts } from './middleware.ts'

/** What becomes of a request that waits. */
type Waiting = { readonly facts: RequestFacts; readonly next: Handler; readonly refuse: Handler }

/** The places for requests that wait, for all sites of a worker: each keeps a connection and what was read of it. */
export class WaitingRoom {
  readonly #places: number
  #taken = 0

  constructor(places: number) {
    this.#places = places
  }

  enter(): boolean {
    if (this.#taken >= this.#places) return false
    this.#taken++
    return true
  }

  leave(): void {
    this.#taken--
  }
}

/** The requests of a site that wait until it is open again, or until the time is over; exact to a second. */
export class HeldRequests implements Swept {
  readonly #room: WaitingRoom
  readonly #sweep: Sweeping
  readonly #waiting = new Map<HeldExchange, Waiting>()
  #until: number

  /** `until` by the clock of the sweep. */
  constructor(room: WaitingRoom, sweep: Sweeping, until: number) {
    this.#room = room
    this.#sweep = sweep
    this.#until = until
    sweep.add(this)
  }

  extend(until: number): void {
    this.#until = until
  }

  /** False, and nothing happens, where the time is over or too many wait. */
  hold(exchange: Exchange, waiting: Waiting): boolean {
    if (this.#sweep.now >= this.#until || !this.#room.enter()) return false
    const held: HeldExchange = new HeldExchange(exchange, (outcome) => this.#gone(held, outcome))
    this.#waiting.set(held, waiting)
    return true
  }

  /** Lets all through that wait. */
  release(): void {
    this.#sweep.delete(this)
    this.#empty(({ next }) => next)
  }

  /** Refuses all that wait. */
  refuse(): void {
    this.#sweep.delete(this)
    this.#empty(({ refuse }) => refuse)
  }

  sweep(now: number): void {
    if (now >= this.#until) this.#empty(({ refuse }) => refuse)
  }

  #empty(handlerOf: (waiting: Waiting) => Handler): void {
    const all = [...this.#waiting]
    this.#waiting.clear()
    for (const [held, waiting] of all) {
      this.#room.leave()
      handlerOf(waiting)(held, waiting.facts)
    }
  }

  #gone(held: HeldExchange, outcome: Outcome): void {
    const waiting = this.#waiting.get(held)
    if (waiting === undefined) return
    this.#waiting.delete(held)
    this.#room.leave()
    waiting.facts.record.onEnd(outcome)
  }
}
