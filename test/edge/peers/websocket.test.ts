import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { connectHttp2 } from '../adversary/http2-client.ts'
import { type RunningEdge, runEdge, WAYS, type Way } from '../adversary/running-edge.ts'
import { siteOf } from '../serve.ts'
import { rootPem } from '../tls/served.ts'

// WebSocket (RFC 6455) through a running edge, with `ws` at both ends, and over HTTP/2 (RFC 8441) with node:http2.

async function echoing(t: TestContext): Promise<RunningEdge> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  server.on('connection', (socket, request) => {
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }))
    if (request.url === '/hello') socket.send('hello')
  })
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return runEdge(t, [siteOf({ scheme: 'http', host: '127.0.0.1', port })])
}

async function open(edge: RunningEdge, way: Way, path: string, protocols: string[] = []): Promise<WebSocket> {
  const scheme = way === 'http' ? 'ws' : 'wss'
  const options = { ca: await rootPem(), servername: 'a.test', headers: { host: 'a.test' } }
  return new WebSocket(`${scheme}://127.0.0.1:${edge.ports[way]}${path}`, protocols, options)
}

test('messages go both ways, small and large, text and binary, and so does the close', async (t) => {
  const edge = await echoing(t)
  for (const way of WAYS) {
    const socket = await open(edge, way, '/hello', ['chat', 'superchat'])
    const [hello] = await once(socket, 'message')
    assert.equal(String(hello), 'hello')
    assert.equal(socket.protocol, 'chat')
    for (const message of ['a', 'b'.repeat(200_000), Buffer.alloc(3_000_000, 7)]) {
      socket.send(message)
      const [echo] = (await once(socket, 'message')) as [Buffer]
      assert.ok(echo.equals(Buffer.from(message)))
    }
    socket.close(4000, 'enough')
    const [code, reason] = await once(socket, 'close')
    assert.deepEqual([code, String(reason)], [4000, 'enough'])
  }
  while (edge.accesses.length < WAYS.length) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(edge.accesses.every(({ status }) => status === 101))
})

test('many at once, opened and dropped', async (t) => {
  const edge = await echoing(t)
  for (const way of WAYS) {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => open(edge, way, '/hello')))
    await Promise.all(sockets.map((socket) => once(socket, 'message')))
    for (const socket of sockets) socket.terminate()
  }
  while (edge.accesses.length < 100) await new Promise((resolve) => setImmediate(resolve))
})

test('over HTTP/2, to an upstream that knows but HTTP/1.1 (RFC 8441 §4)', async (t) => {
  const edge = await echoing(t)
  const session = await connectHttp2(t, edge)
  await once(session, 'remoteSettings')
  assert.equal(session.remoteSettings.enableConnectProtocol, true)
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':authority': 'a.test',
    ':path': '/hello',
    'sec-websocket-version': '13',
  })
  t.after(() => stream.destroy())
  let received = Buffer.alloc(0)
  stream.on('data', (piece: Buffer) => {
    received = Buffer.concat([received, piece])
  })
  const [headers] = await once(stream, 'response')
  assert.equal(headers[':status'], 200)
  assert.equal(headers['sec-websocket-accept'], undefined)
  // A masked "ping" with a mask of zeros, and what comes unmasked (RFC 6455 §5.3).
  stream.write(Buffer.from([0x81, 0x84, 0, 0, 0, 0, ...Buffer.from('ping')]))
  const expected = Buffer.from([0x81, 5, ...Buffer.from('hello'), 0x81, 4, ...Buffer.from('ping')])
  while (received.length < expected.length) await once(stream, 'data')
  assert.deepEqual(received, expected)
})
