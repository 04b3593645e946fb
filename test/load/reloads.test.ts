import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KINDS, ReloadsUnderLoad } from './reloads.ts'

// `npm run reloads` does the same with 50 reloads and 5 takeovers.

test('no client notices that the program reloads five times and leaves all to another', async (t) => {
  const underLoad = await ReloadsUnderLoad.start(t)
  const { answered, failures } = await underLoad.run({ reloads: 5, takeovers: 1 }, () => {})
  assert.deepEqual(failures, [])
  for (const kind of KINDS) assert.ok(answered[kind] > 0, kind)
})
