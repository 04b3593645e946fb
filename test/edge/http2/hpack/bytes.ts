import { HpackDecoder, type HpackDecoderOptions } from '../../../../src/edge/http2/hpack/decoder.ts'
import type { HpackEncoder } from '../../../../src/edge/http2/hpack/encoder.ts'

/** Octets from hexadecimal digits; blanks are for the reader. */
export function hex(digits: string): Buffer {
  return Buffer.from(digits.replaceAll(/\s/g, ''), 'hex')
}

/** A decoder as a connection begins with it, and limits that no test meets by accident. */
export function newDecoder(options: Partial<HpackDecoderOptions> = {}): HpackDecoder {
  return new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 1_000_000, maxFields: 10_000, ...options })
}

/** The block that the encoder writes, by itself. */
export function encoded(encoder: HpackEncoder, fields: readonly string[], pseudo: readonly string[] = []): Buffer {
  const out = Buffer.alloc(200_000)
  const end = encoder.encode(pseudo, fields, out, 0)
  if (end < 0) throw new Error('no room in the test')
  return out.subarray(0, end)
}

const INDEXED = 0x80
const FIRST_DYNAMIC_INDEX = 62

/** The newest `count` entries of the dynamic table, which referring to them does not change. */
export function newestEntries(decoder: HpackDecoder, count: number): string[] {
  const references = Array.from({ length: count }, (_, at) => Buffer.from([INDEXED + FIRST_DYNAMIC_INDEX + at]))
  return references.flatMap((block) => decoder.decode(block).fields)
}
