import assert from 'node:assert/strict'
import { test } from 'node:test'
import { forecast, percentile } from './storm.ts'

// `npm run storm` is the storm itself.

test('the same seed has the same weather, in which each trouble ends, and every kind comes', () => {
  const turns = forecast(3, 120_000, 1)
  assert.deepEqual(forecast(3, 120_000, 1), turns)
  assert.notDeepEqual(forecast(3, 120_000, 2), turns)
  assert.deepEqual(new Set(turns.map(({ mood }) => mood)), new Set(['well', 'dead', 'hanging', 'failing']))
  for (const app of [0, 1, 2]) assert.equal(turns.findLast((turn) => turn.app === app)?.mood, 'well')
  assert.deepEqual(
    turns.map(({ atMs }) => atMs),
    turns.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
  )
})

test('a percentile is a time within which so many were answered', () => {
  const times = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.deepEqual([percentile(times, 0), percentile(times, 50), percentile(times, 100)], [1, 51, 100])
  assert.equal(percentile([], 50), 0)
})
