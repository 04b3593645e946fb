import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns, until } from '../http1/peer.ts'
import { data, ES, goaway, rstStream, settings, settingsAck } from '../http2/frames.ts'
import { FIRST_REQUEST_ID } from '../serve.ts'
import { behindHttp2, ok } from './http2-peer.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const POST = `POST /p HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`
const MAX_CONCURRENT_STREAMS = 3
const REFUSED_STREAM = 7
const INTERNAL_ERROR = 2

test('requests at the same time share a connection, and are answered in any order', async (t) => {
  const { client, peer, peers } = await behindHttp2(t)
  const clients = await Promise.all([client(), client(), client()])
  for (const [index, one] of clients.entries()) one.say(GET.replace('/ ', `/${index} `))
  const upstream = await peer(0)
  const streams = []
  for (const index of [0, 1, 2])
    streams.push(Number((await upstream.hear(new RegExp(`:path=/${index} `))).split(' ')[1]))
  for (const index of [2, 0, 1]) {
    upstream.say(ok(streams[index]!, 0x4), data(streams[index]!, `answer ${index}`, ES))
    await clients[index]!.hear(`answer ${index}`)
  }
  assert.equal(peers.length, 1)
})

test('what the upstream is asked: its fields in lower case, and who asks (RFC 9113 §8.2)', async (t) => {
  const { client, peer } = await behindHttp2(t)
  const one = await client()
  one.say(`GET /x?y HTTP/1.1\r\n${HOST}X-One: 1\r\nConnection: X-Two\r\nX-Two: 2\r\nTE: trailers\r\n\r\n`)
  assert.equal(
    await (await peer(0)).hear(/^HEADERS/),
    'HEADERS 1 ES :method=GET :scheme=http :authority=a.test :path=/x?y te=trailers x-one=1 x-forwarded-for=192.0.2.1 ' +
      `x-forwarded-proto=http x-forwarded-host=a.test x-request-id=${FIRST_REQUEST_ID}`,
  )
})

test('a second connection is opened when the first takes no more, and not before', async (t) => {
  const { client, peer, peers } = await behindHttp2(t, { greeting: settings([MAX_CONCURRENT_STREAMS, 2]) })
  const clients = await Promise.all([client(), client(), client()])
  for (const one of clients.slice(0, 2)) one.say(GET)
  const first = await peer(0)
  await first.hear(/^HEADERS 3/)
  assert.equal(peers.length, 1)
  clients[2]!.say(GET)
  const second = await peer(1)
  await second.hear(/^HEADERS 1/)
  first.say(ok(1), ok(3))
  second.say(ok(1))
  for (const one of clients) await one.hear('HTTP/1.1 200 OK\r\n')
  // The first is taken again, so that the second can become idle.
  clients[2]!.say(GET)
  await first.hear(/^HEADERS 5/)
  assert.equal(peers.length, 2)
})

test('requests that came while a connection was opened get others where it allows too few', async (t) => {
  const { client, peers, peer } = await behindHttp2(t, { greeting: settings([MAX_CONCURRENT_STREAMS, 1]) })
  const clients = await Promise.all([client(), client(), client()])
  for (const one of clients) one.say(GET)
  for (const index of [0, 1, 2]) await (await peer(index)).hear(/^HEADERS 1 /)
  for (const upstream of peers) upstream.say(ok(1))
  for (const one of clients) await one.hear('HTTP/1.1 200 OK\r\n')
  assert.ok(peers.every(({ lines }) => lines.filter((line) => line.startsWith('HEADERS')).length === 1))
})

test('what an upstream that goes away did not look at is sent again, content and all (RFC 9113 §6.8)', async (t) => {
  const { client, peer } = await behindHttp2(t)
  const [one, other] = [await client(), await client()]
  one.say(GET)
  const first = await peer(0)
  await first.hear(/^HEADERS 1 /)
  other.say(POST)
  await first.hear(/^DATA 3 /)
  first.say(goaway(1, 0))
  const second = await peer(1)
  await second.hear(/^HEADERS 1 :method=POST .*content-length=4/)
  await second.hear(/^DATA 1 \d ES/)
  assert.equal(second.trace.contentOf(1), 'body')
  second.say(ok(1))
  await other.hear('HTTP/1.1 200 OK\r\n')
  // What it did look at is answered by it still.
  first.say(ok(1, 0x4), data(1, 'late', ES))
  await one.hear('late')
  await first.closed()
})

