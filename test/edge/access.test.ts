import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { UpstreamAddress } from '../../src/edge/snapshot.ts'
import type { AccessEntry } from '../../src/telemetry/access-log.ts'
import { connectFrames } from './adversary/frame-client.ts'
import { askHttp2, connectHttp2 } from './adversary/http2-client.ts'
import { type RunningEdge, runEdge, WAYS } from './adversary/running-edge.ts'
import { continuation, EH, ES, GET, headers, literals, ping } from './http2/frames.ts'
import { siteOf, startUpstream } from './serve.ts'

// What stands in the access log of a running edge, and in its counters.

const CLOSE = 'Host: a.test\r\nConnection: close\r\n\r\n'
const KEEP = 'Host: a.test\r\n\r\n'

async function edgeBefore(t: TestContext, address: UpstreamAddress): Promise<RunningEdge> {
  return runEdge(t, [siteOf(address), siteOf(address, { name: 'b.test', names: ['b.test'] })])
}

async function edgeWithApp(t: TestContext): Promise<RunningEdge> {
  const app = await startUpstream((_, response) => void response.end('ok'))
  t.after(() => app.close())
  return edgeBefore(t, app.address)
}

/** Waits until so many are entered. */
async function entries(edge: RunningEdge, count: number): Promise<AccessEntry[]> {
  while (edge.accesses.length < count) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(edge.accesses.length, count)
  return edge.accesses
}

test('a line tells of TLS and of the upstream; of handshake and connection in the first alone', async (t) => {
  const edge = await edgeWithApp(t)
  await edge.tell('https', `GET /1 HTTP/1.1\r\n${KEEP}`, `GET /2 HTTP/1.1\r\n${CLOSE}`)
  const [first, second] = (await entries(edge, 2)) as [AccessEntry, AccessEntry]
  for (const { tls, upstream, firstByteMs, durationMs, attempts, why } of [first, second]) {
    assert.deepEqual([tls?.version, tls?.cipher.startsWith('TLS_'), tls?.isResumed], ['TLSv1.3', true, false])
    assert.match(upstream!, /^http:\/\/127\.0\.0\.1:\d+$/)
    assert.ok(firstByteMs! > 0 && firstByteMs! <= durationMs)
    assert.deepEqual([attempts, why], [1, undefined])
  }
  assert.ok(first.handshakeMs! > 0)
  assert.ok(first.connectMs! >= 0 && first.connectMs! + first.firstByteMs! <= first.durationMs + 0.1)
  assert.deepEqual([second.handshakeMs, second.connectMs], [undefined, undefined])
  const { handshake, upstreamConnect, upstreamFirstByte, request } = edge.edge.counters.durations
  const count = ({ counts }: typeof request): number => counts.reduce((a, b) => a + b)
  assert.deepEqual([handshake, upstreamConnect, upstreamFirstByte, request].map(count), [1, 1, 2, 2])
})

test('a line in clear text tells of no TLS', async (t) => {
  const edge = await edgeWithApp(t)
  await edge.tell('http', `GET / HTTP/1.1\r\n${CLOSE}`)
  const [entry] = await entries(edge, 1)
  assert.deepEqual([entry?.tls, entry?.handshakeMs], [undefined, undefined])
})

test('no line is made, and TLS is not asked, where the access log is off', async (t) => {
  const app = await startUpstream((_, response) => void response.end('ok'))
  t.after(() => app.close())
  const edge = await runEdge(t, [siteOf(app.address)], { accessLog: false })
  assert.match(await edge.tell('https', `GET / HTTP/1.1\r\n${CLOSE}`), / 200 /)
  assert.deepEqual(edge.accesses, [])
  assert.deepEqual(edge.edge.counters.requests, { '1.1 2xx': 1 })
})

