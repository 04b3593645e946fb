import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { acceptFor, oneProtocol, setKey } from '../../../src/edge/upstream/websocket.ts'
import { Peer } from '../http1/peer.ts'
import { type Served, serve, siteOf } from '../serve.ts'

// A WebSocket between every two versions of HTTP. The apps echo what they get, for its frames mean nothing to a proxy.

/** Both of RFC 6455 §1.3. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

type App = { readonly address: UpstreamAddress; readonly asked: Record<string, unknown>[] }

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** An app that speaks HTTP/1.1, and accepts by this of the key. */
async function http1App(t: TestContext, accept = acceptFor): Promise<App> {
  const asked: Record<string, unknown>[] = []
  const server = createHttpServer()
  server.on('upgrade', ({ headers }, socket: Socket) => {
    asked.push(headers)
    socket.on('error', () => {})
    t.after(() => socket.destroy())
    const answer = accept(headers['sec-websocket-key'] ?? 'none')
    const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${answer}\r\nSec-WebSocket-Protocol: chat`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`)
    socket.pipe(socket)
  })
  return { address: { scheme: 'http', host: '127.0.0.1', port: await listening(t, server) }, asked }
}

/** An app that speaks HTTP/2, with WebSockets unless told otherwise. */
async function http2App(t: TestContext, enableConnectProtocol = true): Promise<App> {
  const asked: Record<string, unknown>[] = []
  const server = createHttp2Server({ settings: { enableConnectProtocol } })
  server.on('session', (session) => t.after(() => session.destroy()))
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    asked.push(headers)
    stream.on('error', () => {})
    stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
    stream.pipe(stream)
  })
  return { address: { scheme: 'h2c', host: '127.0.0.1', port: await listening(t, server) }, asked }
}

async function front(t: TestContext, { address }: App, protocol: 'http/1.1' | 'h2'): Promise<Served> {
  const proxy = await serve([siteOf(address)], { protocol })
  t.after(() => proxy.close())
  return proxy
}

/** A client of HTTP/1.1 that asks for a WebSocket. */
async function http1Client(t: TestContext, { port }: Served, upgrade = 'websocket'): Promise<Peer> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  const peer = new Peer(socket)
  const fields = `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}`
  peer.say(`GET /chat HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n\r\n`)
  return peer
}

/** A client of HTTP/2 that does (RFC 8441 §5.1). */
async function http2Client(t: TestContext, { port }: Served) {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  session.on('error', () => {})
  await once(session, 'remoteSettings')
  const stream = session.request({
    ...{ ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/chat', ':authority': 'a.test' },
    'sec-websocket-version': '13',
  })
  stream.on('error', () => {})
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  return { stream, headers }
}

test('the accept of a key is that of RFC 6455 §1.3', () => assert.equal(acceptFor(KEY), ACCEPT))

test('one of several protocols that HTTP/1.1 offers goes on over HTTP/2', () => {
  assert.equal(oneProtocol('x, WebSocket'), 'websocket')
  assert.equal(oneProtocol('x, y'), 'x')
})

test('our key takes the place of whatever the client sent, and of nothing else', () => {
  const fields = ['a', '1', 'sec-websocket-key', 'theirs', 'Sec-WebSocket-Key', 'too', 'b', '2']
  setKey(fields, 'ours')
  assert.deepEqual(fields, ['a', '1', 'b', '2', 'Sec-WebSocket-Key', 'ours'])
})

test('a client of HTTP/1.1, an app of HTTP/2: the client gets the accept of its key (RFC 8441 §5)', async (t) => {
  const app = await http2App(t)
  const client = await http1Client(t, await front(t, app, 'http/1.1'))
  const head = await client.hear('\r\n\r\n')
  assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
  assert.match(head, /\r\nsec-websocket-protocol: chat\r\n/)
  assert.ok(head.includes(`\r\nSec-WebSocket-Accept: ${ACCEPT}\r\n`), head)
  client.say('\x81\x02hi')
  assert.equal(await client.hear('hi'), '\x81\x02hi')
  client.socket.end()
  await client.hearEnd()
  const [asked] = app.asked
  assert.deepEqual([asked?.[':method'], asked?.[':protocol'], asked?.[':path']], ['CONNECT', 'websocket', '/chat'])
  assert.equal(asked?.['sec-websocket-key'], undefined)
  assert.equal(asked?.['sec-websocket-version'], '13')
})

test('a client of HTTP/2, an app of HTTP/1.1: the app gets a key, and no sign of content', async (t) => {
  const app = await http1App(t)
  const { stream, headers } = await http2Client(t, await front(t, app, 'h2'))
  assert.equal(headers[':status'], 200)
  assert.equal(headers['sec-websocket-protocol'], 'chat')
  assert.equal(headers['sec-websocket-accept'], undefined)
  stream.write('\x81\x02hi', 'latin1')
  assert.equal(String(await once(stream, 'data')).slice(-2), 'hi')
  const [asked] = app.asked
  assert.equal(asked?.['sec-websocket-key'], Buffer.alloc(16, 0xab).toString('base64'))
  assert.equal(asked?.['transfer-encoding'], undefined)
  assert.equal(asked?.['content-length'], undefined)
  stream.end()
  await once(stream, 'close')
})

test('a client and an app of HTTP/2', async (t) => {
  const app = await http2App(t)
  const { stream, headers } = await http2Client(t, await front(t, app, 'h2'))
  assert.equal(headers[':status'], 200)
  stream.write('hi')
  assert.equal(String(await once(stream, 'data')), 'hi')
  assert.equal(app.asked[0]?.['sec-websocket-key'], undefined)
})

test('an app that accepts another key than ours is none that speaks of WebSockets: 502', async (t) => {
  const app = await http1App(t, () => ACCEPT)
  const proxy = await front(t, app, 'h2')
  const { headers } = await http2Client(t, proxy)
  assert.equal(headers[':status'], 502)
  assert.match(proxy.log.of('upstream-broken')[0]!.message, /answered to a WebSocket with another key/)
})

test('an app of HTTP/2 without WebSockets is a 502 that the log explains', async (t) => {
  const proxy = await front(t, await http2App(t, false), 'http/1.1')
  const client = await http1Client(t, proxy)
  assert.match(await client.hear('\r\n\r\n'), /^HTTP\/1\.1 502 /)
  assert.match(proxy.log.of('upstream-broken')[0]!.message, /it does not offer websocket over HTTP\/2\.$/)
})

test('what asks to leave HTTP by another method than GET goes to an app of HTTP/2 without the upgrade', async (t) => {
  const app = await http2App(t)
  const { port } = await front(t, app, 'http/1.1')
  const client = new Peer(connect(port, '127.0.0.1'))
  t.after(() => client.socket.destroy())
  client.say('POST /attach HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, close\r\nUpgrade: tcp\r\n\r\n')
  assert.match(await client.hearEnd(), /^HTTP\/1\.1 200 /)
  assert.deepEqual([app.asked[0]?.[':method'], app.asked[0]?.[':protocol']], ['POST', undefined])
})

test('a client of HTTP/1.1 that offers more than one protocol is told which it has', async (t) => {
  const client = await http1Client(t, await front(t, await http2App(t), 'http/1.1'), 'x, websocket')
  assert.match(await client.hear('\r\n\r\n'), /\r\nUpgrade: websocket\r\n/)
})