test('a refused request is sent again whatever its method (RFC 9113 §8.7), but not for ever', async (t) => {
  const { client, peer, proxy } = await behindHttp2(t)
  const one = await client()
  one.say(POST)
  const upstream = await peer(0)
  for (const stream of [1, 3]) {
    await upstream.hear(new RegExp(`^DATA ${stream} \\d ES`))
    assert.equal(upstream.trace.contentOf(stream), 'body')
    upstream.say(rstStream(stream, REFUSED_STREAM))
  }
  await upstream.hear(/^DATA 5 \d ES/)
  upstream.say(ok(5))
  await one.hear('HTTP/1.1 200 OK\r\n')
  one.say(POST)
  for (const stream of [7, 9, 11]) {
    await upstream.hear(new RegExp(`^HEADERS ${stream} `))
    upstream.say(rstStream(stream, REFUSED_STREAM))
  }
  await one.hear('HTTP/1.1 502 Bad Gateway\r\n')
  assert.match(
    proxy.log.of('upstream-broken')[0]!.message,
    /no usable response: it reset the stream with REFUSED_STREAM\.$/,
  )
})

test('content that was too much to keep is not sent again in part: 502', async (t) => {
  const { client, peer } = await behindHttp2(t)
  const one = await client()
  one.say(`POST / HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`)
  const first = await peer(0)
  await until(() => first.trace.contentOf(1).length >= 65_535)
  first.say(rstStream(1, REFUSED_STREAM))
  await one.hear('HTTP/1.1 502 Bad Gateway\r\n')
  assert.ok(!first.lines.some((line) => line.startsWith('HEADERS 3')))
})

test('a request that was reset for another reason is not sent again: 502', async (t) => {
  const { client, peer } = await behindHttp2(t)
  const one = await client()
  one.say(GET)
  const upstream = await peer(0)
  await upstream.hear(/^HEADERS 1/)
  upstream.say(rstStream(1, INTERNAL_ERROR))
  await one.hear('HTTP/1.1 502 Bad Gateway\r\n')
  await turns()
  assert.ok(!upstream.lines.some((line) => line.startsWith('HEADERS 3')))
})

test('on a connection that breaks, what is idempotent is sent again, and what is not is a 502 (RFC 9110 §9.2.2)', async (t) => {
  const { client, peer, peers } = await behindHttp2(t)
  const [one, other] = [await client(), await client()]
  one.say(GET)
  const first = await peer(0)
  await first.hear(/^HEADERS 1/)
  first.say(ok(1))
  await one.hear('\r\n\r\n')
  one.say(GET)
  other.say(POST)
  await first.hear(/^DATA . \d ES/)
  await first.hear(/^HEADERS (3|5) ES/)
  first.socket.destroy()
  await other.hear('HTTP/1.1 502 Bad Gateway\r\n')
  const second = await peer(1)
  await second.hear(/^HEADERS 1 ES/)
  second.say(ok(1))
  await one.hear('HTTP/1.1 200 OK\r\n')
  assert.equal(peers.length, 2)
})

test('a client that goes away cancels its request at once, and no other (RFC 9113 §8.7)', async (t) => {
  const { client, peer } = await behindHttp2(t)
  const [one, other] = [await client(), await client()]
  one.say(GET)
  const upstream = await peer(0)
  await upstream.hear(/^HEADERS 1/)
  other.say(GET)
  await upstream.hear(/^HEADERS 3/)
  one.socket.resetAndDestroy()
  await upstream.hear(/^RST_STREAM 1 CANCEL/)
  upstream.say(ok(3))
  await other.hear('HTTP/1.1 200 OK\r\n')
})

test('a client that goes away while a connection is opened is forgotten', async (t) => {
  const { client, peer, proxy } = await behindHttp2(t, { greeting: Buffer.alloc(0) })
  const one = await client()
  one.say(GET)
  const upstream = await peer(0)
  one.socket.resetAndDestroy()
  await until(() => proxy.accesses.length === 1)
  upstream.say(settings(), settingsAck)
  const other = await client()
  other.say(GET)
  await upstream.hear(/^HEADERS 1/)
  upstream.say(ok(1))
  await other.hear('HTTP/1.1 200 OK\r\n')
  assert.ok(!upstream.lines.some((line) => line.startsWith('HEADERS 3')))
})

