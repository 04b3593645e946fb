import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, constants } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { exchangeBytes, plainPolicy, type Served, serve, siteOf, startUpstream, type Upstream } from '../serve.ts'

const LIMIT = 10

type Scene = { readonly proxy: Served; readonly seen: { bytes: number; aborted: boolean }[] }

async function scene(t: TestContext, protocol: 'http/1.1' | 'h2', respondsEarly = false): Promise<Scene> {
  const seen: { bytes: number; aborted: boolean }[] = []
  const upstream: Upstream = await startUpstream((request, response) => {
    const visit = { bytes: 0, aborted: false }
    seen.push(visit)
    if (respondsEarly) response.write('early')
    request.on('data', (piece: Buffer) => {
      visit.bytes += piece.length
    })
    request.on('error', () => {
      visit.aborted = true
    })
    request.on('end', () => response.end('taken'))
  })
  const proxy = await serve([siteOf(upstream.address, { policy: { ...plainPolicy, maxBodyBytes: LIMIT } })], {
    protocol,
  })
  t.after(async () => {
    await proxy.close()
    await upstream.close()
  })
  return { proxy, seen }
}

function post(framing: string, body: string): string {
  return `POST / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n${framing}\r\n\r\n${body}`
}

test('a body within the limit is passed on, whatever its framing', async (t) => {
  const { proxy, seen } = await scene(t, 'http/1.1')
  for (const request of [
    post('Content-Length: 10', '0123456789'),
    post('Transfer-Encoding: chunked', '5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n'),
  ])
    assert.match(await exchangeBytes(proxy.port, request), /^HTTP\/1\.1 200 [\s\S]*taken/)
  assert.deepEqual(
    seen.map(({ bytes }) => bytes),
    [10, 10],
  )
})

test('one that is announced to be larger is refused at once, and the upstream hears nothing of it (RFC 9110 §15.5.14)', async (t) => {
  const { proxy, seen } = await scene(t, 'http/1.1')
  const answer = await exchangeBytes(proxy.port, post('Content-Length: 11', '01234567890'))
  assert.match(answer, /^HTTP\/1\.1 413 .*\r\n[\s\S]*larger than is taken here/)
  assert.deepEqual(seen, [])
  assert.deepEqual([proxy.accesses[0]?.status, proxy.accesses[0]?.why], [413, 'body-too-large'])
})

test('one of unknown length is refused when it has become too large, and the upstream’s request is cancelled', async (t) => {
  const { proxy, seen } = await scene(t, 'http/1.1')
  const chunked = 'b\r\n01234567890\r\n0\r\n\r\n'
  assert.match(await exchangeBytes(proxy.port, post('Transfer-Encoding: chunked', chunked)), /^HTTP\/1\.1 413 /)
  for (let turn = 0; turn < 200 && seen[0]?.aborted !== true && seen.length > 0; turn++)
    await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(seen.every(({ bytes, aborted }) => aborted && bytes <= LIMIT))
  assert.deepEqual([proxy.accesses[0]?.status, proxy.accesses[0]?.why], [413, 'body-too-large'])
})

test('after a response has begun it breaks off, so that the client can tell', async (t) => {
  const { proxy } = await scene(t, 'h2', true)
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':authority': 'a.test', ':path': '/' })
  stream.on('error', () => {})
  stream.write('01234')
  await new Promise((resolve) => stream.once('data', resolve))
  stream.write('567890')
  await new Promise((resolve) => stream.once('close', resolve))
  assert.notEqual(stream.rstCode, constants.NGHTTP2_NO_ERROR)
})

test('in HTTP/2 the same is a 413', async (t) => {
  const { proxy } = await scene(t, 'h2')
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':method': 'POST', ':authority': 'a.test', ':path': '/' })
  stream.on('error', () => {})
  stream.write('01234567890')
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once('response', resolve))
  assert.equal(headers[':status'], 413)
})

test('a WebSocket over HTTP/2 is no body, and may send as much as it likes (RFC 8441)', async (t) => {
  const upstream = await startUpstream(() => {})
  upstream.server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64')
    const fields = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}`
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n\r\n`)
    socket.pipe(socket)
  })
  const policy = { ...plainPolicy, maxBodyBytes: LIMIT }
  const proxy = await serve([siteOf(upstream.address, { policy })], { protocol: 'h2' })
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  const stream = session.request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':authority': 'a.test', ':path': '/' },
    { endStream: false },
  )
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  assert.equal(headers[':status'], 200)
  const echoed = 'x'.repeat(10 * LIMIT)
  stream.write(echoed)
  let received = ''
  for await (const piece of stream) {
    received += piece
    if (received.length >= echoed.length) break
  }
  assert.equal(received, echoed)
})

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
