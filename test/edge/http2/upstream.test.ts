import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import type { Http2ErrorCode } from '../../../src/edge/http2/http2-error.ts'
import { UPSTREAM_LIMITS } from '../../../src/edge/http2/limits.ts'
import { bytewise } from '../client-hello/every-split.ts'
import {
  continuation,
  data,
  EH,
  ES,
  frame,
  goaway,
  headers,
  literals,
  ping,
  rstStream,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from './frames.ts'
import { connectedUpstream, UpstreamScript } from './upstream-script.ts'

// The client's role (RFC 9113 §3.4, §5.1.2, §6.8, §8.1, §8.7).

const REQUEST = ':method=GET :scheme=http :authority=up.test :path=/x?y'
const ok = (streamId: number, flags = EH, ...fields: string[]): Buffer =>
  headers(streamId, literals(':status', '200', ...fields), flags)

test('preface and settings come first, and a request does not wait for the answer (§3.4)', async () => {
  const upstream = new UpstreamScript()
  const asked = upstream.ask({ fields: ['Accept', '*/*'] })
  const lines = await upstream.read({ windows: true })
  assert.deepEqual(lines, ['SETTINGS', `WINDOW_UPDATE 0 ${4 * 2 ** 20 - 65_535}`, `HEADERS 1 ES ${REQUEST} accept=*/*`])
  assert.deepEqual(asked.events, ['asked'])
  assert.deepEqual(await upstream.send(settings(), settingsAck), ['SETTINGS ACK'])
})

test('a response with all that can come, at every split (§8.1)', async () => {
  const block = literals(':status', '200', 'x', '1')
  const bytes = Buffer.concat([
    headers(1, literals(':status', '103', 'link', '</a>')),
    headers(1, block.subarray(0, 5), 0),
    continuation(1, block.subarray(5)),
    data(1, 'con'),
    frame(0, 8, 1, Buffer.concat([Buffer.from([1]), Buffer.from('tent\0')])),
    headers(1, literals('grpc-status', '0'), EH | ES),
  ])
  for (const chunks of [[bytes], bytewise(bytes)]) {
    const upstream = await connectedUpstream()
    const asked = upstream.ask()
    await upstream.send(...chunks)
    assert.equal(asked.content, 'content')
    assert.deepEqual(
      asked.events.filter((event) => !/^content \d/.test(event)),
      ['asked', 'inform 103', 'response 200 -1 x 1', 'content-end grpc-status 0'],
    )
    assert.ok(upstream.connection.isIdleNow)
  }
})

test('a request with content and trailers', async () => {
  const upstream = await connectedUpstream()
  const asked = upstream.ask({ method: 'POST', contentLength: 5 })
  asked.exchange.write(Buffer.from('hello'))
  asked.exchange.end(['x-sum', '1'])
  assert.deepEqual(await upstream.read(), [
    `HEADERS 1 ${REQUEST.replace('GET', 'POST')} content-length=5`,
    'DATA 1 5',
    'HEADERS 1 ES x-sum=1',
  ])
  const other = upstream.ask({ method: 'POST', fields: ['Content-Length', '0'], contentLength: 0 })
  other.exchange.end()
  assert.deepEqual(await upstream.read(), [`HEADERS 3 ES ${REQUEST.replace('GET', 'POST')} content-length=0`])
  upstream.ask({ method: 'POST', fields: ['X-Sort-Length', '1', 'Content-Length', '5'], contentLength: 5 })
  assert.deepEqual(await upstream.read(), [
    `HEADERS 5 ${REQUEST.replace('GET', 'POST')} x-sort-length=1 content-length=5`,
  ])
  upstream.ask({ method: 'POST', fields: ['Sorted-Length1', '1'], contentLength: 5 })
  assert.deepEqual(await upstream.read(), [
    `HEADERS 7 ${REQUEST.replace('GET', 'POST')} content-length=5 sorted-length1=1`,
  ])
})

test('lengths that are announced', async () => {
  const upstream = await connectedUpstream()
  const [first, second, head, notModified, none] = [
    upstream.ask(),
    upstream.ask(),
    upstream.ask({ method: 'HEAD' }),
    upstream.ask(),
    upstream.ask(),
  ]
  await upstream.send(
    ok(1, EH, 'content-length', '3'),
    data(1, 'abc', ES),
    ok(3, EH | ES),
    ok(5, EH | ES, 'content-length', '9'),
    headers(7, literals(':status', '304', 'content-length', '9'), EH | ES),
    headers(9, literals(':status', '204')),
    data(9, '', ES),
  )
  assert.deepEqual(first!.events, ['asked', 'response 200 3 content-length 3', 'content 3', 'content-end'])
  const empty = upstream.ask()
  await upstream.send(ok(11, EH | ES, 'content-length', '0'))
  assert.deepEqual(empty.events, ['asked', 'response 200 0 content-length 0', 'content-end'])
  assert.deepEqual(second!.events, ['asked', 'response 200 0', 'content-end'])
  assert.deepEqual(head!.events, ['asked', 'response 200 9 content-length 9', 'content-end'])
  assert.deepEqual(notModified!.events, ['asked', 'response 304 9 content-length 9', 'content-end'])
  assert.deepEqual(none!.events, ['asked', 'response 204 0', 'content-end'])
})

const malformed: readonly (readonly [code: Http2ErrorCode, rule: string, frames: readonly Buffer[]])[] = [
  ['pseudo-field-missing', 'no :status (§8.3.2)', [headers(1, literals('x', '1'))]],
  ['pseudo-field-missing', 'no fields (§8.3.2)', [headers(1, Buffer.alloc(0))]],
  ['pseudo-field-invalid', ':status twice (§8.3)', [headers(1, literals(':status', '200', ':status', '200'))]],
  [
    'pseudo-field-invalid',
    'a pseudo-header field of a request (§8.3)',
    [headers(1, literals(':path', '/', ':status', '200'))],
  ],
  [
    'pseudo-field-late',
    'a pseudo-header field after a regular one (§8.3)',
    [headers(1, literals(':status', '200', 'x', '1', ':status', '200'))],
  ],
  ['status-invalid', '101 (§8.6)', [headers(1, literals(':status', '101'))]],
  ['status-invalid', 'a status of two digits', [headers(1, literals(':status', '20'))]],
  ['status-invalid', 'a status that is no number', [headers(1, literals(':status', 'abc'))]],
  ['status-invalid', 'a status above 599', [headers(1, literals(':status', '600'))]],
  [
    'status-invalid',
    'an interim response that ends the stream (§8.1)',
    [headers(1, literals(':status', '103'), EH | ES)],
  ],
  ['field-name-invalid', 'a name in upper case (§8.2.1)', [ok(1, EH, 'X', '1')]],
  ['field-value-invalid', 'CR in a value (§8.2.1)', [ok(1, EH, 'x', 'a\rb')]],
  ['field-connection-specific', 'connection (§8.2.2)', [ok(1, EH, 'connection', 'close')]],
  ['field-connection-specific', 'transfer-encoding (§8.2.2)', [ok(1, EH, 'transfer-encoding', 'chunked')]],
  ['field-connection-specific', 'te (§8.2.2)', [ok(1, EH, 'te', 'trailers')]],
  ['content-length-invalid', 'content-length twice', [ok(1, EH, 'content-length', '1', 'content-length', '1')]],
  ['content-length-invalid', 'content-length that is no number', [ok(1, EH, 'content-length', '-1')]],
  ['content-length-conflict', 'content-length and no content (§8.1.1)', [ok(1, EH | ES, 'content-length', '1')]],
  [
    'content-length-conflict',
    'more content than content-length (§8.1.1)',
    [ok(1, EH, 'content-length', '1'), data(1, 'ab')],
  ],
  [
    'content-length-conflict',
    'less content than content-length (§8.1.1)',
    [ok(1, EH, 'content-length', '2'), data(1, 'a', ES)],
  ],
  ['content-unexpected', 'content before the response (§8.1)', [data(1, 'x')]],
  ['content-unexpected', 'an end before the response (§8.1)', [data(1, '', ES)]],
  ['content-unexpected', 'content with 204', [headers(1, literals(':status', '204')), data(1, 'x')]],
  ['trailers-unfinished', 'a second head (§8.1)', [ok(1), ok(1)]],
  ['trailers-unfinished', 'HEADERS after the head without END_STREAM (§8.1)', [ok(1), headers(1, literals('x', '1'))]],
  [
    'pseudo-field-invalid',
    'pseudo-header fields in trailers (§8.1)',
    [ok(1), headers(1, literals(':status', '200'), EH | ES)],
  ],
]

for (const [code, rule, frames] of malformed) {
  test(`takes no response with ${rule}`, async () => {
    const upstream = await connectedUpstream()
    const asked = upstream.ask()
    await upstream.read()
    assert.deepEqual(await upstream.send(...frames, ping()), ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
    assert.equal(asked.events.at(-1), 'failure response-malformed')
    assert.deepEqual(upstream.streamErrors, [code])
    // Nothing of a head that is malformed by itself is passed on.
    if (frames.length === 1) assert.deepEqual(asked.events, ['asked', 'failure response-malformed'])
    assert.ok(!asked.events.includes('content-end'))
  })
}

test('too many interim responses, and too many fields', async () => {
  const upstream = await connectedUpstream()
  const [flooded, large] = [upstream.ask(), upstream.ask()]
  await upstream.read()
  const interim = Array.from({ length: 17 }, () => headers(1, literals(':status', '103')))
  assert.deepEqual(await upstream.send(...interim), ['RST_STREAM 1 ENHANCE_YOUR_CALM'])
  assert.equal(flooded.events.filter((event) => event === 'inform 103').length, 16)
  const fields = Array.from({ length: 257 }, () => ['x', '1']).flat()
  assert.deepEqual(await upstream.send(ok(3, EH, ...fields)), ['RST_STREAM 3 ENHANCE_YOUR_CALM'])
  assert.equal(large.events.at(-1), 'failure response-malformed')
})

const connectionErrors: readonly (readonly [
  code: Http2ErrorCode,
  rule: string,
  frames: readonly Buffer[],
  told: string,
])[] = [
  ['push-refused', 'a pushed stream (§8.4)', [frame(5, EH, 1, uint32(2))], 'PROTOCOL_ERROR'],
  ['setting-invalid', 'SETTINGS_ENABLE_PUSH of a server (§6.5.2)', [settings([2, 1])], 'PROTOCOL_ERROR'],
  ['stream-idle', 'HEADERS on an idle stream (§5.1)', [ok(3)], 'PROTOCOL_ERROR'],
  ['stream-idle', 'HEADERS on a stream of its own (§5.1.1)', [ok(2)], 'PROTOCOL_ERROR'],
  ['stream-idle', 'DATA on an idle stream (§5.1)', [data(3, 'x')], 'PROTOCOL_ERROR'],
  [
    'priority-update-invalid',
    'PRIORITY_UPDATE of a server (RFC 9218 §7.1)',
    [frame(0x10, 0, 0, uint32(1))],
    'PROTOCOL_ERROR',
  ],
  ['stream-closed', 'HEADERS after the end (§5.1)', [ok(1, EH | ES), ok(1)], 'STREAM_CLOSED'],
]

for (const [code, rule, frames, told] of connectionErrors) {
  test(`ends the connection for ${rule}`, async () => {
    const upstream = await connectedUpstream()
    const asked = upstream.ask()
    await upstream.read()
    assert.deepEqual(await upstream.send(...frames), [`GOAWAY 0 ${told}`])
    assert.equal(upstream.connection.isUsable, false)
    await upstream.pass(2000)
    assert.equal(upstream.error?.code, code)
    assert.match(asked.events.at(-1)!, /^(failure upstream-closed|content-end)$/)
  })
}

test("no more streams than the upstream's limit; the others wait for their turn (§5.1.2)", async () => {
  const upstream = await connectedUpstream({}, [3, 2])
  assert.equal(upstream.connection.availableStreams, 2)
  const asked = [upstream.ask(), upstream.ask(), upstream.ask({ method: 'POST' }), upstream.ask()]
  asked[2]!.exchange.write(Buffer.from('waits'))
  asked[2]!.exchange.end()
  assert.equal(upstream.connection.availableStreams, 0)
  assert.equal((await upstream.read()).length, 2)
  const { availabilities } = upstream
  assert.deepEqual(await upstream.send(ok(1, EH | ES)), [`HEADERS 5 ${REQUEST.replace('GET', 'POST')}`, 'DATA 5 5 ES'])
  assert.equal(upstream.availabilities, availabilities)
  assert.deepEqual(await upstream.send(settings([3, 3])), ['SETTINGS ACK', `HEADERS 7 ES ${REQUEST}`])
  await upstream.send(ok(3, EH | ES), ok(5, EH | ES), ok(7, EH | ES))
  for (const { events } of asked) assert.deepEqual(events, ['asked', 'response 200 0', 'content-end'])
  assert.equal(upstream.connection.availableStreams, 3)
  assert.ok(upstream.availabilities > availabilities)
})

test('whatever ends a request, the next one starts (§5.1.2)', async () => {
  const upstream = await connectedUpstream({}, [3, 1], [8, 1])
  const tunnel = upstream.ask({ upgrade: 'websocket', contentLength: UNKNOWN_LENGTH })
  const others = Array.from({ length: 5 }, () => upstream.ask({ method: 'POST', contentLength: UNKNOWN_LENGTH }))
  const started = async (): Promise<number> => {
    const lines = await upstream.read()
    return Number(lines.findLast((line) => line.startsWith('HEADERS'))?.split(' ')[1])
  }
  assert.equal(await started(), 1)
  upstream.socket.feed(Buffer.concat([ok(1), data(1, '', ES)]))
  await upstream.read()
  tunnel.exchange.end()
  assert.equal(await started(), 3)
  upstream.socket.feed(rstStream(3, 8))
  assert.equal(await started(), 5)
  upstream.socket.feed(data(5, 'malformed'))
  assert.equal(await started(), 7)
  others[2]!.exchange.abort()
  assert.equal(await started(), 9)
  upstream.socket.feed(ok(9, EH | ES))
  assert.equal(await started(), 11)
})

test('before its settings an upstream is taken to bear 100 streams', () => {
  assert.equal(new UpstreamScript().connection.availableStreams, 100)
})

test('an upstream without a limit gets no more streams than ours', async () => {
  const upstream = await connectedUpstream({ limits: { ...UPSTREAM_LIMITS, maxConcurrentStreams: 7 } })
  assert.equal(upstream.connection.availableStreams, 7)
})

test('a cancelled request is reset with CANCEL, or never sent (§5.4.2)', async () => {
  const upstream = await connectedUpstream({}, [3, 1])
  const [first, second, third] = [upstream.ask(), upstream.ask(), upstream.ask()]
  await upstream.read()
  second!.exchange.abort()
  assert.equal(second!.exchange.write(Buffer.alloc(100_000)), true)
  first!.exchange.abort()
  first!.exchange.abort()
  assert.deepEqual(await upstream.read(), ['RST_STREAM 1 CANCEL', `HEADERS 3 ES ${REQUEST}`])
  assert.deepEqual(await upstream.send(ok(1), data(1, 'late'), ok(3, EH | ES)), [])
  assert.deepEqual(first!.events, ['asked'])
  assert.deepEqual(second!.events, ['asked'])
  assert.deepEqual(third!.events, ['asked', 'response 200 0', 'content-end'])
})

test('what comes for requests that were cancelled long ago costs nobody anything (§5.1)', async () => {
  const upstream = await connectedUpstream()
  const cancelled = Array.from({ length: 300 }, () => upstream.ask())
  const other = upstream.ask()
  await upstream.read()
  for (const { exchange } of cancelled) exchange.abort()
  await upstream.read()
  for (const at of cancelled.keys()) upstream.socket.feed(Buffer.concat([ok(1 + 2 * at), data(1 + 2 * at, 'late', ES)]))
  assert.deepEqual(await upstream.send(ok(601, EH | ES)), [])
  assert.equal(other.events.at(-1), 'content-end')
  assert.ok(upstream.connection.isUsable)
})

test('a response that is whole ends a request that is not (§8.1)', async () => {
  const upstream = await connectedUpstream()
  const asked = upstream.ask({ method: 'POST', contentLength: UNKNOWN_LENGTH })
  await upstream.read()
  assert.deepEqual(await upstream.send(ok(1, EH | ES), rstStream(1, 0)), ['RST_STREAM 1 CANCEL'])
  assert.deepEqual(asked.events, ['asked', 'response 200 0', 'content-end'])
  assert.equal(asked.exchange.write(Buffer.from('x')), true)
  asked.exchange.end()
  assert.deepEqual(await upstream.read(), [])
})

test('what the upstream refuses was not processed; what it resets may have been (§8.7)', async () => {
  const upstream = await connectedUpstream()
  const [refused, reset, broken] = [upstream.ask(), upstream.ask(), upstream.ask()]
  await upstream.send(rstStream(1, 7), rstStream(3, 2), ok(5), data(5, 'x'), rstStream(5, 8))
  assert.deepEqual(refused!.events, ['asked', 'failure stream-refused unprocessed'])
  assert.deepEqual(reset!.events, ['asked', 'failure stream-reset'])
  assert.match(reset!.failure!.message, /INTERNAL_ERROR/)
  assert.deepEqual(broken!.events.slice(-2), ['content 1', 'failure stream-reset'])
})

test('GOAWAY says what was not processed, and lets the rest end (§6.8)', async () => {
  const upstream = await connectedUpstream({}, [3, 2])
  const [first, second, waiting] = [upstream.ask(), upstream.ask(), upstream.ask()]
  await upstream.read()
  await upstream.send(goaway(1, 0))
  assert.equal(upstream.connection.isUsable, false)
  assert.equal(upstream.connection.availableStreams, 0)
  assert.deepEqual(second!.events, ['asked', 'failure upstream-going-away unprocessed'])
  assert.deepEqual(waiting!.events, ['asked', 'failure upstream-going-away unprocessed'])
  const late = upstream.ask()
  assert.deepEqual(late.events, ['asked'])
  assert.deepEqual(await upstream.send(ok(1, EH | ES)), ['GOAWAY 0 NO_ERROR'])
  assert.deepEqual(first!.events, ['asked', 'response 200 0', 'content-end'])
  assert.deepEqual(late.events, ['asked', 'failure upstream-going-away unprocessed'])
  assert.ok(upstream.socket.writableEnded)
})

test('a connection that is lost says nothing of what was processed, but of what was not sent (§5.4.3)', async () => {
  for (const lose of [
    (upstream: UpstreamScript) => upstream.socket.hangUp(),
    (upstream: UpstreamScript) => upstream.socket.destroy(),
  ]) {
    const upstream = await connectedUpstream({}, [3, 1])
    const [sent, waiting] = [upstream.ask(), upstream.ask()]
    await upstream.read()
    lose(upstream)
    await upstream.read()
    assert.deepEqual(sent!.events, ['asked', 'failure upstream-closed'])
    assert.deepEqual(waiting!.events, ['asked', 'failure upstream-closed unprocessed'])
    await upstream.pass(2000)
    assert.ok(upstream.isClosed)
  }
})

test('requests that only wait learn that the connection is lost', async () => {
  const upstream = await connectedUpstream({}, [3, 0])
  const waiting = upstream.ask()
  upstream.socket.destroy()
  await upstream.read()
  assert.deepEqual(waiting.events, ['asked', 'failure upstream-closed unprocessed'])
})

test('content of a request keeps within the windows, and its source waits (§6.9)', async () => {
  const upstream = await connectedUpstream({}, [4, 10])
  const asked = upstream.ask({ method: 'POST', contentLength: UNKNOWN_LENGTH })
  assert.equal(asked.exchange.write(Buffer.alloc(100_000)), false)
  assert.equal((await upstream.read()).at(-1), 'DATA 1 10')
  await upstream.send(windowUpdate(1, 65_525))
  assert.ok(!asked.events.includes('drain'))
  await upstream.send(windowUpdate(1, 100_000), windowUpdate(0, 100_000))
  assert.deepEqual(asked.events, ['asked', 'drain'])
  assert.equal(upstream.trace.contentOf(1).length, 100_000)
})

test('a response that nobody takes stops, and keeps no other waiting (§5.2.2)', async () => {
  const upstream = await connectedUpstream()
  const slow = Array.from({ length: 70 }, () => upstream.ask())
  await upstream.read()
  for (const [at, asked] of slow.entries()) {
    asked.takeNothing()
    upstream.socket.feed(ok(1 + 2 * at))
    for (let frames = 0; frames < 3; frames++) upstream.socket.feed(data(1 + 2 * at, Buffer.alloc(16_384)))
    await upstream.read()
  }
  // 3.3 MiB are held by now. Another 5 MiB flow past them.
  const fast = upstream.ask()
  await upstream.read()
  upstream.socket.feed(ok(141))
  for (let frames = 0; frames < 320; frames++) await upstream.send(data(141, Buffer.alloc(16_384)))
  assert.equal(fast.content.length, 320 * 16_384)
  assert.equal(upstream.connection.isUsable, true)
  slow[0]!.takeAgain()
  assert.deepEqual(await upstream.read({ windows: true }), ['WINDOW_UPDATE 1 49152'])
})

test('a flood from an upstream ends the connection (§10.5)', async () => {
  const frames = [ping(), settings(), data(1, ''), windowUpdate(0, 1), frame(0xbe, 0, 0), rstStream(1, 8)]
  for (const bytes of frames) {
    const upstream = await connectedUpstream()
    const asked = upstream.ask()
    await upstream.send(ok(1))
    for (let count = 0; count < 1010 && upstream.connection.isUsable; count++) upstream.socket.feed(bytes)
    await upstream.read()
    assert.equal(upstream.connection.isUsable, false)
    assert.match(asked.events.at(-1)!, /^failure (upstream-closed|stream-reset)$/)
  }
})

test('an upstream may reset as many of our streams as it likes', async () => {
  const upstream = await connectedUpstream()
  for (let at = 0; at < 1000; at++) {
    const asked = upstream.ask()
    await upstream.send(rstStream(1 + 2 * at, 7))
    assert.equal(asked.events.at(-1), 'failure stream-refused unprocessed')
  }
  assert.ok(upstream.connection.isUsable)
})

// RFC 8441.

const WEBSOCKET = { upgrade: 'websocket', contentLength: UNKNOWN_LENGTH } as const
const CONNECT = ':method=CONNECT :protocol=websocket :scheme=http :authority=up.test :path=/x?y'

test('an upgrade goes as extended CONNECT, once the upstream offers it, and 200 is 101 (RFC 8441 §4, §5)', async () => {
  const upstream = new UpstreamScript()
  const fields = ['Sec-WebSocket-Key', 'x', 'Sec-WebSocket-Version', '13']
  const asked = upstream.ask({ ...WEBSOCKET, fields })
  assert.deepEqual(await upstream.read(), ['SETTINGS'])
  assert.deepEqual((await upstream.send(settings([8, 1]), settingsAck)).slice(1), [
    `HEADERS 1 ${CONNECT} sec-websocket-version=13`,
  ])
  await upstream.send(ok(1), data(1, 'theirs'))
  asked.exchange.write(Buffer.from('ours'))
  assert.deepEqual(await upstream.read(), ['DATA 1 4'])
  await upstream.send(data(1, '', ES))
  assert.deepEqual(asked.events, ['asked', 'response 101 -1', 'content 6', 'content-end'])
  asked.exchange.write(Buffer.from('more'))
  asked.exchange.end()
  assert.deepEqual((await upstream.read()).at(-1), 'DATA 1 4 ES')
  assert.ok(upstream.connection.isIdleNow)
})

test('an upgrade that the upstream does not offer, or refuses', async () => {
  const upstream = await connectedUpstream({}, [8, 0])
  const asked = upstream.ask(WEBSOCKET)
  await upstream.read()
  assert.deepEqual(asked.events, ['asked', 'failure upgrade-unsupported unprocessed'])
  const early = new UpstreamScript()
  const waiting = early.ask(WEBSOCKET)
  const behind = early.ask()
  await early.send(settings(), settingsAck)
  assert.deepEqual(waiting.events, ['asked', 'failure upgrade-unsupported unprocessed'])
  await early.send(ok(1, EH | ES))
  assert.equal(behind.events.at(-1), 'content-end')
  const willing = await connectedUpstream({}, [8, 1])
  const refused = willing.ask(WEBSOCKET)
  await willing.send(headers(1, literals(':status', '403'), EH | ES))
  assert.deepEqual(refused.events, ['asked', 'response 403 0', 'content-end'])
})

// Deadlines.

test('a PING looks after a connection on which nothing comes (§6.7)', async () => {
  const upstream = await connectedUpstream({ keepAlive: { afterMs: 20_000, timeoutMs: 5000 } })
  const asked = upstream.ask()
  await upstream.pass(19_000)
  assert.deepEqual(await upstream.pass(1000), ['PING alive?al'])
  await upstream.send(ping('alive?al', 1))
  assert.deepEqual(await upstream.pass(19_000), [])
  assert.deepEqual(await upstream.pass(2000), ['PING alive?al'])
  assert.deepEqual(await upstream.pass(6000), ['GOAWAY 0 NO_ERROR'])
  assert.deepEqual(asked.events, ['asked', 'failure upstream-closed'])
  await upstream.pass(2000)
  assert.equal(upstream.error?.code, 'ping-timeout')
})

test('an idle connection is closed, and one that is drained when it is idle', async () => {
  const idle = await connectedUpstream()
  assert.deepEqual(await idle.pass(74_000), [])
  assert.deepEqual(await idle.pass(1000), ['GOAWAY 0 NO_ERROR'])
  const drained = await connectedUpstream()
  const asked = drained.ask()
  await drained.read()
  drained.connection.drain()
  assert.deepEqual(await drained.read(), [])
  assert.deepEqual(await drained.send(ok(1, EH | ES)), ['GOAWAY 0 NO_ERROR'])
  assert.deepEqual(asked.events, ['asked', 'response 200 0', 'content-end'])
})

test('a request that the upstream does not take is given up (§10.5)', async () => {
  const upstream = await connectedUpstream({}, [4, 0])
  const asked = upstream.ask({ method: 'POST', contentLength: UNKNOWN_LENGTH })
  asked.exchange.write(Buffer.from('x'))
  await upstream.read()
  await upstream.pass(59_000)
  assert.deepEqual(await upstream.pass(2000), ['RST_STREAM 1 CANCEL'])
  assert.deepEqual(asked.events, ['asked', 'failure request-stalled'])
})
