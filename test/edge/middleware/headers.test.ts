import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import type { SiteSnapshot, UpstreamAddress } from '../../../src/edge/snapshot.ts'
import type { FieldChanges, Policy } from '../../../src/policy.ts'
import { ask, PROTOCOLS } from '../ask.ts'
import { exchangeBytes, plainPolicy, type Served, serve, siteOf, startUpstream } from '../serve.ts'

const NOTHING: FieldChanges = { set: [], add: [], remove: [] }

function changing(request: Partial<FieldChanges> | undefined, response?: Partial<FieldChanges>): Policy {
  const whole = (changes: Partial<FieldChanges> | undefined) => changes && { ...NOTHING, ...changes }
  return { ...plainPolicy, headers: { request: whole(request), response: whole(response) } }
}

type Seen = Pick<IncomingMessage, 'rawHeaders' | 'headers'>

/** A proxy with this policy in front of an application that keeps what it sees. */
async function scene(
  t: TestContext,
  policy: Policy,
  protocol: (typeof PROTOCOLS)[number] = 'http/1.1',
  site: Partial<SiteSnapshot> = {},
): Promise<{ proxy: Served; seen: Seen[] }> {
  const seen: Seen[] = []
  const app = await startUpstream((request, response) => {
    seen.push(request)
    response.setHeader('X-Powered-By', 'app')
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.end('hello')
  })
  const proxy = await serve([siteOf(app.address, { policy, ...site })], { protocol })
  t.after(() => Promise.all([proxy.close(), app.close()]))
  return { proxy, seen }
}

/** All values of a field, in whatever case its name came. */
function valuesOf({ rawHeaders }: Seen, name: string): string[] {
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]!.toLowerCase() === name)
}

for (const protocol of PROTOCOLS) {
  test(`${protocol}: what is set takes the place of what the client sent, however often and in whatever case`, async (t) => {
    const { proxy, seen } = await scene(t, changing({ set: ['X-Tenant', 'acme'] }), protocol)
    await ask(proxy.port, protocol, { fields: ['X-TENANT', 'evil', 'x-tenant', 'worse', 'X-Tenant', 'worst'] })
    assert.deepEqual(valuesOf(seen[0]!, 'x-tenant'), ['acme'])
  })

  test(`${protocol}: no spelling that applications fold into the same name stands beside what is set`, async (t) => {
    const { proxy, seen } = await scene(t, changing({ set: ['X-Tenant', 'acme'], remove: ['X-Debug'] }), protocol)
    const forged = ['x_tenant', 'x.tenant', 'x+tenant', 'x_debug', 'x!debug'].flatMap((name) => [name, 'evil'])
    await ask(proxy.port, protocol, { fields: [...forged, 'x-tenants', 'kept'] })
    assert.doesNotMatch(seen[0]!.rawHeaders.join(), /evil/)
    assert.deepEqual([valuesOf(seen[0]!, 'x-tenant'), valuesOf(seen[0]!, 'x-tenants')], [['acme'], ['kept']])
  })

  test(`${protocol}: what is added stands besides, and what is removed does not arrive`, async (t) => {
    const { proxy, seen } = await scene(
      t,
      changing({ add: ['X-Tag', 'ours'], remove: ['Cookie', 'x-debug'] }),
      protocol,
    )
    await ask(proxy.port, protocol, { fields: ['x-tag', 'theirs', 'COOKIE', 'a=1', 'X-Debug', '1', 'X-DEBUG', '2'] })
    assert.deepEqual(valuesOf(seen[0]!, 'x-tag'), ['theirs', 'ours'])
    assert.deepEqual([valuesOf(seen[0]!, 'cookie'), valuesOf(seen[0]!, 'x-debug')], [[], []])
  })

  test(`${protocol}: Host is what the application sees as the authority, and X-Forwarded-Host what the client asked for`, async (t) => {
    const { proxy, seen } = await scene(t, changing({ set: ['hOST', 'inner.test:8080', 'X-A', '1'] }), protocol)
    await ask(proxy.port, protocol)
    const [{ headers }] = seen as [Seen]
    assert.deepEqual([headers.host, headers['x-forwarded-host'], headers['x-a']], ['inner.test:8080', 'a.test', '1'])
    assert.equal(valuesOf(seen[0]!, 'host').length, 1)
  })

  test(`${protocol}: responses are changed, also those that have a field twice`, async (t) => {
    const response = { set: ['X-Frame-Options', 'DENY'], add: ['Set-Cookie', 'c=3'], remove: ['x-powered-by'] }
    const { proxy } = await scene(t, changing(undefined, response), protocol)
    const { fields, content } = await ask(proxy.port, protocol)
    assert.equal(fields['x-frame-options'], 'DENY')
    assert.equal(fields['x-powered-by'], undefined)
    assert.match(fields['set-cookie']!, /^a=1, ?b=2, ?c=3$/)
    assert.equal(content.toString(), 'hello')
  })

  test(`${protocol}: what Castellan itself answers is changed too: redirects, answers and errors`, async (t) => {
    const policy = changing(undefined, { set: ['X-Frame-Options', 'DENY'], remove: ['Cache-Control'] })
    const nowhere: UpstreamAddress = { scheme: 'unix', path: '/nonexistent/socket' }
    const sites = [
      siteOf(nowhere, { name: 'down.test', names: ['down.test'], policy }),
      siteOf(nowhere, { policy, action: { type: 'redirect', to: 'https://b.test', status: 301 } }),
      siteOf(nowhere, { name: 'c.test', names: ['c.test', 'www.c.test'], isCanonical: true, policy }),
    ]
    const proxy = await serve(sites, { protocol })
    t.after(() => proxy.close())
    for (const [authority, status] of [
      ['down.test', 502],
      ['a.test', 301],
      ['www.c.test', 308],
    ] as const) {
      const told = await ask(proxy.port, protocol, { authority })
      assert.deepEqual([told.status, told.fields['x-frame-options']], [status, 'DENY'])
      assert.equal(told.fields['cache-control'], undefined)
    }
  })
}