test('a connection takes no more requests after 10 minutes, and closes after the last', async (t) => {
  const { client, peer, pass } = await behindHttp2(t, {
    timeouts: { connectMs: 5_000, firstByteMs: 3_600_000, idleMs: 3_600_000 },
  })
  const one = await client()
  one.say(GET)
  const first = await peer(0)
  await first.hear(/^HEADERS 1/)
  first.say(ok(1, 0x4))
  await one.hear('HTTP/1.1 200 OK\r\n')
  pass(10 * 60_000 + 1)
  const other = await client()
  other.say(GET)
  const second = await peer(1)
  await second.hear(/^HEADERS 1/)
  first.say(data(1, 'still here', ES))
  await one.hear('still here')
  await first.closed()
})

test('a connection without requests is closed after 50 s', async (t) => {
  const { client, peer, pass } = await behindHttp2(t)
  const one = await client()
  one.say(GET)
  const upstream = await peer(0)
  await upstream.hear(/^HEADERS 1/)
  upstream.say(ok(1))
  await one.hear('\r\n\r\n')
  pass(49_000)
  await turns()
  assert.ok(!upstream.lines.some((line) => line.startsWith('GOAWAY')))
  pass(2_000)
  await upstream.hear(/^GOAWAY 0 NO_ERROR/)
})

test('a response that does not begin in time is a 504; on a silent connection nobody else is sent', async (t) => {
  const { client, peer, pass, proxy } = await behindHttp2(t, {
    timeouts: { connectMs: 5_000, firstByteMs: 2_000, idleMs: 3_000 },
  })
  const one = await client()
  one.say(GET)
  const first = await peer(0)
  await first.hear(/^HEADERS 1/)
  pass(2_100)
  await one.hear('HTTP/1.1 504 Gateway Timeout\r\n')
  await first.hear(/^RST_STREAM 1 CANCEL/)
  assert.match(proxy.log.of('upstream-timeout')[0]!.message, /was too slow: it sent nothing for too long\.$/)
  await one.hear('</html>')
  one.say(GET)
  const second = await peer(1)
  await second.hear(/^HEADERS 1/)
  second.say(ok(1, 0x4), data(1, 'some'))
  await one.hear('some')
  pass(2_900)
  second.say(data(1, 'more'))
  await one.hear('more')
  pass(3_100)
  await second.hear(/^RST_STREAM 1 CANCEL/)
  await one.hearEnd()
})

test('one request that waits in vain does not cost the others their connection', async (t) => {
  const { client, peer, pass, peers } = await behindHttp2(t, {
    timeouts: { connectMs: 5_000, firstByteMs: 2_000, idleMs: 3_000 },
  })
  const [one, other] = [await client(), await client()]
  one.say(GET)
  const upstream = await peer(0)
  await upstream.hear(/^HEADERS 1/)
  pass(1_000)
  other.say(GET)
  await upstream.hear(/^HEADERS 3/)
  upstream.say(ok(3))
  await other.hear('\r\n\r\n')
  pass(1_100)
  await one.hear('HTTP/1.1 504 Gateway Timeout\r\n')
  other.say(GET)
  await upstream.hear(/^HEADERS 5/)
  assert.equal(peers.length, 1)
})

test('a server that takes no requests is waited for as long as for a connection', async (t) => {
  const { client, peer, pass, proxy } = await behindHttp2(t, { greeting: settings([MAX_CONCURRENT_STREAMS, 0]) })
  const one = await client()
  one.say(GET)
  await (await peer(0)).hear(/^SETTINGS ACK/)
  pass(5_100)
  await one.hear('HTTP/1.1 504 Gateway Timeout\r\n')
  assert.equal(proxy.log.of('upstream-timeout').length, 1)
})

test('requests beyond the last stream wait for their turn, but not for ever', async (t) => {
  const { client, peer, peers, pass } = await behindHttp2(t, { greeting: settings([MAX_CONCURRENT_STREAMS, 1]) })
  const clients = await Promise.all(Array.from({ length: 66 }, () => client()))
  for (const one of clients) one.say(GET)
  await until(() => peers.length === 64 && peers.every(({ lines }) => lines.some((line) => line.startsWith('HEADERS'))))
  const upstream = await peer(7)
  upstream.say(ok(1))
  await upstream.hear(/^HEADERS 3/)
  pass(5_100)
  await until(() => clients.some(({ received }) => received.startsWith('HTTP/1.1 504 ')))
  assert.equal(peers.length, 64)
  assert.equal(clients.filter(({ received }) => received.startsWith('HTTP/1.1 504 ')).length, 1)
})
