import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { decodeHuffman, encodeHuffman, huffmanBytes } from '../../../../src/edge/http2/hpack/huffman.ts'
import { CODE_BITS, CODES } from '../../../../src/edge/http2/hpack/huffman-code.ts'
import { hex } from './bytes.ts'
import { dice, text } from './dice.ts'

function encode(string: string): Buffer {
  const out = Buffer.alloc(4 * string.length + 1)
  return out.subarray(0, encodeHuffman(string, out, 0))
}

function decode(octets: Buffer): string | undefined {
  return decodeHuffman(octets, 0, octets.length, 100_000)
}

/** Digits of ones and zeros, padded with ones to whole octets. */
function octetsOf(bits: string): Buffer {
  const padded = bits.padEnd(8 * Math.ceil(bits.length / 8), '1')
  return Buffer.from((padded.match(/.{8}/g) ?? []).map((octet) => Number.parseInt(octet, 2)))
}

function codeOf(symbol: number): string {
  return CODES[symbol]!.toString(2).padStart(CODE_BITS[symbol]!, '0')
}

const ALL_OCTETS = String.fromCharCode(...Array(256).keys())

test('the code is that of RFC 7541 Appendix B', () => {
  // Of the columns "sym", "code as hex" and "len in bits" of its 257 rows, as taken from the text of the RFC.
  const rows = Array.from(CODES, (code, symbol) => `${symbol} ${code.toString(16)} ${CODE_BITS[symbol]}\n`)
  assert.equal(
    createHash('sha256').update(rows.join('')).digest('hex'),
    '83d3e71d59b887a6b1329636bb3230aea58e89cc668aefbde9139061f5a0fc9c',
  )
})

test('every octet comes back, alone, after and before every other (RFC 7541 §5.2)', () => {
  for (const first of ALL_OCTETS) {
    assert.equal(decode(encode(first)), first)
    for (const second of ALL_OCTETS) assert.equal(decode(encode(first + second)), first + second)
  }
})

test('the encoding is the codes in a row, padded with ones (RFC 7541 §5.2)', () => {
  const random = dice(1)
  for (const string of ['', 'a', ALL_OCTETS, ...Array.from({ length: 500 }, () => text(random, ALL_OCTETS, 60))]) {
    const expected = octetsOf(Array.from(string, (character) => codeOf(character.charCodeAt(0))).join(''))
    assert.deepEqual(encode(string), expected)
    assert.equal(huffmanBytes(string), expected.length)
  }
})

test('a string comes back whole, whether or not it has room where short ones are decoded', () => {
  for (let length = 16_350; length < 16_420; length++) assert.equal(decode(encode('0'.repeat(length)))?.length, length)
  const long = 'text/html; '.repeat(9_000)
  assert.equal(decode(encode(long)), long)
})

test('a string beyond the limit is not made', () => {
  const octets = encode('12345678')
  assert.equal(decodeHuffman(octets, 0, octets.length, 8), '12345678')
  assert.equal(decodeHuffman(octets, 0, octets.length, 7), undefined)
})

test('only the octets from start to end are read', () => {
  const octets = Buffer.concat([hex('00'), encode('abc'), hex('00')])
  assert.equal(decodeHuffman(octets, 1, octets.length - 1, 100), 'abc')
})

test('padding of 0 to 7 ones is no part of the string (RFC 7541 §5.2)', () => {
  const paddings = new Set<number>()
  for (const string of ['&', '0', '00', '000', 'X', 'XX:', '00000000', '0:', '0000:', '000X', '0::', 'a?', '??'])
    for (let repeat = 1; repeat <= 8; repeat++) {
      const bits = Array.from(string.repeat(repeat), (character) => codeOf(character.charCodeAt(0))).join('')
      paddings.add((8 - (bits.length % 8)) % 8)
      assert.equal(decode(octetsOf(bits)), string.repeat(repeat))
    }
  assert.deepEqual([...paddings].sort(), [0, 1, 2, 3, 4, 5, 6, 7])
})

test('padding of more than 7 bits is an error (RFC 7541 §5.2)', () => {
  const tooLong = { code: 'hpack-huffman-padding-too-long' }
  for (const octets of ['ff', 'ffff', 'ffffff', '1fff', 'f8ff', 'f8ffff'])
    assert.throws(() => decode(hex(octets)), tooLong, octets)
  for (let symbol = 0; symbol < 256; symbol++) {
    const padded = octetsOf(codeOf(symbol))
    assert.throws(() => decode(Buffer.concat([padded, hex('ff')])), tooLong)
  }
})

test('padding that is not all ones is an error (RFC 7541 §5.2)', () => {
  const invalid = { code: 'hpack-huffman-padding-invalid' }
  // "0" is 00000; every other padding of three bits is wrong.
  for (let padding = 0; padding < 0b111; padding++) assert.throws(() => decode(Buffer.from([padding])), invalid)
  // "X" is 11111100 and needs none, so an octet of anything else is no padding, but half a code.
  for (const octets of ['fcfe', 'fffe', 'fffffe']) assert.throws(() => decode(hex(octets)), invalid, octets)
})

test('EOS within the string is an error (RFC 7541 §5.2)', () => {
  const eos = { code: 'hpack-huffman-eos' }
  assert.throws(() => decode(hex('ffffffff')), eos)
  for (const before of ['', 'a', 'ab', 'X', '\xff'])
    for (const after of ['', 'a', 'abc', 'X']) {
      const bits = [...before].map((it) => codeOf(it.charCodeAt(0))).join('') + codeOf(256)
      const octets = octetsOf(bits + [...after].map((it) => codeOf(it.charCodeAt(0))).join(''))
      assert.throws(() => decode(octets), eos, `${before}|${after}`)
    }
})
