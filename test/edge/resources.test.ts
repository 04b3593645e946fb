import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionsThatFit, MemoryWatch, maxOpenFiles } from '../../src/edge/resources.ts'

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max processes             95000                95000                processes
Max open files            1024                 524288               files
`

test('the soft limit of open files is read, and none where the system does not say', () => {
  assert.equal(
    maxOpenFiles(() => LIMITS),
    1024,
  )
  assert.equal(
    maxOpenFiles(() => 'Max open files            unlimited            unlimited            files'),
    undefined,
  )
  assert.equal(
    maxOpenFiles(() => {
      throw new Error('ENOENT')
    }),
    undefined,
  )
  assert.notEqual(maxOpenFiles(), 0)
})

test('a connection needs two descriptors, and the process some of its own', () => {
  assert.equal(connectionsThatFit(50_000, 1024), 480)
  assert.equal(connectionsThatFit(100, 1024), 100)
  assert.equal(connectionsThatFit(100, undefined), 100)
  assert.equal(connectionsThatFit(100, 10), 1)
})

test('memory is short below the reserve, as of the last look', () => {
  let available = 65 * 1024 * 1024
  const watch = new MemoryWatch(() => available)
  watch.sweep()
  assert.equal(watch.isShort, false)
  available = 63 * 1024 * 1024
  assert.equal(watch.isShort, false)
  watch.sweep()
  assert.equal(watch.isShort, true)
  available = 65 * 1024 * 1024
  watch.sweep()
  assert.equal(watch.isShort, false)
})
