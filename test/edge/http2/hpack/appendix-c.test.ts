import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockReader } from '../../../../src/edge/http2/hpack/block-reader.ts'
import { writeInteger, writePlainString } from '../../../../src/edge/http2/hpack/block-writer.ts'
import { HpackEncoder } from '../../../../src/edge/http2/hpack/encoder.ts'
import { fieldNames } from '../../../../src/edge/http2/hpack/field-names.ts'
import {
  INCREMENTAL_INDEXING,
  NEVER_INDEXED,
  type Representation,
  SIZE_UPDATE,
} from '../../../../src/edge/http2/hpack/representation.ts'
import {
  type Example,
  HUFFMAN_REQUESTS,
  HUFFMAN_RESPONSES,
  PLAIN_REQUESTS,
  PLAIN_RESPONSES,
  REPRESENTATIONS,
  RESPONSE_TABLE_BYTES,
} from './appendix-c.ts'
import { encoded, hex, newDecoder, newestEntries } from './bytes.ts'

/** RFC 7541 C.1: the value, the largest of its prefix, the octets. */
const INTEGERS = [
  ['C.1.1', 10, 0b11111, '0a'],
  ['C.1.2', 1337, 0b11111, '1f9a0a'],
  ['C.1.3', 42, 0b11111111, '2a'],
] as const

for (const [section, value, prefix, octets] of INTEGERS) {
  test(`reads and writes the integer of RFC 7541 ${section}`, () => {
    const reader = new BlockReader(hex(octets))
    assert.equal(reader.integer(reader.octet(), prefix), value)
    assert.ok(reader.isAtEnd)
    const out = Buffer.alloc(8)
    assert.deepEqual(out.subarray(0, writeInteger({ pattern: 0, prefix }, value, out, 0)), hex(octets))
  })
}

function checkDecoding(examples: readonly Example[], maxTableBytes: number): void {
  const decoder = newDecoder({ maxTableBytes })
  for (const { section, octets, fields, table } of examples) {
    assert.deepEqual(decoder.decode(hex(octets)).fields, fields, section)
    assert.deepEqual(newestEntries(decoder, table.length / 2), table, section)
  }
  const { table } = examples.at(-1)!
  assert.throws(() => newestEntries(decoder, table.length / 2 + 1), { code: 'hpack-index-invalid' })
}

for (const example of REPRESENTATIONS)
  test(`decodes the representation of RFC 7541 ${example.section}`, () => checkDecoding([example], 4096))

for (const [section, examples, maxTableBytes] of [
  ['C.3', PLAIN_REQUESTS, 4096],
  ['C.4', HUFFMAN_REQUESTS, 4096],
  ['C.5', PLAIN_RESPONSES, RESPONSE_TABLE_BYTES],
  ['C.6', HUFFMAN_RESPONSES, RESPONSE_TABLE_BYTES],
] as const)
  test(`decodes the blocks of RFC 7541 ${section} and keeps its table`, () => checkDecoding(examples, maxTableBytes))

/** The examples index all fields that they do not call sensitive. */
const NAMES = fieldNames({
  indexed: [...HUFFMAN_REQUESTS, ...HUFFMAN_RESPONSES].flatMap(({ fields }) => fields.filter((_, at) => at % 2 === 0)),
  changing: [],
  sensitive: {},
})

test('encodes the lists of RFC 7541 C.3 and C.4 into the octets of C.4', () => {
  const encoder = new HpackEncoder(NAMES)
  for (const { section, octets, fields } of HUFFMAN_REQUESTS)
    assert.deepEqual(encoded(encoder, fields), hex(octets), section)
})

test('encodes the lists of RFC 7541 C.5 and C.6 into the octets of C.6', () => {
  const encoder = new HpackEncoder(NAMES)
  encoder.setMaxTableBytes(RESPONSE_TABLE_BYTES)
  const [first, second, third] = HUFFMAN_RESPONSES
  // The RFC's connection has this size from its beginning, while ours must announce it.
  assert.deepEqual(encoded(encoder, first!.fields), Buffer.concat([hex('3fe101'), hex(first!.octets)]))
  // "307" has three octets with and without the code. The RFC takes it even then; we do not.
  assert.deepEqual(encoded(encoder, second!.fields), hex(PLAIN_RESPONSES[1]!.octets))
  assert.deepEqual(encoded(encoder, third!.fields), hex(third!.octets))
})

/** A field that is written with its name, and without the Huffman code. */
function plainLiteral(kind: Representation, [name, value]: readonly string[]): Buffer {
  const out = Buffer.alloc(100)
  return out.subarray(0, writePlainString(value!, out, writePlainString(name!, out, writeInteger(kind, 0, out, 0))))
}

test('encodes the representations of RFC 7541 C.2', () => {
  const [indexed, path, password, method] = REPRESENTATIONS
  assert.deepEqual(plainLiteral(INCREMENTAL_INDEXING, indexed!.fields), hex(indexed!.octets))
  assert.deepEqual(encoded(new HpackEncoder(), path!.fields), hex(path!.octets))
  assert.deepEqual(plainLiteral(NEVER_INDEXED, password!.fields), hex(password!.octets))
  assert.deepEqual(encoded(new HpackEncoder(), method!.fields), hex(method!.octets))
})

test('a size update is written as RFC 7541 §6.3 draws it', () => {
  const out = Buffer.alloc(8)
  assert.deepEqual(out.subarray(0, writeInteger(SIZE_UPDATE, 0, out, 0)), hex('20'))
  assert.deepEqual(out.subarray(0, writeInteger(SIZE_UPDATE, 4096, out, 0)), hex('3fe11f'))
})
