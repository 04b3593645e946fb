import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HpackEncoder } from '../../../../src/edge/http2/hpack/encoder.ts'
import { FIELD_NAMES } from '../../../../src/edge/http2/hpack/field-names.ts'
import { HpackError } from '../../../../src/edge/http2/hpack/hpack-error.ts'
import { encoded, newDecoder } from './bytes.ts'
import { dice, pick, text } from './dice.ts'

const ALL_OCTETS = String.fromCharCode(...Array(256).keys())
const VISIBLE = ALL_OCTETS.slice(0x20, 0x7f)
const KNOWN_NAMES = [...FIELD_NAMES.keys()]
const RECURRING = ['', '0', 'gzip', 'text/html; charset=utf-8', 'no-cache', 'max-age=31536000', '\xff\x00']

function randomFields(random: () => number): string[] {
  return Array.from({ length: Math.floor(random() * 12) }, () => {
    const name = random() < 0.8 ? pick(random, KNOWN_NAMES) : text(random, 'abcXYZ-', 40)
    const characters = random() < 0.8 ? VISIBLE : ALL_OCTETS
    return [name, random() < 0.6 ? pick(random, RECURRING) : text(random, characters, 1500)]
  }).flat()
}

test('what the encoder writes the decoder reads, with every size of the table (RFC 7541 §2.2)', () => {
  const random = dice(3)
  for (let connection = 0; connection < 60; connection++) {
    const encoder = new HpackEncoder()
    const decoder = newDecoder()
    for (let block = 0; block < 60; block++) {
      while (random() < 0.1) {
        const bytes = Math.floor(random() * 6000)
        encoder.setMaxTableBytes(bytes)
        decoder.setMaxTableBytes(bytes)
      }
      const fields = randomFields(random)
      const lowerCase = fields.map((text, at) => (at % 2 === 0 ? text.toLowerCase() : text))
      assert.deepEqual(decoder.decode(encoded(encoder, fields)).fields, lowerCase)
    }
  }
})

test('a decoder with limits stays in step with one without (RFC 9113 §4.3)', () => {
  const random = dice(4)
  for (let connection = 0; connection < 40; connection++) {
    const encoder = new HpackEncoder()
    const [free, limited] = [newDecoder(), newDecoder({ maxListBytes: 600, maxFields: 6 })]
    for (let count = 0; count < 60; count++) {
      const block = encoded(encoder, randomFields(random))
      const { fields } = free.decode(block)
      const collected = limited.decode(block)
      assert.deepEqual(collected.fields, fields.slice(0, collected.fields.length))
      assert.equal(collected.isTooLarge, collected.fields.length < fields.length)
    }
  }
})

test('any octets are fields or an HpackError, and nothing else', () => {
  const random = dice(5)
  const outcomes = new Set<string>()
  for (let round = 0; round < 30_000; round++) {
    const decoder = newDecoder({ maxTableBytes: 200, maxListBytes: 300, maxFields: 8 })
    if (random() < 0.1) decoder.setMaxTableBytes(100)
    const block =
      random() < 0.5
        ? Buffer.from(text(random, ALL_OCTETS, 40), 'latin1')
        : mutated(encoded(new HpackEncoder(), randomFields(random)), random)
    try {
      outcomes.add(decoder.decode(block).isTooLarge ? 'too large' : 'fields')
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      outcomes.add(error.code)
    }
  }
  assert.equal(outcomes.size, 12, [...outcomes].join())
})

function mutated(block: Buffer, random: () => number): Buffer {
  const copy = Buffer.from(block)
  for (let count = Math.floor(random() * 4); count > 0; count--) {
    const at = Math.floor(random() * copy.length)
    // EOS takes four octets of ones, which the dice hardly ever show.
    if (random() < 0.5) copy.subarray(at, at + 5).fill(0xff)
    else copy[at] = Math.floor(random() * 256)
  }
  return copy
}
