/** The first octet of a representation (RFC 7541 §6): its fixed bits, and below them the prefix of an integer. */
export type Representation = {
  /** The bits that tell it from the others. */
  readonly pattern: number
  /** The largest value of the prefix: 2^N-1, which says that the integer goes on in the next octet (§5.1). */
  readonly prefix: number
}

/** RFC 7541 §6.1. */
export const INDEXED: Representation = { pattern: 0b1000_0000, prefix: 0b0111_1111 }
/** RFC 7541 §6.2.1. */
export const INCREMENTAL_INDEXING: Representation = { pattern: 0b0100_0000, prefix: 0b0011_1111 }
/** RFC 7541 §6.3. */
export const SIZE_UPDATE: Representation = { pattern: 0b0010_0000, prefix: 0b0001_1111 }
/** RFC 7541 §6.2.3. */
export const NEVER_INDEXED: Representation = { pattern: 0b0001_0000, prefix: 0b0000_1111 }
/** RFC 7541 §6.2.2. */
export const WITHOUT_INDEXING: Representation = { pattern: 0b0000_0000, prefix: 0b0000_1111 }

/** RFC 7541 §5.2: not a representation, but a part of one with the same form. */
export const HUFFMAN_STRING: Representation = { pattern: 0b1000_0000, prefix: 0b0111_1111 }
export const PLAIN_STRING: Representation = { pattern: 0b0000_0000, prefix: 0b0111_1111 }
