import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import type { Http2Limits } from '../../../src/edge/http2/limits.ts'
import { type ClientScript, connectedClient, type Served, serveHello } from './client-script.ts'
import { ACK, data, EH, ES, GET, get, headers, literals, ping, post, rstStream } from './frames.ts'
import { turn } from './test-sweep.ts'

// Responses as the client gets them (RFC 9113 §8.1, §8.3.2).

async function served(frames: Buffer, serve: (served: Served) => void): Promise<[ClientScript, string[]]> {
  const client = await connectedClient({ serve })
  return [client, await client.send(frames)]
}

test('a response of one piece ends with it, and is told when it has left', async () => {
  const [client, lines] = await served(get(1), serveHello)
  assert.deepEqual(lines, ['HEADERS 1 :status=200 content-length=12 content-type=text/plain', 'DATA 1 12 ES'])
  assert.equal(client.trace.contentOf(1), 'Hello World!')
  assert.deepEqual(client.served[0]!.outcome, { result: 'complete', status: 200, bytes: 12, why: undefined })
  assert.deepEqual(client.served[0]!.events, ['content-end', 'end complete 200'])
})

test('Content-Length stands once, whoever wrote it', async () => {
  const [, lines] = await served(get(1), ({ exchange }) => {
    exchange.respond({ status: 200, fields: ['CONTENT-LENGTH', '0', 'x', '1'] }, 0)
    exchange.end()
  })
  assert.deepEqual(lines, ['HEADERS 1 ES :status=200 content-length=0 x=1'])
})

test('content of unknown length, and trailers', async () => {
  const [, lines] = await served(get(1), ({ exchange }) => {
    exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
    exchange.write(Buffer.from('abc'))
    exchange.write(Buffer.from('de'))
    exchange.end(['Grpc-Status', '0'])
  })
  assert.deepEqual(lines, ['HEADERS 1 :status=200', 'DATA 1 3', 'DATA 1 2', 'HEADERS 1 ES grpc-status=0'])
})

test('trailers without content', async () => {
  const [, lines] = await served(get(1), ({ exchange }) => {
    exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
    exchange.end(['grpc-status', '5'])
  })
  assert.deepEqual(lines, ['HEADERS 1 :status=200', 'HEADERS 1 ES grpc-status=5'])
})

test('an end that comes later is a frame of its own', async () => {
  const [client] = await served(get(1), ({ exchange }) => {
    exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
    exchange.write(Buffer.from('abc'))
  })
  client.served[0]!.exchange.end()
  assert.deepEqual(await client.read(), ['DATA 1 0 ES'])
})

test('interim responses, and no 101 (§8.6)', async () => {
  const [, lines] = await served(get(1), ({ exchange }) => {
    exchange.inform({ status: 103, fields: ['link', '</a>'] })
    exchange.inform({ status: 101, fields: [] })
    exchange.respond({ status: 200, fields: [] }, 0)
    exchange.inform({ status: 103, fields: [] })
    exchange.end()
  })
  assert.deepEqual(lines, ['HEADERS 1 :status=103 link=</a>', 'HEADERS 1 ES :status=200 content-length=0'])
})

test('to HEAD, and with 204 and 304, nothing is written (RFC 9110 §6.4.1)', async () => {
  const answer =
    (status: number, length: number) =>
    ({ exchange }: Served): void => {
      exchange.respond({ status, fields: [] }, length)
      exchange.write(Buffer.from('x'))
      exchange.end(['x-trailer', '1'])
    }
  const head = headers(1, literals(':method', 'HEAD', ...GET.slice(2)), EH | ES)
  assert.deepEqual((await served(head, answer(200, 5)))[1], ['HEADERS 1 ES :status=200 content-length=5'])
  assert.deepEqual((await served(get(1), answer(304, 5)))[1], ['HEADERS 1 ES :status=304 content-length=5'])
  assert.deepEqual((await served(get(1), answer(204, 0)))[1], ['HEADERS 1 ES :status=204'])
})

test('a response that is broken off, or differs from its length, is reset', async () => {
  const broken: ((served: Served) => void)[] = [
    ({ exchange }) => exchange.abort(),
    ({ exchange }) => exchange.end(),
    ({ exchange }) => {
      exchange.respond({ status: 200, fields: [] }, 5)
      exchange.write(Buffer.from('abc'))
      exchange.end()
    },
    ({ exchange }) => {
      exchange.respond({ status: 200, fields: [] }, 2)
      exchange.write(Buffer.from('abc'))
    },
    ({ exchange }) => exchange.respond({ status: 101, fields: [] }, UNKNOWN_LENGTH),
  ]
  for (const serve of broken) {
    const [client, lines] = await served(get(1), serve)
    assert.equal(lines.at(-1), 'RST_STREAM 1 INTERNAL_ERROR')
    assert.ok(!lines.some((line) => line.includes(' ES')))
    assert.equal(client.served[0]!.outcome!.result, 'aborted')
    assert.deepEqual(await client.send(ping()), ['PING ACK 12345678'])
  }
})