test('what is refused before it is a request is entered and counted, in clear text and over TLS', async (t) => {
  const edge = await edgeWithApp(t)
  const refused = [
    [
      `GET / HTTP/1.1\r\nHost: a.test\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
      431,
      'fields-too-large',
      'GET',
      'a.test',
      '/',
    ],
    ['\x00\x1b[2J\r\n\r\n', 400, 'request-line-malformed', undefined, undefined, undefined],
    [
      `POST /s HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n${KEEP}`,
      400,
      'framing-ambiguous',
      'POST',
      'a.test',
      '/s',
    ],
    ['GET /\x1b HTTP/1.0\r\n\r\n', 400, 'target-invalid', 'GET', undefined, '/\x1b'],
  ] as const
  for (const way of WAYS)
    for (const [bytes, status, why, method, host, target] of refused) {
      await edge.tell(way, bytes)
      const [entry] = (await entries(edge, 1)).splice(0)
      assert.deepEqual(
        [entry?.status, entry?.why, entry?.method, entry?.host, entry?.target, entry?.requestId, entry?.client],
        [status, why, method, host, target, undefined, '127.0.0.1'],
      )
      assert.ok(entry!.bytes > 0)
      assert.equal(entry?.handshakeMs !== undefined, way === 'https')
    }
  const { requests } = edge.edge.counters
  assert.deepEqual(requests, { '1.0 4xx': 2, '1.1 4xx': 6 })
})

test('errors of our own have their reason, and those of the upstream none', async (t) => {
  const app = await startUpstream((_, response) => void response.writeHead(503).end('busy'))
  t.after(() => app.close())
  const edge = await edgeBefore(t, app.address)
  for (const [head, status, why] of [
    [`GET / HTTP/1.1\r\n${CLOSE}`, 503, undefined],
    ['GET / HTTP/1.1\r\nHost: nobody.test\r\nConnection: close\r\n\r\n', 404, 'site-unknown'],
    ['GET / HTTP/1.0\r\n\r\n', 400, 'host-invalid'],
    [`GET /.well-known/acme-challenge/x HTTP/1.1\r\n${CLOSE}`, 404, 'challenge-unknown'],
  ] as const) {
    await edge.tell('http', head)
    const [entry] = (await entries(edge, 1)).splice(0)
    assert.deepEqual([entry?.status, entry?.why], [status, why])
    assert.equal(entry?.upstream === undefined, status !== 503)
  }
})

test('421 has its reason', async (t) => {
  const app = await startUpstream((_, response) => void response.end('ok'))
  t.after(() => app.close())
  const other = siteOf(app.address, { name: 'c.test', names: ['c.test'] })
  const edge = await runEdge(t, [siteOf(app.address), other], {}, ['a.test'])
  await edge.tell('https', 'GET / HTTP/1.1\r\nHost: c.test\r\nConnection: close\r\n\r\n')
  const [entry] = await entries(edge, 1)
  assert.deepEqual([entry?.status, entry?.why], [421, 'host-not-certified'])
})

test('an upstream that refuses is told with the system’s word', async (t) => {
  const app = await startUpstream(() => {})
  await app.close()
  const edge = await edgeBefore(t, app.address)
  await edge.tell('http', `GET / HTTP/1.1\r\n${CLOSE}`)
  const [entry] = await entries(edge, 1)
  const { status, why, cause, connectMs, firstByteMs, attempts } = entry!
  assert.deepEqual([status, why, cause], [502, 'upstream-unreachable', 'ECONNREFUSED'])
  assert.ok(connectMs! >= 0)
  assert.equal(firstByteMs, undefined)
  // It may be restarting, so that it is asked for three seconds.
  assert.ok(attempts! > 10)
})

test('a response that breaks off keeps its status and has its reason; so does one that its client leaves', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this')
      if (bytes.includes('GET /broken')) setImmediate(() => socket.end())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const edge = await edgeBefore(t, { scheme: 'http', host: '127.0.0.1', port })
  await edge.tell('http', `GET /broken HTTP/1.1\r\n${CLOSE}`)
  const [broken] = (await entries(edge, 1)).splice(0)
  assert.deepEqual([broken?.status, broken?.bytes, broken?.why], [200, 9, 'upstream-broken'])
  const socket = await edge.connect('http')
  socket.write(`GET / HTTP/1.1\r\n${CLOSE}`)
  socket.once('data', () => socket.destroy())
  const [left] = await entries(edge, 1)
  assert.deepEqual([left?.status, left?.why], [200, 'socket-closed'])
})

test('a request that is sent once more, as its connection turned out to be dead, counts its attempts', async (t) => {
  let connections = 0
  const server = createServer((socket) => {
    const isFirst = ++connections === 1
    let requests = 0
    socket.on('error', () => {})
    socket.on('data', () => {
      // The second request on the first connection gets no answer.
      if (isFirst && ++requests === 2) socket.destroy()
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const edge = await edgeBefore(t, { scheme: 'http', host: '127.0.0.1', port })
  await edge.tell('http', `GET / HTTP/1.1\r\n${CLOSE}`)
  await edge.tell('http', `GET / HTTP/1.1\r\n${CLOSE}`)
  const [, again] = await entries(edge, 2)
  assert.deepEqual([again?.status, again?.attempts, again?.connectMs !== undefined], [200, 2, true])
})

test('over HTTP/2, what is refused or reset is entered, and what broke a rule is counted by code', async (t) => {
  const edge = await edgeWithApp(t)
  const client = await connectFrames(t, edge)
  const large = ['x', 'y'.repeat(30_000), 'z', 'y'.repeat(20_000)]
  client.say(headers(1, literals(...GET.slice(0, 4), ':path', '/\x1b', ':authority', 'a.test'), EH | ES), ping())
  await client.hear('PING')
  client.say(...inFrames(3, literals(...GET, ...large)), ping())
  await client.hear('PING')
  const [malformed, tooLarge] = (await entries(edge, 2)).splice(0)
  const told = (entry: AccessEntry | undefined): unknown[] => [entry?.status, entry?.why, entry?.host, entry?.target]
  assert.deepEqual(told(malformed), [0, 'path-invalid', 'a.test', '/\x1b'])
  assert.deepEqual(told(tooLarge), [431, 'fields-too-large', 'a.test', '/'])
  assert.ok(malformed?.handshakeMs !== undefined && tooLarge?.handshakeMs === undefined)
  client.say(headers(2, literals(...GET), EH | ES))
  await client.closed()
  const { requests, http2Errors } = edge.edge.counters
  assert.deepEqual(requests, { '2 0xx': 1, '2 4xx': 1 })
  while (Object.keys(edge.edge.counters.http2Errors).length < 2) await new Promise((resolve) => setImmediate(resolve))
  assert.ok(http2Errors['stream PROTOCOL_ERROR path-invalid'] === 1)
  assert.equal(edge.edge.counters.http2Errors['connection PROTOCOL_ERROR stream-id-invalid'], 1)
})

test('an ordinary client of HTTP/2 that resets its request leaves a line, and no error', async (t) => {
  const app = await startUpstream(() => {})
  t.after(() => app.close())
  const edge = await edgeBefore(t, app.address)
  const session = await connectHttp2(t, edge)
  const asked = new Promise((resolve) => app.server.once('request', resolve))
  const stream = session.request({ ':authority': 'a.test' })
  stream.on('error', () => {})
  await asked
  stream.close(8)
  const [entry] = await entries(edge, 1)
  assert.deepEqual([entry?.status, entry?.why, entry?.version], [0, 'reset-received', '2'])
  assert.deepEqual(edge.edge.counters.http2Errors, {})
  assert.equal((await askHttp2(session, { ':authority': 'nobody.test' })).status, 404)
  assert.equal((await entries(edge, 2))[1]?.why, 'site-unknown')
})

/** HEADERS and CONTINUATION, as the block is larger than a frame may be. */
function inFrames(streamId: number, block: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at < block.length; at += 16_000) {
    const flags = at + 16_000 >= block.length ? EH : 0
    const piece = block.subarray(at, at + 16_000)
    frames.push(at === 0 ? headers(streamId, piece, flags | ES) : continuation(streamId, piece, flags))
  }
  return frames
}
