import { CastellanError, type Facts } from '../../../errors.ts'

/** What is wrong with a field block, as a sentence for the log. */
const SENTENCES = {
  /** RFC 7541 §5.1, §7.4. */
  'hpack-integer-too-large': 'An integer in the field block is too large or too long.',
  /** RFC 7541 §2.3.3, §6.1. */
  'hpack-index-invalid': 'The field block refers to an entry that neither table has.',
  /** RFC 7541 §5.2. */
  'hpack-huffman-padding-too-long': 'A Huffman-encoded string in the field block is padded with more than 7 bits.',
  /** RFC 7541 §5.2. */
  'hpack-huffman-padding-invalid': 'A Huffman-encoded string in the field block is padded with other bits than ones.',
  /** RFC 7541 §5.2. */
  'hpack-huffman-eos': 'A Huffman-encoded string in the field block contains EOS.',
  /** RFC 7541 §3.1: the block ends within a representation. */
  'hpack-block-truncated': 'The field block ends before what it announces.',
  /** RFC 7541 §6.3. */
  'hpack-size-update-too-large': 'The field block sets a dynamic table size above the limit.',
  /** RFC 7541 §4.2. */
  'hpack-size-update-late': 'The field block changes the dynamic table size after its first field.',
  /** RFC 7541 §4.2. */
  'hpack-size-update-repeated': 'The field block changes the dynamic table size more than twice.',
  /** RFC 9113 §4.3.1. */
  'hpack-size-update-missing': 'The field block does not lower the dynamic table size, although the limit was lowered.',
} as const

export type HpackErrorCode = keyof typeof SENTENCES

/**
 * A field block that cannot be decoded. The dynamic table may be out of step after it, so it is a connection error of
 * type COMPRESSION_ERROR (RFC 9113 §4.3).
 */
export class HpackError extends CastellanError {
  declare readonly code: HpackErrorCode

  constructor(code: HpackErrorCode, facts: Facts = {}) {
    super(code, SENTENCES[code], facts)
  }
}
