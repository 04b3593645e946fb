import assert from 'node:assert/strict'
import { test } from 'node:test'
import { http1Bounds, http2Limits } from '../../src/edge/bounds.ts'
import { plainSnapshot } from './serve.ts'

const limits = {
  ...plainSnapshot.limits,
  requestLine: 1,
  header: 2,
  headerFields: 3,
  streams: 4,
  requestsPerConnection: 5,
  bodyRate: 6,
}
const timeouts = { ...plainSnapshot.timeouts, headerMs: 10, bodyMs: 20, idleMs: 30, writeMs: 40 }

test('each limit and time of the config bounds HTTP/1.1', () => {
  const bounds = http1Bounds({ limits, timeouts })
  assert.equal(bounds.maxRequests, 5)
  assert.deepEqual([bounds.limits!.startLineBytes, bounds.limits!.fieldBytes, bounds.limits!.fieldCount], [1, 2, 3])
  const { headMs, contentPauseMs, idleMs, writeStallMs, contentBytesPerSecond } = bounds.deadlines!
  assert.deepEqual([headMs, contentPauseMs, idleMs, writeStallMs, contentBytesPerSecond], [10, 20, 30, 40, 6])
})

test('and HTTP/2, where the request line is part of the fields', () => {
  const { maxConcurrentStreams, maxRequests, maxHeaderListBytes, maxBlockBytes, maxFields, ...rest } = http2Limits({
    limits,
    timeouts,
  })
  assert.deepEqual([maxConcurrentStreams, maxRequests, maxHeaderListBytes, maxBlockBytes, maxFields], [4, 5, 3, 6, 3])
  const { fieldBlockMs, contentPauseMs, idleMs, writeStallMs, contentMinRate } = rest
  assert.deepEqual([fieldBlockMs, contentPauseMs, idleMs, writeStallMs, contentMinRate], [10, 20, 30, 40, 6])
})
