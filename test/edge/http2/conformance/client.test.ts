import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Http2ErrorCode } from '../../../../src/edge/http2/http2-error.ts'
import { ClientScript, connectedClient, serveHello } from '../client-script.ts'
import {
  continuation,
  data,
  EH,
  ES,
  frame,
  GET,
  get,
  headers,
  literals,
  PADDED,
  PREFACE,
  ping,
  post,
  rstStream,
  settings,
  windowUpdate,
} from '../frames.ts'

// What only a client can do wrong (RFC 9113 §3.4, §5.1, §8): what is not among the rules for both roles.

const OTHER_PREFACES = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
  'PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n',
]

for (const text of OTHER_PREFACES)
  test(`a preface of ${JSON.stringify(text)} ends the connection (§3.4)`, async () => {
    const client = new ClientScript()
    assert.deepEqual(await client.send(Buffer.from(text)), ['SETTINGS', 'GOAWAY 0 PROTOCOL_ERROR'])
    assert.ok(client.socket.writableEnded)
    client.socket.destroy()
    await client.read()
    assert.equal(client.error?.code, 'preface-invalid')
  })

for (const [name, bytes] of [
  ['DATA', data(1, 'x')],
  ['HEADERS', get(1)],
  ['WINDOW_UPDATE', windowUpdate(0, 1)],
] as const)
  test(`${name} ahead of SETTINGS ends the connection (§3.4)`, async () => {
    const client = new ClientScript()
    assert.deepEqual(await client.send(PREFACE, bytes), ['SETTINGS', 'GOAWAY 0 PROTOCOL_ERROR'])
    assert.equal(client.served.length, 0)
  })

/** What a closed stream still gets, and what that is. */
const late: readonly (readonly [rule: string, frames: readonly Buffer[], answer: readonly string[]])[] = [
  ['DATA', [data(1, 'x'), ping()], ['RST_STREAM 1 STREAM_CLOSED', 'PING ACK 12345678']],
  ['HEADERS', [get(1)], ['GOAWAY 1 STREAM_CLOSED']],
  ['CONTINUATION', [continuation(1, '')], ['GOAWAY 1 PROTOCOL_ERROR']],
  ['WINDOW_UPDATE and RST_STREAM', [windowUpdate(1, 1), rstStream(1, 8), ping()], ['PING ACK 12345678']],
]

for (const [rule, frames, answer] of late) {
  test(`${rule} on a stream that both sides have ended (§5.1)`, async () => {
    const client = await connectedClient({ serve: serveHello })
    await client.send(get(1))
    assert.deepEqual(await client.send(...frames), answer)
  })

  test(`${rule} on a stream that its client has reset (§5.1)`, async () => {
    const client = await connectedClient()
    await client.send(post(1), rstStream(1, 8))
    assert.deepEqual(await client.send(...frames), answer)
  })
}

test('CONTINUATION on a stream that its client has ended (§5.1, §6.10)', async () => {
  const client = await connectedClient()
  assert.deepEqual(await client.send(get(1), continuation(1, '')), ['GOAWAY 1 PROTOCOL_ERROR'])
})

test('a stream that was passed over cannot be opened any more (§5.1.1)', async () => {
  const client = await connectedClient()
  assert.deepEqual(await client.send(get(7), get(5)), ['GOAWAY 7 PROTOCOL_ERROR'])
})

test('a window that becomes negative is made up for before anything is sent (§6.9.2)', async () => {
  const client = await connectedClient({ serve: serveHello }, [4, 0])
  assert.deepEqual(await client.send(get(1)), ['HEADERS 1 :status=200 content-length=12 content-type=text/plain'])
  assert.deepEqual(await client.send(settings([4, 3])), ['SETTINGS ACK', 'DATA 1 3'])
  assert.deepEqual(await client.send(settings([4, 1])), ['SETTINGS ACK'])
  assert.deepEqual(await client.send(windowUpdate(1, 2)), [])
  assert.deepEqual(await client.send(windowUpdate(1, 1)), ['DATA 1 1'])
  assert.deepEqual(await client.send(settings([4, 65_535])), ['SETTINGS ACK', 'DATA 1 8 ES'])
})

const twice = [':method', ':scheme', ':path', ':authority'] as const

for (const name of twice)
  test(`${name} twice is malformed (§8.3)`, async () => {
    const client = await connectedClient()
    const value = GET[GET.indexOf(name) + 1]!
    const answer = await client.send(headers(1, literals(...GET, name, value), EH | ES), ping())
    assert.deepEqual(answer, ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
    assert.deepEqual(client.streamErrors, ['pseudo-field-repeated'])
    assert.equal(client.served.length, 0)
  })

const extended = [
  ':method',
  'CONNECT',
  ':protocol',
  'websocket',
  ':scheme',
  'https',
  ':path',
  '/',
  ':authority',
  'a.test',
]
const less = (name: string): string[] => extended.toSpliced(extended.indexOf(name), 2)

const connects: readonly (readonly [code: Http2ErrorCode, rule: string, fields: readonly string[]])[] = [
  ['pseudo-field-missing', 'without :scheme', less(':scheme')],
  ['pseudo-field-missing', 'without :path', less(':path')],
  ['pseudo-field-missing', 'without :authority', less(':authority')],
  ['pseudo-field-repeated', 'with two protocols', [...extended, ':protocol', 'websocket']],
  ['field-connection-specific', 'with Upgrade', [...extended, 'upgrade', 'websocket']],
  ['pseudo-field-invalid', 'with a protocol that is no token', extended.with(3, 'web socket')],
]

for (const [code, rule, fields] of connects)
  test(`an extended CONNECT ${rule} is malformed (RFC 8441 §4)`, async () => {
    const client = await connectedClient()
    const answer = await client.send(headers(1, literals(...fields)), ping())
    assert.deepEqual(answer, ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
    assert.deepEqual(client.streamErrors, [code])
  })

test('Content-Length is that of all DATA together, without padding (§8.1.1)', async () => {
  const padded = frame(0, PADDED | ES, 1, Buffer.concat([Buffer.from([9]), Buffer.from('cd'), Buffer.alloc(9)]))
  const client = await connectedClient()
  await client.send(post(1, 'content-length', '4'), data(1, 'ab'), data(1, ''), padded)
  assert.deepEqual(client.served[0]!.events, ['content 2', 'content 2', 'content-end'])
  const longer = await connectedClient()
  await longer.send(post(1, 'content-length', '3'), data(1, 'ab'))
  assert.deepEqual(await longer.send(padded, ping()), ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
  assert.deepEqual(longer.streamErrors, ['content-length-conflict'])
})
