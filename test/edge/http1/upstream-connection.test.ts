import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { UPSTREAM_DEADLINES } from '../../../src/edge/http1/deadlines.ts'
import { bytewise } from '../client-hello/every-split.ts'
import { latin1 } from './bytes.ts'
import { turns, until } from './peer.ts'
import { connected } from './upstream.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a request is written with Host first and the connection’s fields last, and answered', async (t) => {
  const { ask, peer, events } = await connected(t)
  for (let round = 0; round < 3; round++) {
    const { heard } = ask({ target: '/x?y', fields: ['A', 'b', 'a', 'c'] })
    assert.equal(
      await peer.hear('\r\n\r\n'),
      'GET /x?y HTTP/1.1\r\nHost: a.test\r\nA: b\r\na: c\r\nConnection: keep-alive\r\n\r\n',
    )
    peer.say(OK)
    assert.equal(await heard.over(), undefined)
    assert.deepEqual([heard.head?.status, heard.contentLength, heard.content], [200, 2, 'ok'])
  }
  assert.deepEqual(events, ['ready', 'free', 'free', 'free'])
})

test('content of known and of unknown length (RFC 9112 §6)', async (t) => {
  const { ask, peer } = await connected(t)
  const known = ask({ method: 'PUT', contentLength: 5 })
  known.exchange.write(Buffer.from('abc'))
  known.exchange.write(Buffer.from('de'))
  known.exchange.end()
  assert.match(await peer.hear('abcde'), /\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nabcde$/)
  peer.say(OK)
  await known.heard.over()
  const unknown = ask({ method: 'PUT', contentLength: UNKNOWN_LENGTH })
  unknown.exchange.write(Buffer.from('abc'))
  unknown.exchange.write(Buffer.alloc(0))
  unknown.exchange.end(['X-Sum', '1'])
  assert.match(await peer.hear('\r\n\r\n3'), /\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n3$/)
  await peer.hear('\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n')
  peer.say(OK)
  await unknown.heard.over()
})

test('a method that has content says so even where it has none (RFC 9110 §8.6)', async (t) => {
  const { ask, peer } = await connected(t)
  for (const [method, isSaid] of [
    ['POST', true],
    ['DELETE', false],
  ] as const) {
    const { heard } = ask({ method })
    assert.equal((await peer.hear('\r\n\r\n')).includes('\r\nContent-Length: 0\r\n'), isSaid)
    peer.say(OK)
    await heard.over()
  }
})

for (const [name, surplus] of [
  ['less', 'ab'],
  ['more', 'abcdef'],
] as const)
  test(`content with ${name} than was announced never counts as a request`, async (t) => {
    const { ask, closed } = await connected(t)
    const { exchange, heard } = ask({ method: 'PUT', contentLength: 5 })
    exchange.write(Buffer.from(surplus))
    exchange.end()
    assert.equal(await heard.over(), 'request-length-wrong')
    await closed()
  })

test('a response cut into single bytes is one response, with its trailers', async (t) => {
  const { ask, peer } = await connected(t)
  const { heard } = ask()
  for (const byte of bytewise(
    latin1('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n'),
  )) {
    peer.socket.write(byte)
    await turns(1)
  }
  await heard.over()
  assert.equal(heard.contentLength, UNKNOWN_LENGTH)
  assert.equal(heard.content, 'abc')
  assert.deepEqual(heard.trailers, ['X-Sum', '1'])
})

test('pieces stay as they are while more is read', async (t) => {
  const { ask, peer } = await connected(t)
  const content = Buffer.from(Array.from({ length: 5_000_000 }, (_, index) => (index * 7919) >> 3))
  for (const step of [1000, 40_000, content.length]) {
    const { heard } = ask()
    peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`)
    for (let at = 0; at < content.length; at += step) {
      if (!peer.socket.write(content.subarray(at, at + step))) await turns(1)
    }
    await heard.over()
    const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    assert.equal(hash(Buffer.concat(heard.pieces)), hash(content), `written by ${step} bytes`)
  }
})

test('informational responses are told, but not without end (RFC 9110 §15.2)', async (t) => {
  const { ask, peer } = await connected(t)
  const few = ask()
  peer.say(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}`)
  assert.equal(await few.heard.over(), undefined)
  assert.deepEqual(
    few.heard.informed.map(({ status }) => status),
    [103, 100],
  )
  const many = ask()
  peer.say(`${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)}${OK}`)
  assert.equal(await many.heard.over(), 'response-malformed')
})

test('HEAD, 204 and 304 have no content, and the connection goes on (RFC 9112 §6.3)', async (t) => {
  const { ask, peer } = await connected(t)
  for (const [method, status, contentLength] of [
    ['HEAD', '200 OK', 7],
    ['GET', '304 Not Modified', 7],
    ['GET', '204 No Content', 0],
  ] as const) {
    const { heard } = ask({ method })
    peer.say(`HTTP/1.1 ${status}\r\nContent-Length: 7\r\n\r\n`)
    assert.equal(await heard.over(), undefined)
    assert.deepEqual([heard.contentLength, heard.content], [contentLength, ''])
  }
})

