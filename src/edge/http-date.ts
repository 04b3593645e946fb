import type { Clock } from '../system/clock.ts'

/** The time as a Date field says it (RFC 9110 §5.6.7), written anew once a second at most. */
export class HttpDate {
  readonly #clock: Pick<Clock, 'now'>
  #second = Number.NaN
  #text = ''

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  now(): string {
    const second = Math.floor(this.#clock.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#text = new Date(second * 1000).toUTCString()
    }
    return this.#text
  }
}
