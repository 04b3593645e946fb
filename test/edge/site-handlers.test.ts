import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { RouteSnapshot, SiteAction, SiteSnapshot } from '../../src/edge/snapshot.ts'
import { ask, PROTOCOLS } from './ask.ts'
import { plainPolicy, type Served, serve, siteOf, startUpstream, upstreamOf } from './serve.ts'

type Seen = { url: string | undefined; prefix: unknown }

async function scene(
  t: TestContext,
  site: (action: SiteAction) => Partial<SiteSnapshot>,
  protocol: (typeof PROTOCOLS)[number] = 'http/1.1',
): Promise<{ proxy: Served; seen: Seen[] }> {
  const seen: Seen[] = []
  const app = await startUpstream(({ url, headers }, response) => {
    seen.push({ url, prefix: headers['x-forwarded-prefix'] })
    response.end('app')
  })
  const settings = site({ type: 'proxy', upstream: upstreamOf(app.address) })
  const proxy = await serve([siteOf(app.address, settings)], { protocol })
  t.after(() => Promise.all([proxy.close(), app.close()]))
  return { proxy, seen }
}

function route(path: string, action: SiteAction, more: Partial<RouteSnapshot> = {}): RouteSnapshot {
  return {
    path,
    methods: undefined,
    headers: [],
    action,
    stripPrefix: undefined,
    policy: plainPolicy,
    concurrency: undefined,
    ...more,
  }
}

const respond = (status: number, body = ''): SiteAction => ({
  type: 'respond',
  status,
  fields: body === '' ? [] : ['Content-Type', 'text/plain'],
  body,
})

for (const protocol of PROTOCOLS) {
  test(`${protocol}: visitors of an alias are sent to the first name, with path, query and port`, async (t) => {
    const { proxy } = await scene(
      t,
      () => ({ names: ['a.test', 'www.a.test', '*.w.test'], isCanonical: true }),
      protocol,
    )
    // HTTP/2 is spoken over TLS.
    const origin = protocol === 'h2' ? 'https://a.test' : 'http://a.test'
    for (const [authority, location] of [
      ['www.a.test', `${origin}/x?y=1`],
      ['WWW.A.TEST:8080', `${origin}:8080/x?y=1`],
      ['x.w.test', `${origin}/x?y=1`],
    ] as const) {
      const told = await ask(proxy.port, protocol, { authority, path: '/x?y=1' })
      assert.deepEqual([told.status, told.fields.location], [308, location])
    }
    assert.equal((await ask(proxy.port, protocol, { authority: 'A.test.' })).content.toString(), 'app')
  })

  test(`${protocol}: a prefix is taken off the path, and told in X-Forwarded-Prefix`, async (t) => {
    const { proxy, seen } = await scene(
      t,
      (action) => ({ routes: [route('/api/*', action, { stripPrefix: '/api' })] }),
      protocol,
    )
    for (const path of ['/api', '/api/', '/api/users?x=/api', '/API/users', '/api//x/../users', '/apis'])
      await ask(proxy.port, protocol, { path, fields: ['X-Forwarded-Prefix', '/evil'] })
    assert.deepEqual(
      seen.map(({ url, prefix }) => [url, prefix]),
      [
        ['/', '/api'],
        ['/', '/api'],
        ['/users?x=/api', '/api'],
        ['/users', '/api'],
        ['/users', '/api'],
        ['/apis', undefined],
      ],
    )
  })

  test(`${protocol}: an answer without an app has its status, type and content, and HEAD the same without it`, async (t) => {
    const { proxy, seen } = await scene(t, () => ({ action: respond(418, 'tea') }), protocol)
    for (const [method, content] of [
      ['GET', 'tea'],
      ['HEAD', ''],
      ['POST', 'tea'],
    ] as const) {
      const told = await ask(proxy.port, protocol, { method, ...(method === 'POST' && { content: 'x'.repeat(100) }) })
      assert.deepEqual([told.status, told.content.toString(), told.fields['content-length']], [418, content, '3'])
      assert.equal(told.fields['content-type'], 'text/plain')
    }
    assert.deepEqual(seen, [])
  })

  test(`${protocol}: a 204 has neither content nor length (RFC 9110 §8.6)`, async (t) => {
    const { proxy } = await scene(t, () => ({ action: respond(204) }), protocol)
    const told = await ask(proxy.port, protocol)
    assert.deepEqual([told.status, told.content.length, told.fields['content-length']], [204, 0, undefined])
  })

  for (const status of [301, 302, 303, 307, 308])
    test(`${protocol}: redirectTo with the code ${status}`, async (t) => {
      const { proxy } = await scene(t, () => ({ action: { type: 'redirect', to: 'https://b.test', status } }), protocol)
      const told = await ask(proxy.port, protocol, { path: '/x?y', method: 'POST', content: 'a' })
      assert.deepEqual([told.status, told.fields.location], [status, 'https://b.test/x?y'])
    })

  test(`${protocol}: a method that no route takes is 405, with those that do in Allow (RFC 9110 §15.5.6)`, async (t) => {
    const routes = [
      route('/form', respond(204), { methods: ['POST'] }),
      route('/form', respond(204), { methods: ['PUT', 'DELETE'] }),
      route('/form', respond(204), { methods: ['PATCH'], headers: [{ name: 'x-key', value: '1' }] }),
    ]
    const { proxy } = await scene(t, () => ({ action: { type: 'none' }, routes }), protocol)
    const told = await ask(proxy.port, protocol, { path: '/form' })
    assert.equal(told.status, 405)
    assert.deepEqual(told.fields.allow?.split(', ').sort(), ['DELETE', 'POST', 'PUT'])
    assert.equal(proxy.accesses.at(-1)?.why, 'method-not-routed')
    const keyed = await ask(proxy.port, protocol, { path: '/form', fields: ['X-Key', '1'] })
    assert.match(keyed.fields.allow!, /PATCH/)
    assert.equal((await ask(proxy.port, protocol, { path: '/form', method: 'POST' })).status, 204)
  })

  test(`${protocol}: a path that no route takes is 404`, async (t) => {
    const { proxy } = await scene(
      t,
      () => ({ action: { type: 'none' }, routes: [route('/a', respond(204))] }),
      protocol,
    )
    assert.equal((await ask(proxy.port, protocol, { path: '/b' })).status, 404)
    assert.equal(proxy.accesses.at(-1)?.why, 'route-unknown')
  })
}

test('where a site has an answer of its own, a method that no route takes is its business', async (t) => {
  const { proxy, seen } = await scene(t, () => ({ routes: [route('/form', respond(204), { methods: ['POST'] })] }))
  assert.equal((await ask(proxy.port, 'http/1.1', { path: '/form' })).content.toString(), 'app')
  assert.equal(seen[0]?.url, '/form')
})

test('an alias is sent on before any route is looked at', async (t) => {
  const { proxy } = await scene(t, () => ({
    names: ['a.test', 'www.a.test'],
    isCanonical: true,
    routes: [route('/a', respond(204))],
  }))
  const told = await ask(proxy.port, 'http/1.1', { authority: 'www.a.test', path: '/a' })
  assert.deepEqual([told.status, told.fields.location], [308, 'http://a.test/a'])
})
