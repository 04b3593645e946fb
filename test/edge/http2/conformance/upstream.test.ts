import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Http2ErrorCode } from '../../../../src/edge/http2/http2-error.ts'
import {
  continuation,
  data,
  EH,
  ES,
  frame,
  goaway,
  headers,
  literals,
  PADDED,
  ping,
  rstStream,
  settings,
  settingsAck,
  windowUpdate,
} from '../frames.ts'
import { connectedUpstream, UpstreamScript } from '../upstream-script.ts'

// What only an upstream can do wrong: what is not among the rules for both roles.

const ok = (streamId: number, flags = EH, ...fields: string[]): Buffer =>
  headers(streamId, literals(':status', '200', ...fields), flags)

for (const [name, bytes] of [
  ['a PING', ping()],
  ['an acknowledgment', settingsAck],
  ['a response', ok(1)],
  ['GOAWAY', goaway(0, 0)],
] as const)
  test(`${name} ahead of SETTINGS ends the connection (§3.4)`, async () => {
    const upstream = new UpstreamScript()
    const asked = upstream.ask()
    await upstream.read()
    assert.deepEqual(await upstream.send(bytes), ['GOAWAY 0 PROTOCOL_ERROR'])
    assert.equal(asked.events.at(-1), 'failure upstream-closed')
  })

test('an answer in HTTP/1.1 is none (§3.4)', async () => {
  const upstream = new UpstreamScript()
  const asked = upstream.ask()
  await upstream.read()
  const [line] = await upstream.send(Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'))
  assert.equal(line, 'GOAWAY 0 FRAME_SIZE_ERROR')
  assert.equal(asked.events.at(-1), 'failure upstream-closed')
})

const late: readonly (readonly [rule: string, frames: readonly Buffer[], answer: readonly string[]])[] = [
  ['DATA', [data(1, 'x'), ping()], ['RST_STREAM 1 STREAM_CLOSED', 'PING ACK 12345678']],
  ['HEADERS', [ok(1)], ['GOAWAY 0 STREAM_CLOSED']],
  ['CONTINUATION', [continuation(1, '')], ['GOAWAY 0 PROTOCOL_ERROR']],
  ['WINDOW_UPDATE and RST_STREAM', [windowUpdate(1, 1), rstStream(1, 8), ping()], ['PING ACK 12345678']],
]

for (const [rule, frames, answer] of late)
  test(`${rule} after a response that is whole gets nobody anything (§5.1)`, async () => {
    const upstream = await connectedUpstream()
    const asked = upstream.ask()
    await upstream.send(ok(1, EH | ES))
    assert.deepEqual(await upstream.send(...frames), answer)
    assert.deepEqual(asked.events, ['asked', 'response 200 0', 'content-end'])
  })

const broken: readonly (readonly [code: Http2ErrorCode, rule: string, frames: readonly Buffer[]])[] = [
  ['content-unexpected', 'content in answer to HEAD', [ok(1, EH, 'content-length', '1'), data(1, 'x', ES)]],
  [
    'pseudo-field-invalid',
    'an unknown pseudo-header field (§8.3)',
    [headers(1, literals(':status', '200', ':x', '1'))],
  ],
  ['pseudo-field-missing', ':status behind a field (§8.3)', [headers(1, literals('x', '1', ':status', '200'))]],
  ['field-name-invalid', 'an empty name (§8.2.1)', [ok(1, EH, '', '1')]],
  ['field-name-invalid', 'a name with a colon (§8.2.1)', [ok(1, EH, 'a:b', '1')]],
  ['field-value-invalid', 'LF in a value (§8.2.1)', [ok(1, EH, 'x', 'a\nb')]],
  ['field-value-invalid', 'NUL in a value (§8.2.1)', [ok(1, EH, 'x', 'a\0b')]],
  ['field-connection-specific', 'keep-alive (§8.2.2)', [ok(1, EH, 'keep-alive', '1')]],
  ['field-connection-specific', 'upgrade (§8.2.2)', [ok(1, EH, 'upgrade', 'h2c')]],
  ['field-connection-specific', 'proxy-connection (§8.2.2)', [ok(1, EH, 'proxy-connection', 'close')]],
]

for (const [code, rule, frames] of broken)
  test(`a response with ${rule} is malformed`, async () => {
    const upstream = await connectedUpstream()
    const asked = upstream.ask({ method: 'HEAD' })
    await upstream.read()
    assert.deepEqual(await upstream.send(...frames, ping()), ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
    assert.deepEqual(upstream.streamErrors, [code])
    assert.equal(asked.events.at(-1), 'failure response-malformed')
  })

test('more content than the window of the stream has room for resets it (§6.9)', async () => {
  const upstream = await connectedUpstream()
  const asked = upstream.ask()
  asked.takeNothing()
  await upstream.send(ok(1))
  const pieces = Array.from({ length: 5 }, () => data(1, Buffer.alloc(16_384)))
  assert.deepEqual(await upstream.send(...pieces, ping()), ['RST_STREAM 1 FLOW_CONTROL_ERROR', 'PING ACK 12345678'])
  assert.deepEqual(upstream.streamErrors, ['window-exceeded'])
  assert.equal(asked.events.at(-1), 'failure response-malformed')
})

test('padding of a response counts and is given back (§6.1, §6.9)', async () => {
  const upstream = await connectedUpstream()
  const asked = upstream.ask()
  const padded = Buffer.concat([Buffer.from([3]), Buffer.from('abc'), Buffer.alloc(3)])
  await upstream.send(ok(1, EH, 'content-length', '3'), frame(0, PADDED | ES, 1, padded))
  assert.deepEqual(asked.events, ['asked', 'response 200 3 content-length 3', 'content 3', 'content-end'])
})

test('SETTINGS_ENABLE_CONNECT_PROTOCOL other than 0 or 1, or taken back (RFC 8441 §3)', async () => {
  for (const values of [
    [[8, 2]],
    [
      [8, 1],
      [8, 0],
    ],
  ] as [number, number][][]) {
    const upstream = await connectedUpstream()
    assert.deepEqual(await upstream.send(settings(...values)), ['GOAWAY 0 PROTOCOL_ERROR'])
  }
})

test('a field block without an end, and one that is too large (§10.5)', async () => {
  for (const frames of [
    Array.from({ length: 9 }, () => continuation(1, '', 0)),
    Array.from({ length: 8 }, () => continuation(1, Buffer.alloc(16_384), 0)),
  ]) {
    const upstream = await connectedUpstream()
    const asked = upstream.ask()
    await upstream.read()
    assert.deepEqual(await upstream.send(headers(1, literals('x', '1'), 0), ...frames), ['GOAWAY 0 ENHANCE_YOUR_CALM'])
    assert.equal(asked.events.at(-1), 'failure upstream-closed')
  }
})

test('a last stream below one that was named before is believed, and one that is above changes nothing (§6.8)', async () => {
  const upstream = await connectedUpstream()
  const [first, second, third] = [upstream.ask(), upstream.ask(), upstream.ask()]
  await upstream.send(goaway(3, 0))
  assert.equal(third.events.at(-1), 'failure upstream-going-away unprocessed')
  await upstream.send(goaway(1, 0), goaway(5, 0))
  assert.equal(second.events.at(-1), 'failure upstream-going-away unprocessed')
  await upstream.send(ok(1, EH | ES))
  assert.equal(first.events.at(-1), 'content-end')
  assert.ok(upstream.socket.writableEnded)
})