test('content until the connection closes is whole when it closes cleanly (RFC 9112 §8)', async (t) => {
  const { ask, peer, closed } = await connected(t)
  const { heard } = ask()
  peer.say('HTTP/1.1 200 OK\r\n\r\nall of it')
  peer.socket.end()
  assert.equal(await heard.over(), undefined)
  assert.equal(heard.content, 'all of it')
  await closed()
})

test('and is cut off when it is reset', async (t) => {
  const { ask, peer } = await connected(t)
  const { heard } = ask()
  peer.say('HTTP/1.1 200 OK\r\n\r\nsome of it')
  await until(() => heard.contentBytes > 0)
  peer.socket.resetAndDestroy()
  assert.equal(await heard.over(), 'response-truncated')
})

for (const [fault, bytes, code] of [
  ['says nothing', '', 'upstream-closed'],
  ['ends within the head', 'HTTP/1.1 200 OK\r\nContent-', 'response-truncated'],
  ['ends short of its length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort', 'response-truncated'],
  [
    'ends without a last chunk',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n',
    'response-truncated',
  ],
  ['ends after a 100', 'HTTP/1.1 100 Continue\r\n\r\n', 'response-truncated'],
  ['answers garbage', 'garbage\r\n\r\n', 'response-malformed'],
  [
    'frames its content twice',
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n',
    'response-malformed',
  ],
  ['sends a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n', 'response-malformed'],
  ['switches protocols unasked', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n', 'response-malformed'],
] as const)
  test(`an upstream that ${fault} has failed: ${code}`, async (t) => {
    const { ask, peer, closed, events } = await connected(t)
    const { heard } = ask()
    await peer.hear('\r\n\r\n')
    peer.socket.end(bytes)
    assert.equal(await heard.over(), code)
    assert.equal(heard.failure?.isUnprocessed, false)
    await closed()
    assert.ok(!events.includes('free'))
  })

test('bytes beyond a response leave the connection of no use (RFC 9112 §9.2)', async (t) => {
  const { ask, peer, closed, events } = await connected(t)
  const { heard } = ask()
  peer.say(OK + OK)
  assert.equal(await heard.over(), undefined)
  assert.equal(heard.content, 'ok')
  await closed()
  assert.ok(!events.includes('free'))
})

test('bytes on a connection that is free close it', async (t) => {
  const { ask, peer, connection, closed } = await connected(t)
  const { heard } = ask()
  peer.say(OK)
  await heard.over()
  peer.say(OK)
  await closed()
  assert.equal(connection.isFree, false)
})

for (const [version, field, isKept] of [
  ['1.1', '', true],
  ['1.1', 'Connection: close\r\n', false],
  ['1.0', '', false],
  ['1.0', 'Connection: keep-alive\r\n', true],
  ['1.0', 'Connection: keep-alive, close\r\n', false],
] as const)
  test(`HTTP/${version} with ${JSON.stringify(field)} ${isKept ? 'is used again' : 'is not'} (RFC 9112 §9.3)`, async (t) => {
    const { ask, peer, events, closed } = await connected(t)
    const { heard } = ask()
    peer.say(`HTTP/${version} 200 OK\r\n${field}Content-Length: 2\r\n\r\nok`)
    await heard.over()
    assert.equal(events.includes('free'), isKept)
    if (!isKept) await closed()
  })

test('an answer before the request is whole ends both (RFC 9112 §9.3)', async (t) => {
  const { ask, peer, closed, events } = await connected(t)
  const { heard, exchange } = ask({ method: 'PUT', contentLength: 100 })
  exchange.write(Buffer.from('some'))
  await peer.hear('some')
  peer.say(OK)
  assert.equal(await heard.over(), undefined)
  await closed()
  assert.ok(!events.includes('free'))
  assert.equal(exchange.write(Buffer.from('more')), true)
  exchange.end()
})

test('a receiver that has enough stops the upstream, until it asks for more', async (t) => {
  const { ask, peer } = await connected(t)
  const { heard, exchange } = ask()
  heard.takesMore = false
  const bytes = 20_000_000
  peer.say(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`)
  peer.socket.write(Buffer.alloc(bytes))
  await until(() => heard.contentBytes > 0)
  await turns(200)
  assert.ok(heard.contentBytes < 1_000_000, `${heard.contentBytes} bytes came`)
  heard.takesMore = true
  exchange.resume()
  await heard.over()
  assert.equal(heard.contentBytes, bytes)
})

test('an upstream that does not read stops the writer, and tells when it goes on', async (t) => {
  const { ask, peer } = await connected(t)
  peer.socket.pause()
  const { heard, exchange } = ask({ method: 'PUT', contentLength: UNKNOWN_LENGTH })
  let written = 0
  do {
    written += 64 * 1024
    await turns(1)
  } while (exchange.write(Buffer.alloc(64 * 1024)) && written < 100_000_000)
  assert.ok(written < 50_000_000)
  assert.equal(heard.drains, 0)
  peer.socket.resume()
  await until(() => heard.drains === 1)
})

test('a request that nobody waits for is cancelled at once, and nothing more is heard of it', async (t) => {
  const { ask, peer, closed } = await connected(t)
  const { heard, exchange } = ask()
  await peer.hear('\r\n\r\n')
  exchange.abort()
  await closed()
  await peer.hearEnd()
  assert.equal(heard.isOver, false)
})

test('another protocol goes both ways until each side ends its own (RFC 9110 §7.8)', async (t) => {
  const { ask, peer, closed } = await connected(t)
  const { heard, exchange } = ask({ upgrade: 'echo' })
  assert.match(await peer.hear('\r\n\r\n'), /\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n$/)
  peer.say('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello')
  await until(() => heard.contentBytes === 5)
  exchange.write(Buffer.from('to you'))
  await peer.hear('to you')
  peer.socket.end(' bye')
  await until(() => heard.trailers !== undefined)
  assert.equal(heard.content, 'hello bye')
  exchange.write(Buffer.from('as well'))
  await peer.hear('as well')
  exchange.end()
  await peer.hearEnd()
  await closed()
})

test('what is said of another protocol before it is agreed to waits for its turn (RFC 9110 §7.8)', async (t) => {
  for (const endsEarly of [false, true]) {
    const { ask, peer } = await connected(t)
    const { heard, exchange } = ask({ upgrade: 'websocket', contentLength: UNKNOWN_LENGTH })
    const head = await peer.hear('\r\n\r\n')
    assert.doesNotMatch(head, /Transfer-Encoding|Content-Length/)
    assert.equal(exchange.write(Buffer.from('early ')), false)
    assert.equal(exchange.write(Buffer.from('bird')), false)
    if (endsEarly) exchange.end()
    await turns()
    assert.equal(peer.received, '')
    peer.say('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await peer.hear('early bird')
    if (endsEarly) assert.equal(await peer.hearEnd(), '')
    else await until(() => heard.drains === 1)
  }
})

test('what is said of another protocol that is declined is dropped', async (t) => {
  const { ask, peer, events } = await connected(t)
  const { heard, exchange } = ask({ upgrade: 'websocket', contentLength: UNKNOWN_LENGTH })
  exchange.write(Buffer.from('GET /smuggled HTTP/1.1\r\n\r\n'))
  await peer.hear('\r\n\r\n')
  peer.say('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n')
  assert.equal(await heard.over(), undefined)
  ask()
  assert.match(await peer.hear('\r\n\r\n'), /^GET \/ HTTP/)
  assert.deepEqual(events, ['ready', 'free'])
})

test('deadlines: for the head, and for a pause that is not ours', async (t) => {
  const { headMs, contentPauseMs } = UPSTREAM_DEADLINES
  const first = await connected(t)
  const silent = first.ask()
  await first.peer.hear('\r\n\r\n')
  first.pass(headMs)
  assert.equal(silent.heard.isOver, false)
  first.pass(1)
  assert.equal(await silent.heard.over(), 'upstream-timeout')

  const second = await connected(t)
  const pausing = second.ask()
  pausing.heard.takesMore = false
  second.peer.say('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome')
  await until(() => pausing.heard.contentBytes > 0)
  second.pass(10 * contentPauseMs)
  assert.equal(pausing.heard.isOver, false)
  pausing.exchange.resume()
  second.pass(contentPauseMs + 1)
  assert.equal(await pausing.heard.over(), 'upstream-timeout')
})

test('a request under way has the time that its client takes; only then has the upstream its own', async (t) => {
  const { ask, pass, peer } = await connected(t)
  const { heard, exchange } = ask({ method: 'PUT', contentLength: 2 })
  pass(10 * UPSTREAM_DEADLINES.headMs)
  exchange.write(Buffer.from('ab'))
  exchange.end()
  await peer.hear('ab')
  await turns()
  pass(UPSTREAM_DEADLINES.headMs)
  assert.equal(heard.isOver, false)
  pass(1)
  assert.equal(await heard.over(), 'upstream-timeout')
})

test('a connection that is free for too long is closed', async (t) => {
  const { ask, peer, pass, closed } = await connected(t)
  const { heard } = ask()
  peer.say(OK)
  await heard.over()
  pass(UPSTREAM_DEADLINES.freeMs + 1)
  await closed()
})

test('an error of whoever takes a response costs its connection, and is the end of the response', async (t) => {
  const thrown: unknown[] = []
  const { ask, peer, closed } = await connected(t, (error) => thrown.push(error))
  const { heard } = ask()
  heard.onResponse = () => {
    throw new TypeError('as expected')
  }
  peer.say(OK)
  assert.equal(await heard.over(), 'connection-exception')
  assert.equal(String(thrown), 'TypeError: as expected')
  await closed()
})
