import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { cookieValue } from '../../../src/edge/cookies.ts'
import { RateCounts, type RateUse } from '../../../src/edge/middleware/rate-counts.ts'
import { addressKey } from '../../../src/edge/middleware/rate-limit.ts'
import type { RouteSnapshot } from '../../../src/edge/snapshot.ts'
import type { RateLimit } from '../../../src/guards.ts'
import { exchangeBytes, plainGuards, plainPolicy, type Served, serve, siteOf } from '../serve.ts'

const limit: RateLimit = {
  requests: 4,
  periodMs: 1_000,
  burst: 4,
  by: { type: 'clientAddress' },
  scope: 'site',
}

function counting(tell?: (uses: readonly RateUse[]) => void) {
  const time = { now: 1_000_000 }
  return { time, counts: new RateCounts({ clock: () => time.now, tell }) }
}

test('as many as the burst at once, then one each time that one comes back', () => {
  const { time, counts } = counting()
  assert.deepEqual(
    Array.from({ length: 6 }, () => counts.take('a', limit)),
    [0, 0, 0, 0, 250, 250],
  )
  assert.equal(counts.take('b', limit), 0)
  time.now += 249
  assert.equal(counts.take('a', limit), 1)
  time.now += 1
  assert.equal(counts.take('a', limit), 0)
  assert.equal(counts.take('a', limit), 250)
  time.now += 1_000_000
  assert.deepEqual(
    Array.from({ length: 5 }, () => counts.take('a', limit)),
    [0, 0, 0, 0, 250],
  )
})

test('no more clients are known than there is room for, and a busy one is not forgotten among many', () => {
  const counts = new RateCounts({ clock: () => 0, maxClients: 100 })
  for (let turn = 0; turn < 4; turn++) counts.take('busy', limit)
  for (let client = 0; client < 10_000; client++) {
    assert.equal(counts.take(`client ${client}`, limit), 0)
    if (client % 50 === 0) assert.equal(counts.take('busy', limit), 250)
  }
  assert.equal(counts.size, 100)
})

test('what was used with another worker counts, and what a client gained there is waited for', async () => {
  const told: RateUse[][] = []
  const one = counting((uses) => told.push([...uses]))
  const other = counting()
  for (let turn = 0; turn < 4; turn++) assert.equal(one.counts.take('a', limit), 0)
  for (let turn = 0; turn < 4; turn++) assert.equal(other.counts.take('a', limit), 0)
  while (told.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(told, [[['a', 1_000]]])
  other.counts.add(told[0]!)
  assert.equal(other.counts.take('a', limit), 1_250)
  other.time.now += 1_250
  assert.equal(other.counts.take('a', limit), 0)
})

test('IPv6 addresses are counted by their first 64 bits, however they are written', () => {
  const keys = ['2001:db8::1', '2001:db8:0:0:ffff:ffff:ffff:ffff', '2001:0db8::'].map(addressKey)
  assert.deepEqual(new Set(keys), new Set(['2001:db8:0:0::/64']))
  assert.equal(addressKey('2001:db8:0:1::1'), '2001:db8:0:1::/64')
  assert.equal(addressKey('::1'), '0:0:0:0::/64')
  assert.equal(addressKey('fe80:1:2:3:4::'), 'fe80:1:2:3::/64')
  assert.equal(addressKey('192.0.2.1'), '192.0.2.1')
  assert.equal(addressKey(''), '')
})

test('a cookie is found wherever it stands', () => {
  assert.equal(cookieValue(['Cookie', 'a=1; b=2', 'cookie', ' c = x=y '], 'c'), 'x=y')
  assert.equal(cookieValue(['Cookie', 'ab=1; =b'], 'b'), undefined)
})

async function scene(t: TestContext, rateLimit: RateLimit, routes: readonly RouteSnapshot[] = []) {
  const policy = { ...plainPolicy, guards: { ...plainGuards, rateLimit } }
  const action = { type: 'respond', status: 200, fields: [], body: 'served' } as const
  const site = { ...siteOf({ scheme: 'unix', path: '/none' }, { policy, routes }), action }
  const proxy = await serve([site], {})
  t.after(() => proxy.close())
  return proxy
}

async function ask({ port }: Served, path = '/', fields = ''): Promise<string> {
  return exchangeBytes(port, `GET ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${fields}\r\n`)
}

const statusOf = (answer: string): number => Number(answer.slice(9, 12))
const slow = { ...limit, requests: 2, burst: 2, periodMs: 3_600_000 }

test('a client that asks too often gets 429, and when it may ask again', async (t) => {
  const proxy = await scene(t, slow)
  assert.equal(statusOf(await ask(proxy)), 200)
  assert.equal(statusOf(await ask(proxy)), 200)
  assert.match(await ask(proxy), /^HTTP\/1\.1 429 [\s\S]*\r\nRetry-After: (1800|1799)\r\n/)
  assert.equal(proxy.accesses.at(-1)?.why, 'rate-limited')
})

test('a field tells clients apart, and who leaves it out or leaves it empty is counted by address', async (t) => {
  const proxy = await scene(t, { ...slow, by: { type: 'header', name: 'x-key' } })
  const long = 'k'.repeat(4_000)
  for (const key of ['X-Key: one\r\n', `x-KEY: ${long}\r\n`])
    assert.deepEqual(
      [await ask(proxy, '/', key), await ask(proxy, '/', key), await ask(proxy, '/', key)].map(statusOf),
      [200, 200, 429],
    )
  assert.equal(statusOf(await ask(proxy, '/', `X-Key: ${long}x\r\n`)), 200)
  assert.deepEqual(
    [await ask(proxy), await ask(proxy, '/', 'X-Key:\r\n'), await ask(proxy)].map(statusOf),
    [200, 200, 429],
  )
})

test('a route that inherits the limit shares its counts, and one with its own has its own', async (t) => {
  const route = (path: string, rateLimit: RateLimit): RouteSnapshot => ({
    path,
    methods: undefined,
    headers: [],
    action: { type: 'respond', status: 200, fields: [], body: 'routed' },
    stripPrefix: undefined,
    concurrency: undefined,
    policy: { ...plainPolicy, guards: { ...plainGuards, rateLimit } },
  })
  const proxy = await scene(t, slow, [route('/shared', slow), route('/own', { ...slow, scope: 'route' })])
  assert.deepEqual(
    [await ask(proxy, '/'), await ask(proxy, '/shared'), await ask(proxy, '/shared'), await ask(proxy, '/')].map(
      statusOf,
    ),
    [200, 200, 429, 429],
  )
  assert.deepEqual(
    [await ask(proxy, '/own'), await ask(proxy, '/own'), await ask(proxy, '/own')].map(statusOf),
    [200, 200, 429],
  )
})
