import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { startMetricsServer } from '../../src/admin/metrics-server.ts'
import { formatMetrics, type Metric } from '../../src/admin/metrics-text.ts'

const metric: Metric = {
  name: 'castellan_x_total',
  help: 'Counts x.',
  type: 'counter',
  samples: [{ value: 1 }, { suffix: '_bucket', labels: { le: '+Inf', name: 'a"\\\n' }, value: 2.5 }],
}

test('metrics are written as Prometheus reads them, labels escaped', () => {
  assert.equal(
    formatMetrics([metric]),
    '# HELP castellan_x_total Counts x.\n# TYPE castellan_x_total counter\ncastellan_x_total 1\ncastellan_x_total_bucket{le="+Inf",name="a\\"\\\\\\n"} 2.5\n',
  )
})

test('/metrics answers with them, and nothing else is there', async (t) => {
  let collected = 0
  const server = await startMetricsServer({
    host: '127.0.0.1',
    port: 0,
    address: '127.0.0.1:0',
    collect: async () => {
      if (++collected > 1) throw new Error('no worker answers')
      return [metric]
    },
  })
  t.after(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const response = await fetch(`${origin}/metrics`)
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(await response.text(), formatMetrics([metric]))
  const failed = await fetch(`${origin}/metrics`)
  assert.deepEqual([failed.status, await failed.text()], [500, 'no worker answers\n'])
  assert.equal((await fetch(`${origin}/`)).status, 404)
  assert.equal((await fetch(`${origin}/metrics`, { method: 'POST' })).status, 405)
})

test('an address that is taken is said with what to do', async (t) => {
  const options = { host: '127.0.0.1', address: ':9180', collect: async () => [] }
  const server = await startMetricsServer({ ...options, port: 0 })
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  await assert.rejects(startMetricsServer({ ...options, port }), {
    code: 'metrics-not-listening',
    message: /Metrics cannot be served on :9180: .*EADDRINUSE.*Name another address under "metrics"\./,
  })
})
