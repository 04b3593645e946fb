import assert from 'node:assert/strict'
import { test } from 'node:test'
import { segmentFor } from '../../src/storage/segment.ts'

test('a name is its own segment, and an address has no colons', () => {
  assert.equal(segmentFor('a.test'), 'a.test')
  assert.equal(segmentFor('*.a.test'), '*.a.test')
  assert.equal(segmentFor('fd00::1'), 'fd00__1')
})

test('what is too long for a segment is told apart by a hash', () => {
  const long = 'a'.repeat(240)
  const segments = [`${long}.x.test`, `${long}.y.test`].map((name) => segmentFor(name))
  assert.notEqual(segments[0], segments[1])
  for (const segment of segments) assert.match(segment, /^a{150}@[0-9a-f]{12}$/)
})

test('what stands for more than the name always has a hash', () => {
  assert.match(segmentFor('a.test', 'a.test,b.test'), /^a\.test@[0-9a-f]{12}$/)
})