test('after the whole response the rest of the request is declined (§8.1)', async () => {
  const [client, lines] = await served(post(1), serveHello)
  assert.equal(lines.at(-1), 'RST_STREAM 1 NO_ERROR')
  assert.deepEqual(client.served[0]!.events, ['end complete 200'])
  assert.deepEqual(await client.send(data(1, 'late'), data(1, '', ES), ping()), ['PING ACK 12345678'])
  assert.deepEqual(client.served[0]!.events, ['end complete 200'])
})

const REFUSED = 'HEADERS 1 ES :status=413 content-length=0'

/** A request whose content goes on after a response that says that it will not do. */
async function refused(limits: Partial<Http2Limits> = {}): Promise<ClientScript> {
  const client = await connectedClient({
    limits,
    serve: ({ exchange }) => {
      exchange.respond({ status: 413, fields: [] }, 0)
      exchange.end()
    },
  })
  assert.deepEqual(await client.send(post(1)), [REFUSED])
  assert.deepEqual(client.served[0]!.events, ['end complete 413'])
  return client
}

test('a client that is refused has time to see so before the rest is declined (§8.1)', async () => {
  const client = await refused()
  assert.deepEqual(await client.send(data(1, 'late'), ping()), ['PING ACK 12345678'])
  assert.deepEqual(await client.pass(4000), [])
  assert.deepEqual(await client.pass(1000), ['RST_STREAM 1 NO_ERROR'])
  assert.deepEqual(await client.send(data(1, 'later', ES), ping()), ['PING ACK 12345678'])
  assert.deepEqual(client.served[0]!.events, ['end complete 413'])
})

// Without a frame, curl 7.88 would not see that its stream has ended.
for (const [what, end, answer] of [
  ['ends its request', data(1, 'late', ES), ['PING refused!']],
  ['ends its request by trailers', headers(1, literals('x', '1'), EH | ES), ['PING refused!']],
  ['resets its request', rstStream(1, 8), []],
] as const)
  test(`one that ${what} in that time gets no reset, and no stream is left`, async () => {
    const client = await refused()
    assert.deepEqual(await client.send(end), answer)
    assert.deepEqual(await client.pass(10_000), [])
    client.connection.drain()
    assert.deepEqual(await client.send(ping('draining', ACK)), [
      'GOAWAY 2147483647 NO_ERROR',
      'PING draining',
      'GOAWAY 1 NO_ERROR',
      'GOAWAY 1 NO_ERROR',
    ])
  })

test('what was held back for a handler is dropped, and the window given back, once a request is refused', async () => {
  const client = await connectedClient()
  await client.send(post(1))
  client.served[0]!.takeNothing()
  await client.send(data(1, Buffer.alloc(16_000)), data(1, Buffer.alloc(16_000)), data(1, Buffer.alloc(16_000)))
  client.served[0]!.exchange.respond({ status: 413, fields: [] }, 0)
  client.served[0]!.exchange.end()
  const lines = await client.read({ windows: true })
  assert.ok(lines.includes('WINDOW_UPDATE 1 48000'), lines.join('; '))
})

test('no more than so much of a refused request is taken', async () => {
  const client = await refused({ declineBytes: 40_000 })
  assert.deepEqual(await client.send(data(1, Buffer.alloc(16_000)), data(1, Buffer.alloc(16_000))), [])
  assert.deepEqual(await client.send(data(1, Buffer.alloc(16_000))), ['RST_STREAM 1 NO_ERROR'])
})

test('a field section that is larger than a frame is continued (§6.10)', async () => {
  const value = 'v'.repeat(40_000)
  const client = await connectedClient({
    serve: ({ exchange }) => {
      exchange.respond({ status: 200, fields: ['x-large', value] }, 0)
      exchange.end()
    },
  })
  client.socket.feed(get(1))
  assert.deepEqual(await client.read(), [`HEADERS 1 :status=200 content-length=0 x-large=${value}`, 'DATA 1 0 ES'])
})

test('the table of the encoder follows the setting of the client (§4.3.1)', async () => {
  const client = await connectedClient({ serve: serveHello }, [1, 0])
  client.socket.feed(get(1))
  await turn()
  const bytes = client.socket.takeWritten()
  // RFC 7541 §6.3: a size of 0. Then the status, which is in the static table.
  assert.deepEqual(bytes.subarray(9, 11), Buffer.from([0x20, 0x88]))
  assert.equal(client.trace.read(bytes).length, 2)
  assert.equal((await client.send(get(3)))[0], 'HEADERS 3 :status=200 content-length=12 content-type=text/plain')
})

test('a reset that comes before the response has left aborts it', async () => {
  const client = await connectedClient({ serve: serveHello })
  client.socket.stopReading()
  await client.send(get(1))
  assert.deepEqual(client.served[0]!.events, ['content-end'])
  await client.send(rstStream(1, 8))
  assert.equal(client.served[0]!.events.at(-1), 'end aborted 200')
  client.socket.startReading()
  await client.read()
  assert.equal(client.served[0]!.events.length, 2)
})

