import { HpackError } from './hpack-error.ts'
import { decodeHuffman } from './huffman.ts'
import { HUFFMAN_STRING, type Representation } from './representation.ts'

/** RFC 7541 §7.4 asks for a limit. This one holds every length and size that HTTP/2 can express. */
const MAX_INTEGER = 2 ** 31 - 1
/** After the prefix. So many hold MAX_INTEGER; more can only be zeros (RFC 7541 §5.1). */
const MAX_INTEGER_OCTETS = 5

/** Reads the primitive types (RFC 7541 §5) of one field block from left to right. Beyond the end it throws HpackError. */
export class BlockReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  octet(): number {
    if (this.#at === this.#bytes.length) throw new HpackError('hpack-block-truncated')
    return this.#bytes[this.#at++]!
  }

  /** Whether the representation that comes next is of this kind; false at the end. */
  startsWith({ pattern, prefix }: Representation): boolean {
    return !this.isAtEnd && (this.#bytes[this.#at]! & ~prefix) === pattern
  }

  /** The integer whose prefix is in `first`, an octet that has been read (RFC 7541 §5.1). */
  integer(first: number, prefix: number): number {
    const value = first & prefix
    return value < prefix ? value : this.#longInteger(prefix)
  }

  #longInteger(prefix: number): number {
    let value = prefix
    let scale = 1
    for (let octets = 0; octets < MAX_INTEGER_OCTETS && value <= MAX_INTEGER; octets++) {
      const octet = this.octet()
      value += (octet & 0x7f) * scale
      scale *= 0x80
      if (octet < 0x80 && value <= MAX_INTEGER) return value
    }
    throw new HpackError('hpack-integer-too-large')
  }

  /**
   * A string literal (RFC 7541 §5.2), one character an octet; undefined if it has more than `maxBytes`, which costs no
   * more than reading over it. Either way it is checked.
   */
  string(maxBytes: number): string | undefined {
    const first = this.octet()
    const length = this.integer(first, HUFFMAN_STRING.prefix)
    const start = this.#at
    const end = start + length
    if (end > this.#bytes.length) throw new HpackError('hpack-block-truncated')
    this.#at = end
    if (first >= HUFFMAN_STRING.pattern) return decodeHuffman(this.#bytes, start, end, maxBytes)
    return length > maxBytes ? undefined : this.#bytes.toString('latin1', start, end)
  }
}
