import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { RouteSnapshot } from '../../../src/edge/snapshot.ts'
import type { BasicAuth } from '../../../src/guards.ts'
import { exchangeBytes, plainGuards, plainPolicy, type Served, serve, siteOf, startUpstream } from '../serve.ts'
import { settled } from '../tls/served.ts'

/** `U*U`, and `U*U*`. */
const USERS: BasicAuth['users'] = [
  ['alice', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['bøb', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK'],
]

type Seen = { readonly fields: string[]; readonly body: string; readonly trailers: string[] }

async function scene(t: TestContext, overrides: Partial<BasicAuth> = {}, protocol: 'http/1.1' | 'h2' = 'http/1.1') {
  const seen: Seen[] = []
  const upstream = await startUpstream(async (request, response) => {
    let body = ''
    for await (const piece of request) body += piece
    seen.push({ fields: request.rawHeaders, body, trailers: request.rawTrailers })
    response.end('app')
  })
  const auth: BasicAuth = { type: 'basic', users: USERS, realm: 'the "realm"', passAuthorization: false, ...overrides }
  const policy = { ...plainPolicy, guards: { ...plainGuards, auth } }
  const site = siteOf(upstream.address, { policy })
  const open: RouteSnapshot = {
    path: '/open',
    methods: undefined,
    headers: [],
    action: site.action,
    stripPrefix: undefined,
    concurrency: undefined,
    policy: plainPolicy,
  }
  const proxy = await serve([{ ...site, routes: [open] }], { protocol })
  t.after(async () => {
    await proxy.close()
    await upstream.close()
  })
  return { proxy, seen, upstream }
}

const basic = (text: string): string => `Authorization: Basic ${Buffer.from(text).toString('base64')}\r\n`

async function ask({ port }: Served, fields: string, path = '/', body = ''): Promise<string> {
  const length = body === '' ? '' : `Content-Length: ${body.length}\r\n`
  const method = body === '' ? 'GET' : 'POST'
  return exchangeBytes(
    port,
    `${method} ${path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${length}${fields}\r\n${body}`,
  )
}

test('without credentials the client is asked for them (RFC 7617 §2), and the app hears of nothing', async (t) => {
  const { proxy, seen } = await scene(t)
  const answer = await ask(proxy, '')
  assert.match(
    answer,
    /^HTTP\/1\.1 401 [\s\S]*\r\nWWW-Authenticate: Basic realm="the \\"realm\\"", charset="UTF-8"\r\n/,
  )
  assert.deepEqual([seen.length, proxy.accesses[0]?.why], [0, 'credentials-missing'])
})

test('who is right is let in, first verified and then remembered; the app is told the name and not the password', async (t) => {
  const { proxy, seen } = await scene(t)
  const forged = 'X-Remote-User: root\r\nx_remote_user: root\r\nX.Remote.User: root\r\nX+Remote~User: root\r\n'
  for (const body of ['first', 'second']) {
    assert.match(await ask(proxy, basic('bøb:U*U*') + forged, '/', body), /^HTTP\/1\.1 200 /)
    const { fields, body: got } = seen.pop()!
    assert.equal(got, body)
    const users = fields.filter((_, at) => /^x.remote.user$/i.test(fields[at - (at % 2)]!))
    assert.deepEqual(users, ['X-Remote-User', Buffer.from('bøb').toString('latin1')])
    assert.ok(!fields.includes('Authorization'))
  }
})

test('nobody takes the name away by Connection, nor brings another along in trailers (CVE-2024-45410)', async (t) => {
  const { proxy, seen } = await scene(t)
  const trailed = '1\r\nx\r\n0\r\nX-Remote-User: root\r\nX_Remote_User: root\r\nX-Sum: 1\r\n\r\n'
  for (const nominated of ['X-Remote-User', 'x-remote-user, X-REMOTE-USER', 'authorization'])
    for (const path of ['/', '/open']) {
      const fields = `Connection: close, ${nominated}\r\nTransfer-Encoding: chunked\r\n${basic('alice:U*U')}`
      const answer = await exchangeBytes(proxy.port, `POST ${path} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n${trailed}`)
      assert.match(answer, /^HTTP\/1\.1 200 /)
      const { fields: got, trailers } = seen.pop()!
      assert.equal(got[got.indexOf('X-Remote-User') + 1], path === '/' ? 'alice' : got[0])
      assert.deepEqual(trailers, ['X-Sum', '1'])
    }
})

test('Authorization is passed on where that is wanted', async (t) => {
  const { proxy, seen } = await scene(t, { passAuthorization: true })
  assert.match(await ask(proxy, basic('alice:U*U')), /^HTTP\/1\.1 200 /)
  assert.ok(seen[0]!.fields.includes('Authorization'))
})

const wrong: readonly [string, string, string][] = [
  ['a wrong password', basic('alice:U*U*'), 'credentials-wrong'],
  ['a name that is not there, with the password of another', basic('carol:U*U'), 'credentials-wrong'],
  ['a name in another case', basic('Alice:U*U'), 'credentials-wrong'],
  ['an empty password', basic('alice:'), 'credentials-wrong'],
  ['the name of a property that all objects have', basic('constructor:x'), 'credentials-wrong'],
  ['no colon', basic('alice'), 'credentials-missing'],
  ['a password with NUL', basic('alice:U*U\0x'), 'credentials-missing'],
  ['what is no base64', 'Authorization: Basic a:b\r\n', 'credentials-missing'],
  ['another scheme', 'Authorization: Bearer YWxpY2U6VSpV\r\n', 'credentials-missing'],
  ['two fields, one of which is right', basic('alice:U*U') + basic('alice:x'), 'credentials-missing'],
  ['a huge password', basic(`alice:${'x'.repeat(2_000)}`), 'credentials-missing'],
]

for (const [what, fields, why] of wrong)
  test(`not let in: ${what}`, async (t) => {
    const { proxy, seen } = await scene(t)
    assert.match(await ask(proxy, fields), /^HTTP\/1\.1 401 /)
    assert.deepEqual([seen.length, proxy.accesses[0]?.why], [0, why])
  })

test('on a route that asks nobody, nobody can pretend to have been asked', async (t) => {
  const { proxy, seen } = await scene(t)
  assert.match(await ask(proxy, 'X_Remote_User: root\r\nX-Other: kept\r\n', '/open'), /^HTTP\/1\.1 200 /)
  assert.doesNotMatch(seen[0]!.fields.join(), /root/)
  assert.ok(seen[0]!.fields.includes('X-Other'))
})

test('a flood of wrong passwords of one client is turned away, and another is let in', async (t) => {
  const { proxy } = await scene(t, { users: [...USERS, ['slow', `$2b$10$${USERS[0]![1].slice(7)}`]] })
  const flood = Array.from({ length: 30 }, (_, at) => ask(proxy, basic(`slow:${at}`)))
  const statuses = (await Promise.all(flood)).map((answer) => answer.slice(9, 12))
  assert.equal(statuses.filter((status) => status === '503').length, 22)
  assert.equal(statuses.filter((status) => status === '401').length, 8)
  assert.ok((await Promise.all(flood)).some((answer) => /\r\nRetry-After: 1\r\n/.test(answer)))
  assert.match(await ask(proxy, basic('alice:U*U')), /^HTTP\/1\.1 200 /)
})

test('a client that leaves meanwhile is entered into the log, and nothing is asked of the app', async (t) => {
  const { proxy, seen } = await scene(t, { users: [['slow', `$2b$10$${USERS[0]![1].slice(7)}`]] })
  const socket = connect(proxy.port, '127.0.0.1', () =>
    socket.write(`GET / HTTP/1.1\r\nHost: a.test\r\n${basic('slow:x')}\r\n`, () =>
      setTimeout(() => socket.resetAndDestroy(), 20),
    ),
  )
  await settled(() => proxy.accesses.length === 1, 5_000)
  assert.deepEqual([proxy.accesses[0]?.status, seen.length], [0, 0])
})

test('in HTTP/2 content waits for the verification and then arrives', async (t) => {
  const { proxy, seen } = await scene(t, {}, 'h2')
  const session = connectHttp2(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  const authorization = `Basic ${Buffer.from('alice:U*U').toString('base64')}`
  const stream = session.request({ ':method': 'POST', ':authority': 'a.test', ':path': '/', authorization })
  stream.end('x'.repeat(200_000))
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve))
  assert.deepEqual([headers[':status'], seen[0]!.body.length], [200, 200_000])
})

test('a tunnel is opened once the password was verified, and what came before goes through it', async (t) => {
  const { proxy, upstream } = await scene(t)
  upstream.server.on('upgrade', (request, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    socket.end(`user ${request.headers['x-remote-user']}`)
  })
  const fields = `Connection: Upgrade\r\nUpgrade: echo\r\n${basic('alice:U*U')}`
  const socket = connect({ port: proxy.port, host: '127.0.0.1' }, () =>
    socket.end(`GET / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`),
  )
  let answer = ''
  for await (const piece of socket) answer += piece
  assert.match(answer, /^HTTP\/1\.1 101 [\s\S]*\r\n\r\nuser alice$/)
})
