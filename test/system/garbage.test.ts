import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapSpaceStatistics } from 'node:v8'
import { collectGarbage } from '../../src/system/garbage.ts'

function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')!.space_size
}

test('what is garbage is gone, and the room that it was made in is given back', () => {
  const kept = new WeakRef({})
  let last: unknown[] = []
  for (let count = 0; count < 1_000_000; count++) last = [last.length, count]
  assert.equal(last.length, 2)
  const before = youngBytes()
  return new Promise<void>((resolve) =>
    setImmediate(() => {
      collectGarbage()
      assert.equal(kept.deref(), undefined)
      assert.ok(youngBytes() < before, `${youngBytes()} of ${before} bytes`)
      assert.equal('gc' in globalThis, false)
      resolve()
    }),
  )
})
