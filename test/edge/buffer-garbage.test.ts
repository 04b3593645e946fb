import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countReadBytes } from '../../src/edge/buffer-garbage.ts'

test('every 4 MiB that are read call for a collection of the young, however they come', (t) => {
  const kinds: unknown[] = []
  const { gc } = globalThis
  globalThis.gc = ((options: unknown) => kinds.push(options)) as unknown as typeof globalThis.gc
  t.after(() => {
    globalThis.gc = gc
  })
  countReadBytes(4 * 1024 * 1024) // Whatever was counted before.
  kinds.length = 0
  for (let count = 0; count < 255; count++) countReadBytes(16 * 1024)
  assert.equal(kinds.length, 0)
  countReadBytes(16 * 1024)
  for (let count = 0; count < 128; count++) countReadBytes(64 * 1024)
  assert.deepEqual(kinds, [{ type: 'minor' }, { type: 'minor' }, { type: 'minor' }])
})

test('without a collector to call nothing happens', (t) => {
  const { gc } = globalThis
  globalThis.gc = undefined as unknown as typeof globalThis.gc
  t.after(() => {
    globalThis.gc = gc
  })
  countReadBytes(64 * 1024 * 1024)
})
