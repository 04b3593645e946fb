import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HpackDecoder } from '../../../../src/edge/http2/hpack/decoder.ts'
import { HpackError, type HpackErrorCode } from '../../../../src/edge/http2/hpack/hpack-error.ts'
import { CastellanError } from '../../../../src/errors.ts'
import { hex, newDecoder } from './bytes.ts'

/** Each block is given to a decoder of its own, whose table of 4,096 octets is empty. */
function throwsFor(code: HpackErrorCode, ...blocks: readonly string[]): void {
  for (const block of blocks) {
    assert.throws(
      () => newDecoder().decode(hex(block)),
      (error) => error instanceof HpackError && error.code === code,
      block,
    )
  }
}

function decodes(block: string, ...fields: readonly string[]): void {
  assert.deepEqual(newDecoder().decode(hex(block)).fields, fields, block)
}

test('an error has its code and a sentence', () => {
  const error = new HpackError('hpack-index-invalid', { index: 0 })
  assert.ok(error instanceof CastellanError)
  assert.equal(error.name, 'HpackError')
  assert.equal(error.message, 'The field block refers to an entry that neither table has.')
  assert.deepEqual(error.facts, { index: 0 })
})

test('index 0 is an error in an indexed field (RFC 7541 §6.1)', () => {
  throwsFor('hpack-index-invalid', '80', '8280', '8082')
})

test('an index beyond both tables is an error in every representation (RFC 7541 §2.3.3)', () => {
  decodes('bd', 'www-authenticate', '')
  throwsFor('hpack-index-invalid', 'be', 'bf', 'ff00', 'ff8001', 'ffffffff0f')
  throwsFor('hpack-index-invalid', '7e0131', '7f000131', '0f2f0131', '1f2f0131')
  decodes('40016101 31be', 'a', '1', 'a', '1')
  throwsFor('hpack-index-invalid', '4001610131bf')
})

test('an entry that was evicted cannot be referred to (RFC 7541 §4.4)', () => {
  const decoder = newDecoder({ maxTableBytes: 34 })
  decoder.decode(hex('4001610131 4001620131'))
  assert.deepEqual(decoder.decode(hex('be')).fields, ['b', '1'])
  assert.throws(() => decoder.decode(hex('bf')), { code: 'hpack-index-invalid' })
})

test('an integer above 2^31-1 is an error (RFC 7541 §5.1)', () => {
  // As an index, as a length, as a size: 127 + (2^31 - 1 - 127) is the largest that is looked at.
  throwsFor('hpack-index-invalid', 'ff80ffffff07')
  throwsFor('hpack-integer-too-large', 'ff81ffffff07', 'ffffffffff0f', 'ffffffffff7f')
  throwsFor('hpack-block-truncated', '007f80ffffff07')
  throwsFor('hpack-integer-too-large', '007f81ffffff07', '00ff81ffffff07', '0001617f81ffffff07')
  throwsFor('hpack-size-update-too-large', '3fe0ffffff07')
  throwsFor('hpack-integer-too-large', '3fe1ffffff07')
})

test('an integer of more than 5 octets after its prefix is an error, even of zeros (RFC 7541 §5.1, §7.4)', () => {
  decodes('0f8080808000 00', 'accept-charset', '')
  throwsFor('hpack-integer-too-large', 'ff808080808000', '0f80808080800000', `3f${'80'.repeat(1000)}00`)
})

test('an integer may be longer than it needs to be (RFC 7541 §5.1)', () => {
  for (const length of ['7f00', '7f8000', '7f808000']) {
    const block = `0001 61 ${length} ${'62'.repeat(127)}`
    assert.deepEqual(newDecoder().decode(hex(block)).fields, ['a', 'b'.repeat(127)], length)
  }
})

test('a block that ends within a representation is an error, wherever it is cut (RFC 7541 §3.1)', () => {
  for (const representation of [
    'ff00',
    '0f0001 31',
    '1f0001 31',
    '410131',
    '4001610131',
    '0001610131',
    '1001610131',
    '40811f 8225a8',
    `00 7f04 ${'61'.repeat(131)} 00`,
  ]) {
    const block = hex(representation)
    for (let end = 1; end < block.length; end++) throwsFor('hpack-block-truncated', block.toString('hex', 0, end))
  }
})

