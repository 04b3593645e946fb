import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Http2ErrorCode } from '../../../src/edge/http2/http2-error.ts'
import { bytewise } from '../client-hello/every-split.ts'
import { ClientScript, serveHello } from './client-script.ts'
import {
  ACK,
  continuation,
  data,
  EH,
  ES,
  frame,
  GET,
  get,
  goaway,
  headers,
  literals,
  PADDED,
  PREFACE,
  PRIORITY,
  ping,
  post,
  priority,
  priorityUpdate,
  rstStream,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from './frames.ts'

// What a client may not send, and what it is told (RFC 9113 §5.1, §5.4, §6). In parentheses the requirement.

type Case = readonly [code: Http2ErrorCode | 'none', rule: string, frames: readonly Buffer[], answer: readonly string[]]

const start = [PREFACE, settings(), settingsAck]

const RESPONSE = 'HEADERS 1 :status=200 content-length=12 content-type=text/plain'

/** A request with as much content as a stream may send, if nobody takes it. */
const fullWindow = (streamId: number): Buffer[] => [
  post(streamId),
  ...[16_384, 16_384, 16_384, 16_383].map((bytes) => data(streamId, Buffer.alloc(bytes))),
]

/** Nothing before the error is answered, and nobody takes content. */
const cases: readonly Case[] = [
  [
    'settings-missing',
    'a first frame other than SETTINGS (§3.4)',
    [PREFACE, ping()],
    ['SETTINGS', 'GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'settings-missing',
    'an acknowledgment as the first frame (§3.4)',
    [PREFACE, settingsAck],
    ['SETTINGS', 'GOAWAY 0 PROTOCOL_ERROR'],
  ],
  ['stream-idle', 'DATA on an idle stream (§5.1)', [...start, data(1, 'x')], ['GOAWAY 0 PROTOCOL_ERROR']],
  ['stream-idle', 'DATA on a stream of ours (§5.1)', [...start, data(2, 'x')], ['GOAWAY 0 PROTOCOL_ERROR']],
  [
    'stream-idle',
    'RST_STREAM on an idle stream (§5.1, §6.4)',
    [...start, rstStream(1, 8)],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'stream-idle',
    'WINDOW_UPDATE on an idle stream (§5.1)',
    [...start, windowUpdate(1, 1)],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'continuation-unexpected',
    'CONTINUATION of nothing (§6.10)',
    [...start, continuation(1, '')],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'stream-id-invalid',
    'a stream with an even identifier (§5.1.1)',
    [...start, headers(2, literals(...GET), EH | ES)],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'stream-id-invalid',
    'a stream with a lower identifier (§5.1.1)',
    [...start, post(5), post(3)],
    ['GOAWAY 5 PROTOCOL_ERROR'],
  ],
  [
    'continuation-missing',
    'another frame within a field block (§4.3, §6.10)',
    [...start, headers(1, literals(...GET), 0), ping()],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'continuation-missing',
    'a CONTINUATION of another stream (§6.10)',
    [...start, headers(1, literals(...GET), 0), continuation(3, '')],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'continuation-missing',
    'an unknown frame within a field block (§5.5)',
    [...start, headers(1, literals(...GET), 0), frame(0x99, 0, 1)],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'field-block-invalid',
    'a field block that cannot be decoded (§4.3)',
    [...start, headers(1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff]))],
    ['GOAWAY 0 COMPRESSION_ERROR'],
  ],
  [
    'push-refused',
    'PUSH_PROMISE from a client (§8.4)',
    [...start, frame(5, EH, 1, uint32(2))],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'padding-too-long',
    'HEADERS with more padding than payload (§6.2)',
    [...start, headers(1, Buffer.from([9, 0]), EH | PADDED)],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'frame-size-invalid',
    'HEADERS too short for their padding length (§4.2)',
    [...start, headers(1, Buffer.alloc(0), EH | PADDED)],
    ['GOAWAY 0 FRAME_SIZE_ERROR'],
  ],
  [
    'frame-size-invalid',
    'HEADERS too short for their priority (§4.2)',
    [...start, headers(1, Buffer.alloc(4), EH | PRIORITY)],
    ['GOAWAY 0 FRAME_SIZE_ERROR'],
  ],
  [
    'frame-size-invalid',
    'PRIORITY of a wrong length for an idle stream (§6.3)',
    [...start, priority(1, Buffer.alloc(4))],
    ['GOAWAY 0 FRAME_SIZE_ERROR'],
  ],
  [
    'setting-invalid',
    'SETTINGS_ENABLE_PUSH other than 0 or 1 (§6.5.2)',
    [...start, settings([2, 2])],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'setting-window-invalid',
    'SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1 (§6.5.2)',
    [...start, settings([4, 2 ** 31])],
    ['GOAWAY 0 FLOW_CONTROL_ERROR'],
  ],
  [
    'setting-invalid',
    'SETTINGS_MAX_FRAME_SIZE below 16,384 (§6.5.2)',
    [...start, settings([5, 16_383])],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'setting-invalid',
    'SETTINGS_MAX_FRAME_SIZE above 2^24-1 (§6.5.2)',
    [...start, settings([5, 2 ** 24])],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'setting-invalid',
    'SETTINGS_ENABLE_CONNECT_PROTOCOL other than 0 or 1 (RFC 8441 §3)',
    [...start, settings([8, 2])],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'setting-invalid',
    'SETTINGS_ENABLE_CONNECT_PROTOCOL taken back (RFC 8441 §3)',
    [...start, settings([8, 1], [8, 0])],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'setting-invalid',
    'SETTINGS_NO_RFC7540_PRIORITIES other than 0 or 1 (RFC 9218 §2.1)',
    [...start, settings([9, 2])],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'settings-ack-unexpected',
    'an acknowledgment of nothing (§6.5.3)',
    [...start, settingsAck],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'window-increment-zero',
    'a connection window raised by 0 (§6.9)',
    [...start, windowUpdate(0, 0)],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'window-too-large',
    'a connection window above 2^31-1 (§6.9.1)',
    [...start, windowUpdate(0, 2 ** 31 - 1)],
    ['GOAWAY 0 FLOW_CONTROL_ERROR'],
  ],
  [
    'window-too-large',
    'a stream window above 2^31-1 by SETTINGS (§6.9.2)',
    [...start, post(1), windowUpdate(1, 2 ** 31 - 1 - 65_535), settings([4, 65_536])],
    ['GOAWAY 1 FLOW_CONTROL_ERROR'],
  ],
  [
    'window-exceeded',
    'DATA beyond the connection window (§6.9)',
    [
      ...start,
      ...Array.from({ length: 16 }, (_, at) => fullWindow(1 + 2 * at)).flat(),
      post(33),
      data(33, Buffer.alloc(17)),
    ],
    ['GOAWAY 33 FLOW_CONTROL_ERROR'],
  ],
  [
    'priority-update-invalid',
    'PRIORITY_UPDATE for no stream (RFC 9218 §7.1)',
    [...start, priorityUpdate(0, 'u=1')],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'priority-update-invalid',
    'PRIORITY_UPDATE for a stream of ours (RFC 9218 §7.1)',
    [...start, priorityUpdate(2, 'u=1')],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],
  [
    'priority-update-invalid',
    'PRIORITY_UPDATE for more streams than there can be (RFC 9218 §7.1)',
    [...start, ...Array.from({ length: 101 }, (_, at) => priorityUpdate(1 + 2 * at, 'u=1'))],
    ['GOAWAY 0 PROTOCOL_ERROR'],
  ],

  // Errors of one stream, after which the connection goes on: the PING is answered.
  [
    'window-increment-zero',
    'a stream window raised by 0 (§6.9)',
    [...start, post(1), windowUpdate(1, 0), ping()],
    ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'],
  ],
  [
    'window-too-large',
    'a stream window above 2^31-1 (§6.9.1)',
    [...start, post(1), windowUpdate(1, 2 ** 31 - 1), ping()],
    ['RST_STREAM 1 FLOW_CONTROL_ERROR', 'PING ACK 12345678'],
  ],
  [
    'window-exceeded',
    'DATA beyond a stream window (§6.9)',
    [...start, post(1), ...Array.from({ length: 4 }, () => data(1, Buffer.alloc(16_384))), ping()],
    ['RST_STREAM 1 FLOW_CONTROL_ERROR', 'PING ACK 12345678'],
  ],
  [
    'stream-closed',
    'DATA after END_STREAM (§5.1)',
    [...start, get(1), data(1, 'x'), ping()],
    ['RST_STREAM 1 STREAM_CLOSED', 'PING ACK 12345678'],
  ],
  [
    'stream-closed',
    'HEADERS after END_STREAM (§5.1)',
    [...start, get(1), get(1), ping()],
    ['RST_STREAM 1 STREAM_CLOSED', 'PING ACK 12345678'],
  ],
  [
    'frame-size-invalid',
    'PRIORITY of a wrong length (§6.3)',
    [...start, post(1), priority(1, Buffer.alloc(4)), ping()],
    ['RST_STREAM 1 FRAME_SIZE_ERROR', 'PING ACK 12345678'],
  ],
  [
    'stream-closed',
    'DATA after RST_STREAM (§5.1)',
    [...start, post(1), rstStream(1, 8), data(1, 'x'), ping()],
    ['RST_STREAM 1 STREAM_CLOSED', 'PING ACK 12345678'],
  ],
  [
    'stream-closed',
    'HEADERS after RST_STREAM (§5.1)',
    [...start, post(1), rstStream(1, 8), get(1)],
    ['GOAWAY 1 STREAM_CLOSED'],
  ],

  // What looks wrong and is not.
  [
    'none',
    'the smallest and the largest SETTINGS_MAX_FRAME_SIZE (§6.5.2)',
    [...start, settings([5, 16_384], [5, 2 ** 24 - 1]), ping()],
    ['SETTINGS ACK', 'PING ACK 12345678'],
  ],
  [
    'none',
    'the largest windows (§6.9.1)',
    [...start, post(1), windowUpdate(0, 2 ** 31 - 1 - 65_535), windowUpdate(1, 2 ** 31 - 1 - 65_535), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'none',
    'PRIORITY_UPDATE for any number of closed streams (RFC 9218 §7.1)',
    [...start, post(301), ...Array.from({ length: 150 }, (_, at) => priorityUpdate(1 + 2 * at, 'u=1')), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'none',
    'WINDOW_UPDATE after END_STREAM (§5.1)',
    [...start, get(1), windowUpdate(1, 1), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'none',
    'RST_STREAM and WINDOW_UPDATE on a closed stream (§5.1)',
    [...start, post(1), rstStream(1, 8), rstStream(1, 8), windowUpdate(1, 1), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'none',
    'PRIORITY in every state (§5.1)',
    [...start, priority(1), post(1), priority(1), rstStream(1, 8), priority(1), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'none',
    'unknown frames and settings (§5.5, §6.5.2)',
    [...start, frame(0x99, 0xff, 0, 'x'), frame(0x99, 0, 9), settings([0x99, 9]), ping()],
    ['SETTINGS ACK', 'PING ACK 12345678'],
  ],
  ['none', 'unknown flags (§4.1)', [...start, frame(6, 0xfe, 0, '12345678')], ['PING ACK 12345678']],
  [
    'none',
    'an acknowledgment of a PING that was not sent (§6.7)',
    [...start, ping('12345678', ACK), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'none',
    'GOAWAY, after which the client only waits (§6.8)',
    [...start, post(1), goaway(0, 0), data(1, 'x'), ping()],
    ['PING ACK 12345678'],
  ],
  [
    'window-increment-zero',
    'frames on a stream that we have reset (§5.1)',
    [...start, post(1), windowUpdate(1, 0), data(1, 'x'), windowUpdate(1, 1), data(1, 'y', ES), ping()],
    ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'],
  ],
  [
    'window-increment-zero',
    'trailers on a stream that we have reset (§5.1)',
    [...start, post(1), windowUpdate(1, 0), headers(1, literals('a', 'b'), EH | ES), ping()],
    ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'],
  ],
]

for (const [code, rule, frames, answer] of cases) {
  test(rule, async () => {
    const bytes = Buffer.concat(frames)
    for (const chunks of [[bytes], bytes.length < 2000 ? bytewise(bytes) : frames]) {
      const client = new ClientScript({ serve: (served) => served.takeNothing() })
      const lines = await client.send(...chunks)
      const opening = lines[0] === 'SETTINGS' && lines[1] === 'SETTINGS ACK' ? 2 : 0
      assert.deepEqual(lines.slice(opening), answer)
      assert.equal(client.socket.writableEnded, answer.at(-1)!.startsWith('GOAWAY'))
      client.socket.destroy()
      await client.read()
      assert.equal(client.streamErrors[0] ?? client.error?.code ?? 'none', code)
    }
  })
}

test('frames after an exchange that is over (§5.1)', async () => {
  for (const [late, answer] of [
    [data(1, 'x'), 'RST_STREAM 1 STREAM_CLOSED'],
    [get(1), 'GOAWAY 1 STREAM_CLOSED'],
  ] as const) {
    const client = new ClientScript({ serve: serveHello })
    assert.deepEqual((await client.send(...start, get(1))).slice(2), [RESPONSE, 'DATA 1 12 ES'])
    assert.deepEqual(await client.send(late), [answer])
  }
})

test('content that was under way when we answered early is no error, long after too (§8.1)', async () => {
  const client = new ClientScript({ serve: serveHello })
  await client.send(...start, post(1))
  for (let at = 1; at <= 150; at++) await client.send(get(1 + 2 * at))
  assert.deepEqual(await client.send(data(1, 'late'), data(1, '', ES), ping()), ['PING ACK 12345678'])
})

test('all requests are over with the connection, and the socket soon after', async () => {
  const client = new ClientScript()
  await client.send(...start, post(1), post(3))
  assert.deepEqual(await client.send(windowUpdate(0, 0)), ['GOAWAY 3 PROTOCOL_ERROR'])
  assert.deepEqual(
    client.served.map(({ events }) => events),
    [['end aborted 0'], ['end aborted 0']],
  )
  assert.deepEqual(await client.send(post(5), ping()), [])
  assert.equal(client.served.length, 2)
  await client.pass(2000)
  assert.ok(client.socket.destroyed)
  assert.ok(client.isClosed)
  assert.equal(client.error?.code, 'window-increment-zero')
  assert.equal(client.sweep.swept.size, 0)
})

test('a client that goes without a word ends its requests', async () => {
  for (const leave of [
    (client: ClientScript) => client.socket.hangUp(),
    (client: ClientScript) => client.socket.destroy(),
  ]) {
    const client = new ClientScript()
    await client.send(...start, post(1))
    leave(client)
    await client.read()
    assert.deepEqual(client.served[0]!.events, ['end aborted 0'])
    await client.pass(2000)
    assert.ok(client.isClosed)
    assert.equal(client.error, undefined)
  }
})

test('an error of the socket is told', async () => {
  const client = new ClientScript()
  await client.send(...start)
  client.socket.destroy(new Error('read ECONNRESET'))
  await client.read()
  assert.equal(client.error?.code, 'socket-failed')
  assert.equal(client.error?.facts.reason, 'read ECONNRESET')
})

test('a handler that throws costs its connection only', async () => {
  const client = new ClientScript({
    serve: () => {
      throw new TypeError('a mistake')
    },
  })
  assert.deepEqual((await client.send(...start, get(1))).slice(2), ['GOAWAY 1 INTERNAL_ERROR'])
  await client.pass(2000)
  assert.equal(client.error?.code, 'internal-error')
  assert.equal((client.error!.cause as Error).message, 'a mistake')
})
