import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addCounters, Counters, NO_COUNTS } from '../../src/edge/counters.ts'
import { DURATION_BUCKETS_SECONDS } from '../../src/edge/histogram.ts'

test('requests are counted by version and class of status, and by how long they took', () => {
  const counters = new Counters()
  counters.request('1.1', 200, 0.4, 10)
  counters.request('1.1', 204, 1, 0)
  counters.request('2', 503, 1.1, 5)
  counters.request('1.0', 0, 60_000, 0)
  const { requests, durations, sentBytes } = counters.report(0)
  assert.deepEqual(requests, { '1.0 0xx': 1, '1.1 2xx': 2, '2 5xx': 1 })
  const { counts, sumSeconds } = durations.request
  assert.deepEqual(counts, [2, 1, ...new Array(DURATION_BUCKETS_SECONDS.length - 2).fill(0), 1])
  assert.equal(Math.round(sumSeconds * 10_000), 600_025)
  assert.equal(sentBytes, 15)
})

test('reports of several workers add up', () => {
  const [one, other] = [new Counters(), new Counters()]
  one.accepted = 3
  one.refused = 1
  one.request('2', 200, 1, 7)
  one.upstreamFailure('upstream-timeout')
  other.accepted = 4
  one.handshake(false, 2)
  other.handshake(true, 3)
  other.handshake(true, 20)
  one.http2Error('stream', 'PROTOCOL_ERROR', 'path-invalid')
  other.http2Error('stream', 'PROTOCOL_ERROR', 'path-invalid')
  one.upstreamConnect(4)
  other.upstreamConnect(6)
  one.upstreamFirstByte(40_000)
  other.upstreamFirstByte(1)
  other.request('2', 200, 1, 8)
  other.request('2', 404, 1, 0)
  const sum = addCounters(addCounters(NO_COUNTS, one.report(2)), other.report(5))
  assert.equal(sum.connectionsOpen, 7)
  assert.deepEqual(sum.connections, { accepted: 7, refused: 1 })
  assert.deepEqual(sum.handshakes, { full: 1, resumed: 2, failed: 0 })
  assert.deepEqual(sum.requests, { '2 2xx': 2, '2 4xx': 1 })
  assert.deepEqual(sum.upstreamFailures, { 'upstream-timeout': 1 })
  assert.deepEqual(sum.http2Errors, { 'stream PROTOCOL_ERROR path-invalid': 2 })
  const { request, handshake, upstreamConnect, upstreamFirstByte } = sum.durations
  assert.equal(request.counts[0], 3)
  assert.deepEqual(handshake.counts.slice(0, 6), [0, 1, 1, 0, 1, 0])
  assert.equal(handshake.sumSeconds, 0.025)
  assert.deepEqual(upstreamConnect.counts.slice(0, 5), [0, 0, 1, 1, 0])
  assert.deepEqual([upstreamFirstByte.counts[0], upstreamFirstByte.counts.at(-1)], [1, 1])
  assert.equal(sum.sentBytes, 15)
})
