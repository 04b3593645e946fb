import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { createSecureContext, type SecureContext } from 'node:tls'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { bytewise } from '../client-hello/every-split.ts'
import { certificate } from '../tls/served.ts'
import { latin1 } from './bytes.ts'
import { turns, until } from './peer.ts'
import { type Seen, served } from './served.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

function post(fields: string, content = ''): string {
  return `POST / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n${content}`
}

test('one request after another on one connection, each answered (RFC 9112 §9.3)', async (t) => {
  const { client, request } = await served(t, (seen) => seen.answer(seen.exchange.request.target))
  const peer = await client()
  for (const [index, target] of ['/a', '/b', '/c'].entries()) {
    peer.say(`GET ${target} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    assert.equal(await peer.hear(target), `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${target}`)
    assert.deepEqual((await request(index)).trailers, [])
  }
})

test('how a request ended is told once, with status and bytes of content', async (t) => {
  const { client, request } = await served(t, (seen) => seen.answer('hello', 203))
  const peer = await client()
  peer.say(GET)
  const seen = await request(0)
  await until(() => seen.outcome !== undefined)
  assert.deepEqual(seen.outcome, { result: 'complete', status: 203, bytes: 5, why: undefined })
})

test('pipelined requests are answered in order, one at a time (RFC 9112 §9.3.2)', async (t) => {
  const { client, request, seen } = await served(t)
  const peer = await client()
  peer.say(`${GET.replace('/', '/1')}${post('Content-Length: 2\r\n', 'ab')}${GET.replace('/', '/3')}`)
  const first = await request(0)
  await turns()
  assert.equal(seen.length, 1, 'the next ones wait')
  first.answer('one')
  const second = await request(1)
  assert.equal(second.content, 'ab')
  second.answer('two')
  const third = await request(2)
  third.answer('three')
  const heard = await peer.hear('three')
  assert.deepEqual(heard.match(/one|two|three/g), ['one', 'two', 'three'])
})

test('what is pipelined stays in the socket beyond a first read', async (t) => {
  const { client, request, seen, socket } = await served(t)
  const peer = await client()
  peer.say(GET)
  const first = await request(0)
  const flood = GET.repeat(100_000)
  peer.say(flood)
  await turns(200)
  assert.ok(socket().bytesRead < 500_000, `read ${socket().bytesRead} of ${flood.length}`)
  assert.equal(seen.length, 1)
  first.answer('')
  await request(1)
})

test('a request cut into single bytes is one request', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.socket.setNoDelay(true)
  for (const byte of bytewise(latin1(post('Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n')))) {
    peer.socket.write(byte)
    await turns(1)
  }
  const seen = await request(0)
  await until(() => seen.trailers !== undefined)
  assert.equal(seen.content, 'abc')
  assert.deepEqual(seen.trailers, ['X-Sum', '1'])
})

test('head and first content leave in one write', async (t) => {
  const { client, socket } = await served(t, ({ exchange }) => {
    exchange.respond({ status: 200, fields: ['A', 'b'] }, UNKNOWN_LENGTH)
    exchange.write(Buffer.from('one'))
    exchange.write(Buffer.from('two'))
    exchange.end()
  })
  const peer = await client()
  const writes: unknown[] = []
  const write = socket().write
  socket().write = function (this: unknown, ...given: Parameters<typeof write>) {
    writes.push(given[0])
    return write.apply(socket(), given)
  } as typeof write
  peer.say(GET)
  const expected = 'HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n'
  assert.equal(await peer.hear('0\r\n\r\n'), expected)
  assert.equal(writes.length, 1)
})

for (const [version, fields, isKept, head] of [
  ['1.0', '', false, 'Content-Length: 2\r\nConnection: close\r\n'],
  ['1.0', 'Connection: keep-alive\r\n', true, 'Content-Length: 2\r\nConnection: keep-alive\r\n'],
  ['1.0', 'Connection: keep-alive, close\r\n', false, 'Content-Length: 2\r\nConnection: close\r\n'],
  ['1.1', '', true, 'Content-Length: 2\r\n'],
  ['1.1', 'Connection: close\r\n', false, 'Content-Length: 2\r\nConnection: close\r\n'],
] as const)
  test(`HTTP/${version} with ${JSON.stringify(fields)} ${isKept ? 'stays open' : 'closes'} (RFC 9112 §9.3)`, async (t) => {
    const { client } = await served(t, (seen) => seen.answer('ok'))
    const peer = await client()
    peer.say(`GET / HTTP/${version}\r\nHost: a.test\r\n${fields}\r\n`)
    assert.equal(await peer.hear('ok'), `HTTP/1.1 200 OK\r\n${head}\r\nok`)
    if (isKept) {
      peer.say(GET)
      await peer.hear('ok')
    } else assert.equal(await peer.hearEnd(), '')
  })

test('HTTP/1.0 gets no chunks: content of unknown length ends with the connection (RFC 9112 §6.1)', async (t) => {
  const { client } = await served(t, ({ exchange }) => {
    exchange.inform({ status: 103, fields: [] })
    exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
    exchange.write(Buffer.from('all'))
    exchange.end(['X-Sum', '1'])
  })
  const peer = await client()
  peer.say('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
  assert.equal(await peer.hearEnd(), 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall')
})

test('an aborted response to HTTP/1.0 is reset, for nothing else says that more was to come', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.say('GET / HTTP/1.0\r\n\r\n')
  const { exchange } = await request(0)
  exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
  exchange.write(Buffer.from('some'))
  await peer.hear('some')
  exchange.abort()
  assert.equal(await peer.closed(), 'reset')
})

for (const [name, length, tail] of [
  ['of unknown length has no last chunk', UNKNOWN_LENGTH, '\r\n'],
  ['of known length is too short', 100, ''],
] as const)
  test(`an aborted response ${name}, and the connection closes (RFC 9112 §8)`, async (t) => {
    const { client, request } = await served(t)
    const peer = await client()
    peer.say(GET)
    const seen = await request(0)
    seen.exchange.respond({ status: 200, fields: [] }, length)
    seen.exchange.write(Buffer.from('some'))
    seen.exchange.abort()
    assert.ok((await peer.hearEnd()).endsWith(`some${tail}`))
    assert.deepEqual(seen.outcome, { result: 'aborted', status: 200, bytes: 4, why: undefined })
    seen.answer('too late')
    assert.equal(seen.exchange.write(Buffer.from('x')), true)
  })

test('a response that ends short of its length, or goes beyond it, is aborted', async (t) => {
  const { client, request } = await served(t, ({ exchange }) => {
    exchange.respond({ status: 200, fields: [] }, 5)
    exchange.write(Buffer.from(exchange.request.target === '/short' ? 'abc' : 'abcdefg'))
    exchange.end()
  })
  for (const [index, target] of ['/short', '/long'].entries()) {
    const peer = await client()
    peer.say(GET.replace('/', target))
    assert.doesNotMatch(await peer.hearEnd(), /abcdef/)
    assert.equal((await request(index)).outcome?.result, 'aborted')
  }
})

test('HEAD, 204 and 304 have no content, whatever is written (RFC 9112 §6.3)', async (t) => {
  const { client } = await served(t, ({ exchange }) => {
    const status = Number(exchange.request.target.slice(1))
    exchange.respond({ status, fields: [] }, 5)
    exchange.write(Buffer.from('hello'))
    exchange.end()
  })
  const peer = await client()
  for (const [line, answer] of [
    ['HEAD /200', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
    ['GET /304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'],
    ['GET /204', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET /200', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
  ] as const) {
    peer.say(`${line} HTTP/1.1\r\nHost: a.test\r\n\r\n`)
    assert.equal(await peer.hear(answer), answer)
  }
})

test('trailers are for those who read them (RFC 9112 §7.1.2)', async (t) => {
  const { client } = await served(t, ({ exchange }) => {
    exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
    exchange.end(['X-Sum', '1'])
  })
  const peer = await client()
  peer.say(`GET / HTTP/1.1\r\nHost: a.test\r\nConnection: TE\r\nTE: trailers\r\n\r\n${GET}`)
  await peer.hear('chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n')
  await peer.hear('chunked\r\n\r\n0\r\n\r\n')
})

test('trailers that are announced go before a length that is (RFC 9110 §6.6.2)', async (t) => {
  const { client } = await served(t, ({ exchange }) => {
    exchange.respond({ status: 200, fields: ['Trailer', 'X-Sum'] }, 1)
    exchange.write(Buffer.from('x'))
    exchange.end(['X-Sum', '1'])
  })
  const peer = await client()
  peer.say(GET.replace('\r\n\r\n', '\r\nTE: trailers\r\n\r\n'))
  const answer = await peer.hear('1\r\nx\r\n0\r\nX-Sum: 1\r\n\r\n')
  assert.equal(answer.split('1\r\nx')[0], 'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n')
  peer.say(GET)
  assert.match(await peer.hear('\r\n\r\nx'), /\r\nContent-Length: 1\r\n/)
})

test('informational responses are passed on at once (RFC 9110 §15.2)', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.say(post('Content-Length: 2\r\nExpect: 100-continue\r\n'))
  const seen = await request(0)
  assert.equal(seen.exchange.expectsContinue, true)
  seen.exchange.inform({ status: 103, fields: ['Link', '</a>'] })
  seen.exchange.inform({ status: 100, fields: [] })
  assert.equal(
    await peer.hear('100 Continue\r\n\r\n'),
    'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n',
  )
  peer.say('ab')
  await until(() => seen.content === 'ab')
  seen.answer('ok')
  await peer.hear('ok')
  seen.exchange.inform({ status: 103, fields: [] })
  peer.say(GET)
  await request(1)
  assert.equal(peer.received, '')
})

test('an answer instead of a 100 closes: content may come or not, and is never a request (RFC 9110 §10.1.1)', async (t) => {
  const { client, seen } = await served(t, (one) => one.answer('no', 403))
  const peer = await client()
  peer.say(post(`Content-Length: ${GET.length}\r\nExpect: 100-continue\r\n`))
  assert.match(await peer.hear('no'), /\r\nConnection: close\r\n/)
  peer.say(GET)
  assert.equal(await peer.hearEnd(), '')
  assert.equal(seen.length, 1)
})

test('an answer before the content is whole: the rest is read and dropped, and the connection goes on', async (t) => {
  const { client, request } = await served(t, (seen) => seen.answer('early'))
  const peer = await client()
  peer.say(post('Content-Length: 10\r\n', 'abc'))
  await peer.hear('early')
  const first = await request(0)
  await until(() => first.outcome !== undefined)
  peer.say(`defghij${GET}`)
  await peer.hear('early')
  assert.equal(first.content, 'abc')
})

test('an answer before content that has no end: no more than so many bytes are dropped', async (t) => {
  const { client, request } = await served(t, (seen) => seen.answer('early'))
  const peer = await client()
  peer.say(post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n'))
  await peer.hear('early')
  const first = await request(0)
  await until(() => first.outcome !== undefined)
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  const flood = setInterval(() => peer.say(chunk), 0)
  await Promise.race([once(peer.socket, 'end'), once(peer.socket, 'close')])
  clearInterval(flood)
  assert.equal(first.outcome?.result, 'complete')
})

test('an answer before content that never comes: the connection closes in time', async (t) => {
  const { client, pass, request } = await served(t, (seen) => seen.answer('early'))
  const peer = await client()
  peer.say(post('Content-Length: 10\r\n', 'abc'))
  await peer.hear('early')
  const seen = await request(0)
  await until(() => seen.outcome !== undefined)
  pass(3_000)
  peer.say('d')
  await turns()
  pass(3_000)
  assert.equal(await peer.hearEnd(), '')
})

test('a receiver that has enough stops the client, until it asks for more', async (t) => {
  const { client, request, socket } = await served(t, (seen) => {
    seen.takesMore = false
  })
  const peer = await client()
  const bytes = 20_000_000
  peer.say(post(`Content-Length: ${bytes}\r\n`))
  peer.socket.write(Buffer.alloc(bytes))
  const seen = await request(0)
  await until(() => seen.contentBytes > 0)
  await turns(200)
  assert.ok(seen.contentBytes < 1_000_000, `${seen.contentBytes} bytes came`)
  assert.ok(socket().bytesRead < 1_000_000)
  seen.takesMore = true
  seen.exchange.resume()
  await until(() => seen.trailers !== undefined)
  assert.equal(seen.contentBytes, bytes)
})

test('a client that does not read stops the writer, and tells when it goes on', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.socket.pause()
  peer.say(GET)
  const { exchange, ...rest } = await request(0)
  const seen = await request(0)
  exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
  let written = 0
  const piece = Buffer.alloc(64 * 1024)
  const fill = async (): Promise<void> => {
    do {
      written += piece.length
      await turns(1)
    } while (exchange.write(piece) && written < 100_000_000)
  }
  await fill()
  assert.ok(written < 50_000_000, `took ${written} bytes`)
  assert.equal(rest.drains, 0)
  peer.socket.resume()
  await until(() => seen.drains === 1)
})

test('a client that goes away is told at once, and only once', async (t) => {
  const { client, request } = await served(t)
  const gone = [
    async (peer: Awaited<ReturnType<typeof client>>) => void peer.socket.resetAndDestroy(),
    async (peer: Awaited<ReturnType<typeof client>>) => void peer.socket.destroy(),
  ]
  for (const [index, go] of gone.entries()) {
    const peer = await client()
    peer.say(post('Content-Length: 5\r\n', 'abc'))
    const seen = await request(index)
    await until(() => seen.content === 'abc')
    await go(peer)
    await until(() => seen.outcome !== undefined)
    assert.deepEqual(seen.outcome, { result: 'aborted', status: 0, bytes: 0, why: undefined })
    seen.answer('too late')
  }
})

test('a client that closes its sending side after its request gets its answer', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.socket.end(GET)
  const seen = await request(0)
  await turns(20)
  assert.equal(seen.outcome, undefined)
  seen.answer('still')
  assert.match(await peer.hearEnd(), /Connection: close\r\n\r\nstill$/)
  await until(() => seen.outcome?.result === 'complete')
})

test('the same where the answer is there at once, and to all requests that were pipelined', async (t) => {
  const { client, seen } = await served(t, (one) => one.answer('now'))
  const peer = await client()
  peer.socket.end(GET.repeat(3))
  assert.equal((await peer.hearEnd()).match(/now/g)?.length, 3)
  await until(() => seen.length === 3 && seen.every(({ outcome }) => outcome !== undefined))
  assert.ok(seen.every(({ outcome }) => outcome?.result === 'complete'))
})

test('one that closes its sending side while it is answered gets the rest, but is not waited for in silence', async (t) => {
  const { client, request, pass } = await served(t)
  const peer = await client()
  peer.say(GET)
  const seen = await request(0)
  seen.exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
  await peer.hear('\r\n\r\n')
  peer.socket.end()
  await turns(20)
  for (const piece of ['one', 'two']) {
    pass(40_000)
    seen.exchange.write(Buffer.from(piece))
    await peer.hear(piece)
    await turns(20)
  }
  assert.ok(!peer.socket.destroyed)
  pass(61_000)
  await until(() => seen.outcome !== undefined)
  assert.equal(seen.outcome?.result, 'aborted')
})

test('content that ends too soon is a client that has gone, not a whole request (RFC 9112 §8)', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.socket.end(post('Content-Length: 5\r\n', 'abc'))
  const seen = await request(0)
  await until(() => seen.outcome !== undefined)
  assert.equal(seen.trailers, undefined)
})

test('an upgrade hands over the connection, with what came early (RFC 9110 §7.8)', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.say('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly')
  const seen = await request(0)
  await turns()
  assert.deepEqual([seen.content, seen.trailers], ['', undefined])
  seen.exchange.respond({ status: 101, fields: ['X', '1'] }, UNKNOWN_LENGTH)
  seen.exchange.write(Buffer.from('hello'))
  assert.equal(
    await peer.hear('hello'),
    'HTTP/1.1 101 Switching Protocols\r\nX: 1\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello',
  )
  await until(() => seen.content === 'early')
  peer.socket.end(' late')
  await until(() => seen.trailers !== undefined)
  assert.equal(seen.content, 'early late')
  seen.exchange.write(Buffer.from('bye'))
  seen.exchange.end()
  assert.equal(await peer.hearEnd(), 'bye')
  await until(() => seen.outcome !== undefined)
  assert.deepEqual(seen.outcome, { result: 'complete', status: 101, bytes: 8, why: undefined })
})

test('an upgrade that is declined is an ordinary response, and the connection goes on', async (t) => {
  const { client } = await served(t, (seen) => seen.answer('no', 426))
  const peer = await client()
  peer.say(`GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`)
  await peer.hear('no')
  peer.say(GET)
  await peer.hear('no')
})

test('draining closes idle connections now and others after their response', async (t) => {
  const { client, request, server } = await served(t)
  const idle = await client()
  const busy = await client()
  const begun = await client()
  busy.say(GET)
  begun.say('GET / HT')
  const seen = await request(0)
  await turns(20)
  server.drain()
  assert.equal(await idle.hearEnd(), '')
  seen.answer('last')
  assert.match(await busy.hearEnd(), /Connection: close\r\n\r\nlast$/)
  begun.say('TP/1.1\r\nHost: a.test\r\n\r\n')
  ;(await request(1)).answer('last')
  assert.match(await begun.hearEnd(), /Connection: close\r\n\r\nlast$/)
})

test('where idle connections are spared, each may ask once more, and who does not is closed soon', async (t) => {
  const { client, server, pass } = await served(t, (seen) => seen.answer('last'))
  const idle = await client()
  const asking = await client()
  for (const each of [idle, asking]) {
    each.say(GET)
    await each.hear('last')
  }
  await turns(20)
  pass(60_000)
  server.drain({ sparesIdle: true })
  pass(4_000)
  asking.say(GET)
  assert.match(await asking.hearEnd(), /Connection: close\r\n\r\nlast$/)
  pass(2_000)
  assert.equal(await idle.hearEnd(), '')
  const late = await client()
  late.say(GET)
  assert.match(await late.hearEnd(), /Connection: close\r\n\r\nlast$/)
})

test('an error of whoever handles a request costs its connection, and no other', async (t) => {
  const onRequest = (seen: Seen): void => {
    if (seen.exchange.request.target === '/error') throw new TypeError('as expected')
    seen.answer('ok')
  }
  const { client, thrown } = await served(t, onRequest, { isThrowExpected: true })
  const peer = await client()
  const other = await client()
  peer.say(GET.replace('/', '/error'))
  await peer.hearEnd()
  assert.equal(String(thrown), 'TypeError: as expected')
  other.say(GET)
  await other.hear('ok')
})

test('a last response ends the connection at once; a client that keeps its side open holds nothing up', async (t) => {
  const { client, request, server, socket } = await served(t, (seen) => seen.answer('ok'))
  const peer = await client()
  peer.say('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n')
  await peer.hearEnd()
  await request(0)
  await until(() => socket().destroyed)
  const idle = await client()
  server.drain()
  await idle.hearEnd()
  await until(() => socket().destroyed)
})

test('over TLS: requests, a response that breaks off, a client that goes away', async (t) => {
  const secureContext = await createTestContext()
  const { client, request, socket } = await served(t, () => {}, { secureContext, client: { certificateNames: ['a'] } })
  const peer = await client()
  peer.say(GET)
  const first = await request(0)
  assert.equal(first.exchange.request.scheme, 'https')
  first.answer('over TLS')
  await peer.hear('over TLS')
  peer.say('GET / HTTP/1.0\r\n\r\n')
  const second = await request(1)
  second.exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
  second.exchange.write(Buffer.from('some'))
  await peer.hear('some')
  second.exchange.abort()
  await until(() => socket().destroyed)
  const leaving = await client()
  leaving.say(GET)
  const third = await request(2)
  leaving.socket.end()
  await until(() => third.outcome !== undefined)
  assert.equal(third.outcome?.result, 'aborted')
})

async function createTestContext(): Promise<SecureContext> {
  const { chain, privateKey } = await certificate('ecdsa-p256', 'a.test')
  return createSecureContext({ cert: chain, key: privateKey })
}
