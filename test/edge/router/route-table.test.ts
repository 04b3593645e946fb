import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RouteTable } from '../../../src/edge/router/route-table.ts'
import type { RouteSnapshot } from '../../../src/edge/snapshot.ts'
import { plainPolicy } from '../serve.ts'

function route(path: string, conditions: Partial<RouteSnapshot> = {}): RouteSnapshot {
  return {
    path,
    methods: undefined,
    headers: [],
    action: { type: 'none' },
    stripPrefix: undefined,
    policy: plainPolicy,
    concurrency: undefined,
    ...conditions,
  }
}

const GET = { method: 'GET', fields: [] }

const PATTERNS = [
  '/*',
  '/files/*',
  '/files',
  '/files/',
  '/files/*/meta',
  '/files/a/*',
  '/users/*',
  '/users/*/photo',
  '/x',
]

for (const [path, pattern] of [
  ['/', '/*'],
  ['/other/thing', '/*'],
  ['/files', '/files'],
  ['/files/', '/files/'],
  ['/files/a', '/files/a/*'],
  ['/files/b', '/files/*'],
  ['/files/b/meta', '/files/*/meta'],
  ['/files/a/meta', '/files/a/*'],
  ['/files/b/meta/x', '/files/*'],
  ['/filesystem', '/*'],
  ['/FILES/B', '/files/*'],
  ['/users', '/users/*'],
  ['/users/me/photo', '/users/*/photo'],
  ['/users/me/photo/', '/users/*/photo'],
  ['/users/me/photos', '/users/*'],
  ['/x/', '/x'],
  ['/x/y', '/*'],
] as const)
  test(`${path} is taken by ${pattern}, whatever the order of the routes`, () => {
    for (const order of [PATTERNS, PATTERNS.toReversed(), PATTERNS.toSorted()])
      assert.equal(new RouteTable(order.map((each) => route(each))).find(path, GET)?.path, pattern)
  })

test('what no pattern covers is taken by none', () => {
  const table = new RouteTable([route('/a'), route('/b/*'), route('/c/*/d')])
  for (const path of ['/', '/a/b', '/ab', '/c', '/c/x', '/c/x/d/e', '/d/x'])
    assert.equal(table.find(path, GET), undefined, path)
})

test('a method in another case is no way round a route, for some applications take it for the same', () => {
  const guarded = route('/a', { methods: ['GET', 'POST'] })
  const table = new RouteTable([guarded, route('/*')])
  for (const method of ['get', 'Get', 'pOST']) assert.equal(table.find('/a', { method, fields: [] }), guarded)
  assert.equal(table.find('/a', { method: 'put', fields: [] })?.path, '/*')
})

test('among the same patterns the one with more conditions wins, then the first', () => {
  const plain = route('/a')
  const second = route('/a')
  const posted = route('/a', { methods: ['POST'] })
  const both = route('/a', { methods: ['POST'], headers: [{ name: 'x-v', value: '2' }] })
  const table = new RouteTable([plain, second, posted, both])
  assert.equal(table.find('/a', GET), plain)
  assert.equal(table.find('/a', { method: 'POST', fields: [] }), posted)
  assert.equal(table.find('/a', { method: 'POST', fields: ['X-V', '2'] }), both)
  assert.equal(table.find('/a', { method: 'POST', fields: ['X-V', '3'] }), posted)
})

test('where conditions are not met, the next specific pattern takes it', () => {
  const table = new RouteTable([route('/a/*'), route('/a/b', { headers: [{ name: 'x-any', value: undefined }] })])
  assert.equal(table.find('/a/b', { method: 'GET', fields: ['x-ANY', ''] })?.path, '/a/b')
  assert.equal(table.find('/a/b', GET)?.path, '/a/*')
})

test('the methods that a path would be taken with are known', () => {
  const table = new RouteTable([
    route('/a', { methods: ['PUT'] }),
    route('/a/*', { methods: ['POST'] }),
    route('/b', { methods: ['GET'] }),
  ])
  assert.deepEqual(table.methods('/a', { method: 'GET', fields: [] }), ['PUT', 'POST'])
  assert.deepEqual(table.methods('/c', { method: 'GET', fields: [] }), [])
})

test('a thousand routes cost a request no more than ten', () => {
  const table = (count: number): RouteTable =>
    new RouteTable(Array.from({ length: count }, (_, index) => route(`/part${index}/*`)))
  const cost = (routes: RouteTable): number => {
    const began = performance.now()
    for (let round = 0; round < 20_000; round++) routes.find(`/part${round % 10}/some/thing`, GET)
    return performance.now() - began
  }
  const [few, many] = [table(10), table(1_000)]
  for (const warm of [few, many]) cost(warm)
  const best = (routes: RouteTable): number => Math.min(...Array.from({ length: 7 }, () => cost(routes)))
  const [ofFew, ofMany] = [best(few), best(many)]
  console.log(`${(ofFew / 20).toFixed(2)} us among 10, ${(ofMany / 20).toFixed(2)} us among 1000`)
  assert.ok(ofMany < ofFew * 3 + 5, `${ofFew} and ${ofMany} ms`)
})
