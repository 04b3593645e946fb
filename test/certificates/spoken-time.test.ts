import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spokenDuration } from '../../src/certificates/spoken-time.ts'

const DAY = 86_400_000

for (const [ms, words] of [
  [1_000, '1 second'],
  [54_000, '1 minute'],
  [66_000, '1 minute'],
  [10 * 60_000, '10 minutes'],
  [100 * 60_000, '2 hours'],
  [DAY, '24 hours'],
  [3 * DAY, '3 days'],
] as const)
  test(`${ms} ms are ${words}`, () => assert.equal(spokenDuration(ms), words))