test('Huffman padding longer than 7 bits is an error, in a name and in a value (RFC 7541 §5.2)', () => {
  throwsFor('hpack-huffman-padding-too-long', '0081ff00', '000161 81ff', '4181ff', '018d f1e3c2e5f23a6ba0ab90f4ff ff')
})

test('Huffman padding that is not all ones is an error (RFC 7541 §5.2)', () => {
  decodes('01811f', ':authority', 'a')
  throwsFor('hpack-huffman-padding-invalid', '01811e', '018118', '008118 00', '418118')
})

test('EOS in a Huffman-encoded string is an error (RFC 7541 §5.2)', () => {
  throwsFor('hpack-huffman-eos', '0184ffffffff', '0084ffffffff00', '01851fffffffff', '4185fffffffffc')
})

test('a wrong string is an error also where nothing is collected any more (RFC 7541 §5.2)', () => {
  for (const [block, code] of [
    ['018118', 'hpack-huffman-padding-invalid'],
    ['0184ffffffff', 'hpack-huffman-eos'],
    ['0181ff', 'hpack-huffman-padding-too-long'],
    ['01021f', 'hpack-block-truncated'],
    ['be', 'hpack-index-invalid'],
    ['20', 'hpack-size-update-late'],
  ] as const)
    assert.throws(() => newDecoder({ maxFields: 1 }).decode(hex(`8282${block}`)), { code }, block)
})

test('a size update above the limit is an error (RFC 7541 §6.3)', () => {
  decodes('3fe11f82', ':method', 'GET')
  throwsFor('hpack-size-update-too-large', '3fe21f', '3fe11f3fe21f')
  assert.throws(() => newDecoder({ maxTableBytes: 0 }).decode(hex('21')), { code: 'hpack-size-update-too-large' })
})

test('a size update after a field is an error (RFC 7541 §4.2)', () => {
  throwsFor('hpack-size-update-late', '8220', '82208220', '20823fe11f')
})

test('a third size update is an error (RFC 7541 §4.2)', () => {
  decodes('203fe11f82', ':method', 'GET')
  throwsFor('hpack-size-update-repeated', '202020', '203fe11f2082')
})

const MISSING = { code: 'hpack-size-update-missing' }
const TOO_LARGE = { code: 'hpack-size-update-too-large' }

function loweredTo99(): HpackDecoder {
  const decoder = newDecoder()
  decoder.decode(hex('82'))
  decoder.setMaxTableBytes(99)
  return decoder
}

test('after the limit was lowered a block must begin with a size update up to it (RFC 9113 §4.3.1)', () => {
  for (const block of ['3f4482', '2082', '203f4482']) {
    const decoder = loweredTo99()
    for (const next of [block, '82']) assert.deepEqual(decoder.decode(hex(next)).fields, [':method', 'GET'], block)
  }
  for (const block of ['82', '', '823f44']) assert.throws(() => loweredTo99().decode(hex(block)), MISSING, block)
  for (const block of ['3f4582', '3fe11f82']) assert.throws(() => loweredTo99().decode(hex(block)), TOO_LARGE, block)
})

test('a limit that was lowered and raised again must be followed all the same (RFC 7541 §4.2)', () => {
  const lowered = (): HpackDecoder => {
    const decoder = newDecoder()
    decoder.decode(hex('4001610131'))
    decoder.setMaxTableBytes(0)
    decoder.setMaxTableBytes(2048)
    return decoder
  }
  assert.throws(() => lowered().decode(hex('82')), MISSING)
  assert.throws(() => lowered().decode(hex('3fe10f82')), MISSING)
  assert.throws(() => lowered().decode(hex('20be')), { code: 'hpack-index-invalid' })
  assert.throws(() => lowered().decode(hex('203fe20f')), TOO_LARGE)
  const decoder = lowered()
  assert.deepEqual(decoder.decode(hex('203fe10f82')).fields, [':method', 'GET'])
})

test('a limit that was raised, or lowered to what the table has anyway, asks for nothing (RFC 9113 §4.3.1)', () => {
  const decoder = newDecoder({ maxTableBytes: 100 })
  decoder.setMaxTableBytes(4096)
  assert.deepEqual(decoder.decode(hex('82')).fields, [':method', 'GET'])
  decoder.setMaxTableBytes(100)
  assert.deepEqual(decoder.decode(hex('82')).fields, [':method', 'GET'])
  assert.throws(() => decoder.decode(hex('3f4682')), TOO_LARGE)
})
