import assert from 'node:assert/strict'
import { test } from 'node:test'
import { measureFirstUse } from './stored-names.ts'

test('names on demand that the storage holds are served to their first clients, and no CA is called', async (t) => {
  const { calls, rounds } = await measureFirstUse(t, { stored: 300, asked: 40, atOnce: 4, rounds: 2 })
  assert.equal(calls, 0)
  assert.deepEqual(
    rounds.map(({ first, second }) => [first.length, second.length]),
    [
      [40, 40],
      [40, 40],
    ],
  )
})
