import assert from 'node:assert/strict'
import { test } from 'node:test'
import { derElement, derElements, encodeDer } from '../../src/pki/der-element.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const trace = (text: string): string[] =>
  derElements(hex(text)).map(({ tag, content }) => `${tag.toString(16)}:${content.toString('hex')}`)

test('elements follow one another and fill the bytes', () => {
  assert.deepEqual(trace('02 01 05  04 00  30 03 020107'), ['2:05', '4:', '30:020107'])
  assert.deepEqual(trace(''), [])
})

test('lengths of one to three octets are read (X.690 §8.1.3)', () => {
  assert.equal(trace(`04 7f ${'ab'.repeat(127)}`)[0]?.length, 2 + 254)
  assert.equal(trace(`04 8180 ${'ab'.repeat(128)}`)[0]?.length, 2 + 256)
  assert.equal(trace(`04 820100 ${'ab'.repeat(256)}`)[0]?.length, 2 + 512)
  assert.equal(trace(`04 83010000 ${'ab'.repeat(65_536)}`)[0]?.length, 2 + 131_072)
})

for (const [rule, bytes] of [
  ['a length beyond the end', '04 02 01'],
  ['a length of a gigabyte', '04 83ffffff 00'],
  ['a length of more than three octets', '04 8401000000 00'],
  ['a length that is cut off', '04 82 01'],
  ['a missing length', '04'],
  ['an indefinite length (X.690 §10.1)', '30 80 0000'],
  ['a length that is longer than need be (X.690 §10.1)', '04 8101 00'],
  ['a length with a leading zero', `04 820080 ${'00'.repeat(128)}`],
  ['a tag of several octets', '1f 81 01 00'],
] as const)
  test(`${rule} is refused`, () => assert.throws(() => trace(bytes), RangeError))

test('one element is one, and of the tag that is asked for', () => {
  assert.equal(derElement(hex('0400'), 0x04).content.length, 0)
  for (const bytes of ['', '0200', '0400 0400']) assert.throws(() => derElement(hex(bytes), 0x04), RangeError)
})

test('what is written is read as it was, at every size of the length', () => {
  for (const size of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff]) {
    const content = Buffer.alloc(size, 7)
    const written = encodeDer(0x30, content.subarray(0, size / 2), content.subarray(size / 2))
    const element = derElement(written, 0x30)
    assert.deepEqual(element.content, content)
    assert.deepEqual(element.whole, written)
  }
  assert.throws(() => encodeDer(0x30, Buffer.alloc(0x10000)), RangeError)
})