test('a response that is whole cannot be aborted any more', async () => {
  const client = await connectedClient({ serve: serveHello })
  client.socket.stopReading()
  await client.send(get(1), get(3))
  for (const { exchange } of client.served) exchange.abort()
  client.socket.startReading()
  assert.ok(!(await client.read()).some((line) => line.startsWith('RST_STREAM')))
  for (const { outcome } of client.served) assert.equal(outcome?.result, 'complete')
})

// RFC 8441: WebSocket over HTTP/2.

const WEBSOCKET = [':method', 'CONNECT', ':protocol', 'websocket', ...GET.slice(2)]

test('an extended CONNECT asks to upgrade, and 101 is sent as 200 (RFC 8441 §4, §5)', async () => {
  const client = await connectedClient()
  await client.send(headers(1, literals(...WEBSOCKET, 'sec-websocket-version', '13')))
  const { exchange, events } = client.served[0]!
  assert.equal(exchange.request.method, 'GET')
  assert.equal(exchange.request.upgrade, 'websocket')
  assert.equal(exchange.contentLength, UNKNOWN_LENGTH)
  const fields = [
    'Upgrade',
    'websocket',
    'Connection',
    'Upgrade',
    'Sec-WebSocket-Accept',
    'x',
    'Sec-WebSocket-Protocol',
    'chat',
  ]
  exchange.respond({ status: 101, fields }, UNKNOWN_LENGTH)
  exchange.write(Buffer.from('ours'))
  assert.deepEqual(await client.read(), ['HEADERS 1 :status=200 sec-websocket-protocol=chat', 'DATA 1 4'])
  await client.send(data(1, 'theirs'))
  exchange.end()
  assert.deepEqual(await client.read(), ['DATA 1 0 ES'])
  await client.send(data(1, 'more'), data(1, '', ES))
  assert.deepEqual(events, ['content 6', 'content 4', 'content-end'])
})

test('each side of a tunnel ends its own', async () => {
  const client = await connectedClient()
  await client.send(headers(1, literals(...WEBSOCKET)))
  const { exchange, events } = client.served[0]!
  exchange.respond({ status: 101, fields: [] }, UNKNOWN_LENGTH)
  await client.send(data(1, 'last', ES))
  exchange.write(Buffer.from('word'))
  exchange.end()
  assert.deepEqual((await client.read()).slice(-1), ['DATA 1 4 ES'])
  assert.deepEqual(events, ['content 4', 'content-end', 'end complete 101'])
})

test('a tunnel that breaks is reset with CONNECT_ERROR, and has no trailers (§8.5)', async () => {
  const client = await connectedClient()
  await client.send(headers(1, literals(...WEBSOCKET)), headers(3, literals(...WEBSOCKET)))
  for (const { exchange } of client.served) exchange.respond({ status: 101, fields: [] }, UNKNOWN_LENGTH)
  await client.read()
  client.served[0]!.exchange.abort()
  const lines = await client.send(headers(3, literals('x', '1'), EH | ES))
  assert.deepEqual(lines, ['RST_STREAM 1 CONNECT_ERROR', 'RST_STREAM 3 PROTOCOL_ERROR'])
})

test('an upgrade that is refused is an answer like any other', async () => {
  const client = await connectedClient()
  await client.send(headers(1, literals(...WEBSOCKET)))
  client.served[0]!.exchange.respond({ status: 403, fields: [] }, 0)
  client.served[0]!.exchange.end()
  assert.deepEqual(await client.read(), ['HEADERS 1 ES :status=403 content-length=0'])
})

test('an upgrade that is answered with success, but not with 101, has failed (RFC 8441 §4)', async () => {
  for (const status of [200, 204, 299]) {
    const client = await connectedClient()
    await client.send(headers(1, literals(...WEBSOCKET)))
    const { exchange } = client.served[0]!
    exchange.respond({ status, fields: ['X', '1'] }, 5)
    exchange.write(Buffer.from('hello'))
    exchange.end()
    assert.deepEqual(await client.read(), ['HEADERS 1 ES :status=502 content-length=0'])
  }
})

test('a client that hangs up once it has the whole response has broken nothing off', async () => {
  const client = await connectedClient({ serve: serveHello })
  client.socket.stopReading()
  await client.send(get(1))
  // Its end is read before the system has said that the response has left.
  client.socket.once('end', () => client.socket.startReading())
  client.socket.hangUp()
  await turn()
  await turn()
  assert.deepEqual(client.served[0]!.outcome, { result: 'complete', status: 200, bytes: 12, why: undefined })
})

test('a client that hangs up before the response has left has broken it off', async () => {
  const client = await connectedClient({ serve: serveHello })
  client.socket.stopReading()
  await client.send(get(1))
  client.socket.hangUp()
  await turn()
  await turn()
  assert.equal(client.served[0]!.outcome?.result, 'aborted')
})
