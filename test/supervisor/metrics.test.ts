import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatMetrics } from '../../src/admin/metrics-text.ts'
import { Counters } from '../../src/edge/counters.ts'
import {
  certificateMetrics,
  limitMetrics,
  onDemandMetrics,
  upstreamMetrics,
  workerMetrics,
} from '../../src/supervisor/metrics.ts'

/** The names in the first column of README's table. */
async function documented(): Promise<string[]> {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8')
  return [...readme.matchAll(/^\| `(castellan_\w+)` +\| /gm)].map(([, name]) => name!)
}

test('the README has a line for each metric, and no other', async () => {
  const metrics = [
    ...workerMetrics(new Counters().report(0), 1),
    ...certificateMetrics([]),
    ...onDemandMetrics(0),
    ...limitMetrics([{ authority: 'x', subject: 'y', left: 1 }]),
    ...upstreamMetrics([], []),
  ]
  assert.deepEqual((await documented()).sort(), metrics.map(({ name }) => name).sort())
})

function text(count: (counters: Counters) => void): string {
  const counters = new Counters()
  count(counters)
  return formatMetrics(workerMetrics(counters.report(0), 1))
}

for (const [name, count] of [
  ['castellan_handshake_duration_seconds', (counters) => counters.handshake(false, 30)],
  ['castellan_upstream_connect_duration_seconds', (counters) => counters.upstreamConnect(30)],
  ['castellan_upstream_first_byte_duration_seconds', (counters) => counters.upstreamFirstByte(30)],
  ['castellan_request_duration_seconds', (counters) => counters.request('1.1', 200, 30, 0)],
] as const satisfies readonly (readonly [string, (counters: Counters) => void])[])
  test(`${name} is a histogram, whose buckets each hold those before it`, () => {
    const lines = text(count).split('\n')
    assert.ok(lines.includes(`# TYPE ${name} histogram`))
    assert.ok(lines.some((line) => line.startsWith(`# HELP ${name} `)))
    for (const [bucket, value] of [
      ['0.001', 0],
      ['0.025', 0],
      ['0.05', 1],
      ['+Inf', 1],
    ])
      assert.ok(lines.includes(`${name}_bucket{le="${bucket}"} ${value}`), bucket as string)
    assert.ok(lines.includes(`${name}_sum 0.03`))
    assert.ok(lines.includes(`${name}_count 1`))
  })

test('errors of HTTP/2 are told by scope, code and reason', () => {
  const told = text((counters) => {
    counters.http2Error('stream', 'PROTOCOL_ERROR', 'path-invalid')
    counters.http2Error('connection', 'ENHANCE_YOUR_CALM', 'ping-flood')
    counters.http2Error('connection', 'ENHANCE_YOUR_CALM', 'ping-flood')
  })
  const name = 'castellan_http2_errors_total'
  assert.ok(told.includes(`\n${name}{scope="stream",code="PROTOCOL_ERROR",reason="path-invalid"} 1\n`))
  assert.ok(told.includes(`\n${name}{scope="connection",code="ENHANCE_YOUR_CALM",reason="ping-flood"} 2\n`))
})

test('the accounts with the fewest orders left are told of, a hundred at most', () => {
  const account = (index: number) => ({
    authority: 'https://ca.test/dir',
    subject: `account-${index}`,
    left: 200 - index,
  })
  const [metric] = limitMetrics(Array.from({ length: 150 }, (_, index) => account(index)))
  assert.equal(metric!.samples.length, 100)
  assert.match(
    formatMetrics([metric!]),
    /^castellan_orders_left\{directory="https:\/\/ca\.test\/dir",account="account-149"\} 51$/m,
  )
  assert.deepEqual(limitMetrics([]), [])
})
