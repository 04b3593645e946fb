/**
 * A window that we have opened to the peer (RFC 9113 §6.9.1), for a stream or for the connection. It is given back as
 * its octets are consumed, and grows each time that the peer has used it up and all of it was consumed: so a transfer
 * that flows gets more, and one that waits for a slow receiver never holds more than it began with.
 */
export class ReceiveWindow {
  readonly #maxBytes: number
  /** What the peer may have under way at most. */
  #size: number
  /** What the peer may still send. */
  #left: number
  /** Consumed, but not yet given back. */
  #owed = 0
  /** Consumed since the window has last grown. */
  #consumed = 0

  /** `bytes` are open from the beginning. */
  constructor(bytes: number, maxBytes: number) {
    this.#size = bytes
    this.#left = bytes
    this.#maxBytes = Math.max(bytes, maxBytes)
  }

  /** So many octets came. False if that is more than the peer was allowed to send. */
  receive(bytes: number): boolean {
    this.#left -= bytes
    return this.#left >= 0
  }

  /** So many octets need no memory any more. Returns the increment to announce now, or 0. */
  consume(bytes: number): number {
    this.#owed += bytes
    this.#consumed += bytes
    if (this.#consumed >= this.#size) this.#grow()
    // Half a window at a time: less would be a frame for each piece, more would let the peer wait.
    return this.#owed * 2 >= this.#size ? this.#giveBack() : 0
  }

  /** Opens the window to `bytes` at once. Returns the increment to announce, or 0. */
  openTo(bytes: number): number {
    if (bytes <= this.#size) return 0
    this.#owed += bytes - this.#size
    this.#size = bytes
    return this.#giveBack()
  }

  #grow(): void {
    const size = Math.min(this.#maxBytes, this.#size * 2)
    this.#owed += size - this.#size
    this.#size = size
    this.#consumed = 0
  }

  #giveBack(): number {
    const increment = this.#owed
    this.#left += increment
    this.#owed = 0
    return increment
  }
}
