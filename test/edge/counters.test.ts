import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addCounters, Counters, DURATION_BUCKETS_SECONDS, NO_COUNTS } from '../../src/edge/counters.ts'

test('requests are counted by version and class of status, and by how long they took', () => {
  const counters = new Counters()
  counters.request('1.1', 200, 0.4, 10)
  counters.request('1.1', 204, 1, 0)
  counters.request('2', 503, 1.1, 5)
  counters.request('1.0', 0, 60_000, 0)
  const { requests, durations, durationSumSeconds, sentBytes } = counters.report(0)
  assert.deepEqual(requests, { '1.0 0xx': 1, '1.1 2xx': 2, '2 5xx': 1 })
  assert.deepEqual(durations, [2, 1, ...new Array(DURATION_BUCKETS_SECONDS.length - 2).fill(0), 1])
  assert.equal(Math.round(durationSumSeconds * 10_000), 600_025)
  assert.equal(sentBytes, 15)
})

test('reports of several workers add up', () => {
  const [one, other] = [new Counters(), new Counters()]
  one.accepted = 3
  one.refused = 1
  one.request('2', 200, 1, 7)
  one.upstreamFailure('upstream-timeout')
  other.accepted = 4
  other.resumedHandshakes = 2
  other.request('2', 200, 1, 8)
  other.request('2', 404, 1, 0)
  const sum = addCounters(addCounters(NO_COUNTS, one.report(2)), other.report(5))
  assert.equal(sum.connectionsOpen, 7)
  assert.deepEqual(sum.connections, { accepted: 7, refused: 1 })
  assert.deepEqual(sum.handshakes, { full: 0, resumed: 2, failed: 0 })
  assert.deepEqual(sum.requests, { '2 2xx': 2, '2 4xx': 1 })
  assert.deepEqual(sum.upstreamFailures, { 'upstream-timeout': 1 })
  assert.equal(sum.durations[0], 3)
  assert.equal(sum.sentBytes, 15)
})