test('a client cannot take away what is set by nominating it in Connection (RFC 9110 §7.6.1)', async (t) => {
  const { proxy, seen } = await scene(t, changing({ set: ['X-Tenant', 'acme'] }))
  const head = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close, X-Tenant, X-Other\r\nX-Other: 1\r\n\r\n'
  assert.match(await exchangeBytes(proxy.port, head), /^HTTP\/1\.1 200 /)
  assert.deepEqual([valuesOf(seen[0]!, 'x-tenant'), valuesOf(seen[0]!, 'x-other')], [['acme'], []])
})

test('an upstream that is spoken to by HTTP/2 gets names in lower case and the other authority (RFC 9113 §8.2, §8.3.1)', async (t) => {
  const seen: Record<string, unknown>[] = []
  const app = createServer((request, response) => {
    seen.push(request.headers)
    response.end('h2')
  })
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const { port } = app.address() as AddressInfo
  const policy = changing({ set: ['Host', 'inner.test', 'X-Tenant', 'acme'] }, { set: ['X-Seen', 'yes'] })
  const proxy = await serve([siteOf({ scheme: 'h2c', host: '127.0.0.1', port }, { policy })], { protocol: 'h2' })
  t.after(async () => {
    await proxy.close()
    app.close()
  })
  const { fields } = await ask(proxy.port, 'h2')
  assert.equal(fields['x-seen'], 'yes')
  assert.deepEqual([seen[0]![':authority'], seen[0]!['x-tenant'], seen[0]!.host], ['inner.test', 'acme', undefined])
})

test('a 101 is passed on as it is: what follows is another protocol', async (t) => {
  const app = await startUpstream(() => {})
  const sockets = new WebSocketServer({ server: app.server })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const policy = changing(
    { set: ['X-Tenant', 'acme'] },
    { set: ['X-Frame-Options', 'DENY'], remove: ['Sec-WebSocket-Accept'] },
  )
  const proxy = await serve([siteOf(app.address, { policy })])
  t.after(async () => {
    sockets.close()
    await Promise.all([proxy.close(), app.close()])
  })
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { Host: 'a.test' } })
  const upgraded = new Promise<IncomingMessage>((resolve) => client.once('upgrade', resolve))
  await new Promise((resolve) => client.once('open', resolve))
  assert.equal((await upgraded).headers['x-frame-options'], undefined)
  client.send('ping')
  assert.equal(String(await new Promise((resolve) => client.once('message', resolve))), 'ping')
  client.terminate()
})
