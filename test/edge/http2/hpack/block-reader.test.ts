import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BlockReader } from '../../../../src/edge/http2/hpack/block-reader.ts'
import { SIZE_UPDATE } from '../../../../src/edge/http2/hpack/representation.ts'
import { hex } from './bytes.ts'

test('a string beyond the limit is read over, with and without the Huffman code (RFC 7541 §5.2)', () => {
  for (const string of ['03616263', '821c64', '0100']) {
    const reader = new BlockReader(hex(`${string} 0178`))
    assert.equal(reader.string(0), undefined, string)
    assert.equal(reader.string(1), 'x', string)
    assert.ok(reader.isAtEnd)
  }
})

test('an empty string is within every limit', () => {
  assert.equal(new BlockReader(hex('00')).string(0), '')
  assert.equal(new BlockReader(hex('80')).string(0), '')
})

test('what comes next is told by its pattern, and the end by nothing (RFC 7541 §6)', () => {
  for (const [block, expected] of [
    ['20', true],
    ['3f', true],
    ['1f', false],
    ['40', false],
    ['a0', false],
    ['', false],
  ] as const)
    assert.equal(new BlockReader(hex(block)).startsWith(SIZE_UPDATE), expected, block)
})
