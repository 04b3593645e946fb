import { encodeHuffman, huffmanBytes } from './huffman.ts'
import { HUFFMAN_STRING, PLAIN_STRING, type Representation } from './representation.ts'

// Writes the primitive types (RFC 7541 §5). Each function returns the offset after what it wrote; there must be room.

/** The octets of an integer beside its prefix, which hold up to 2^35: more than a string can have characters. */
const MAX_INTEGER_OCTETS = 5
/** What a string literal takes at most beyond the characters: its length. */
export const MAX_STRING_OVERHEAD_BYTES = 1 + MAX_INTEGER_OCTETS

/** An integer in the prefix of a representation, whose other bits are its pattern (RFC 7541 §5.1). */
export function writeInteger({ pattern, prefix }: Representation, value: number, out: Buffer, at: number): number {
  if (value < prefix) {
    out[at] = pattern | value
    return at + 1
  }
  out[at++] = pattern | prefix
  let rest = value - prefix
  for (; rest >= 0x80; rest >>>= 7) out[at++] = 0x80 | (rest & 0x7f)
  out[at] = rest
  return at + 1
}

/** A string as it is, each character an octet. 20 ns, however long: this is native. */
export function writePlainString(text: string, out: Buffer, at: number): number {
  const start = writeInteger(PLAIN_STRING, text.length, out, at)
  return start + out.write(text, start, 'latin1')
}

/** A string in the Huffman code, unless it is shorter without. */
export function writeShortestString(text: string, out: Buffer, at: number): number {
  const bytes = huffmanBytes(text)
  if (bytes >= text.length) return writePlainString(text, out, at)
  return encodeHuffman(text, out, writeInteger(HUFFMAN_STRING, bytes, out, at))
}
