import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describe, flood } from './name-flood.ts'

test('invented names from many addresses cost the CA nothing, and each is answered by an alert', async (t) => {
  const options = { names: 3000, addresses: 500, atOnce: 16 }
  const result = await flood(t, options)
  assert.deepEqual([result.calls, result.orders], [0, 0])
  const alerts = [...result.answers.keys()].every((answer) => answer === 'alert 112' || answer === 'alert 80')
  assert.ok(alerts, describe(options, result))
  assert.equal(
    [...result.answers.values()].reduce((sum, count) => sum + count, 0),
    3000,
  )
  assert.ok(result.questions > 0 && result.questions <= 3000)
  assert.ok(result.visits.length > 0)
})
