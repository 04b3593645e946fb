/** The bytes end before what they announce, or go on after it. */
export class TruncatedError extends Error {}

/** Reads numbers and vectors (RFC 8446 §3.4) from left to right. Every method throws TruncatedError beyond the end. */
export class ByteCursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  uint8(): number {
    return this.bytes(1)[0]!
  }

  uint16(): number {
    return this.bytes(2).readUInt16BE(0)
  }

  /** The next `count` bytes, not copied. */
  bytes(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#bytes.length) throw new TruncatedError()
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  /** A vector whose length stands before it in one byte. */
  vector8(): ByteCursor {
    return new ByteCursor(this.bytes(this.uint8()))
  }

  /** A vector whose length stands before it in two bytes. */
  vector16(): ByteCursor {
    return new ByteCursor(this.bytes(this.uint16()))
  }

  /** All that is left, as numbers of two bytes. */
  uint16s(): number[] {
    const numbers: number[] = []
    while (!this.isAtEnd) numbers.push(this.uint16())
    return numbers
  }

  /** All that is left, not copied. */
  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at)
  }

  /** Throws TruncatedError unless everything has been read. */
  expectEnd(): void {
    if (!this.isAtEnd) throw new TruncatedError()
  }
}
