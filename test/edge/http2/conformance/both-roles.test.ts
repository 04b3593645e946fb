import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Http2ErrorCode } from '../../../../src/edge/http2/http2-error.ts'
import { bytewise } from '../../client-hello/every-split.ts'
import { connectedClient } from '../client-script.ts'
import {
  ACK,
  continuation,
  data,
  EH,
  ES,
  frame,
  goaway,
  headers,
  literals,
  PADDED,
  PRIORITY,
  ping,
  post,
  priority,
  rstStream,
  settings,
  settingsAck,
  uint32,
  windowUpdate,
} from '../frames.ts'
import { connectedUpstream } from '../upstream-script.ts'

// What neither a client nor an upstream may send, in the order of RFC 9113. Stream 1 is open both ways, and all of its
// frames but the ones that are tested are good.

type Case = readonly [section: string, rule: string, frames: readonly Buffer[], code: Http2ErrorCode, told: string]

const block = literals('x', '1')
const hpack = (...octets: number[]): Buffer => headers(1, Buffer.from(octets), EH | ES)

const connectionErrors: readonly Case[] = [
  ['§4.2', 'DATA of 16,385 octets', [data(1, Buffer.alloc(16_385))], 'frame-too-large', 'FRAME_SIZE_ERROR'],
  ['§4.2', 'HEADERS of 16,385 octets', [headers(1, Buffer.alloc(16_385))], 'frame-too-large', 'FRAME_SIZE_ERROR'],
  [
    '§4.2',
    'an unknown frame of 16,385 octets',
    [frame(0x99, 0, 0, Buffer.alloc(16_385))],
    'frame-too-large',
    'FRAME_SIZE_ERROR',
  ],
  [
    '§4.3',
    'a field block that is cut off within a field',
    [hpack(0x40, 0x05, 0x61)],
    'field-block-invalid',
    'COMPRESSION_ERROR',
  ],
  [
    '§4.3',
    'PRIORITY within a field block',
    [headers(1, block, ES), priority(1)],
    'continuation-missing',
    'PROTOCOL_ERROR',
  ],
  [
    '§4.3',
    'HEADERS of another stream within a field block',
    [headers(1, block, ES), headers(3, block)],
    'continuation-missing',
    'PROTOCOL_ERROR',
  ],
  [
    '§4.3',
    'DATA within a field block',
    [headers(1, block, ES), data(1, 'x')],
    'continuation-missing',
    'PROTOCOL_ERROR',
  ],
  ['§5.1', 'WINDOW_UPDATE on an idle stream', [windowUpdate(99, 1)], 'stream-idle', 'PROTOCOL_ERROR'],
  ['§5.1', 'RST_STREAM on an idle stream', [rstStream(99, 8)], 'stream-idle', 'PROTOCOL_ERROR'],
  ['§5.1', 'DATA on an idle stream', [data(99, 'x')], 'stream-idle', 'PROTOCOL_ERROR'],
  ['§5.1.1', 'DATA on an even stream', [data(2, 'x')], 'stream-idle', 'PROTOCOL_ERROR'],
  ['§6.1', 'DATA for no stream', [data(0, 'x')], 'frame-stream-missing', 'PROTOCOL_ERROR'],
  [
    '§6.1',
    'DATA with more padding than payload',
    [frame(0, PADDED, 1, Buffer.from([5, 0, 0]))],
    'padding-too-long',
    'PROTOCOL_ERROR',
  ],
  [
    '§6.1',
    'DATA with as much padding as payload',
    [frame(0, PADDED, 1, Buffer.from([3, 0, 0]))],
    'padding-too-long',
    'PROTOCOL_ERROR',
  ],
  ['§6.1', 'DATA without room for its padding length', [frame(0, PADDED, 1)], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  ['§6.2', 'HEADERS for no stream', [headers(0, block)], 'frame-stream-missing', 'PROTOCOL_ERROR'],
  [
    '§6.2',
    'HEADERS with more padding than payload',
    [headers(1, Buffer.from([9, 0]), EH | PADDED)],
    'padding-too-long',
    'PROTOCOL_ERROR',
  ],
  [
    '§6.2',
    'HEADERS too short for their priority',
    [headers(1, Buffer.alloc(4), EH | PRIORITY)],
    'frame-size-invalid',
    'FRAME_SIZE_ERROR',
  ],
  ['§6.3', 'PRIORITY for no stream', [priority(0)], 'frame-stream-missing', 'PROTOCOL_ERROR'],
  ['§6.4', 'RST_STREAM for no stream', [rstStream(0, 8)], 'frame-stream-missing', 'PROTOCOL_ERROR'],
  ['§6.4', 'RST_STREAM of 3 octets', [frame(3, 0, 1, Buffer.alloc(3))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  ['§6.4', 'RST_STREAM of 5 octets', [frame(3, 0, 1, Buffer.alloc(5))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  ['§6.5', 'SETTINGS for a stream', [frame(4, 0, 1)], 'frame-stream-unexpected', 'PROTOCOL_ERROR'],
  ['§6.5', 'SETTINGS of 3 octets', [frame(4, 0, 0, Buffer.alloc(3))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  [
    '§6.5',
    'an acknowledgment of SETTINGS with a payload',
    [frame(4, ACK, 0, Buffer.alloc(6))],
    'frame-size-invalid',
    'FRAME_SIZE_ERROR',
  ],
  [
    '§6.5.2',
    'SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1',
    [settings([4, 2 ** 31])],
    'setting-window-invalid',
    'FLOW_CONTROL_ERROR',
  ],
  ['§6.5.2', 'SETTINGS_MAX_FRAME_SIZE below 16,384', [settings([5, 16_383])], 'setting-invalid', 'PROTOCOL_ERROR'],
  ['§6.5.2', 'SETTINGS_MAX_FRAME_SIZE above 2^24-1', [settings([5, 2 ** 24])], 'setting-invalid', 'PROTOCOL_ERROR'],
  ['§6.5.2', 'SETTINGS_ENABLE_PUSH of 2', [settings([2, 2])], 'setting-invalid', 'PROTOCOL_ERROR'],
  ['§6.5.3', 'an acknowledgment of nothing', [settingsAck], 'settings-ack-unexpected', 'PROTOCOL_ERROR'],
  ['§6.6', 'PUSH_PROMISE', [frame(5, EH, 1, Buffer.concat([uint32(2), block]))], 'push-refused', 'PROTOCOL_ERROR'],
  ['§6.6', 'PUSH_PROMISE for no stream', [frame(5, EH, 0, uint32(2))], 'frame-stream-missing', 'PROTOCOL_ERROR'],
  ['§6.7', 'PING for a stream', [frame(6, 0, 1, Buffer.alloc(8))], 'frame-stream-unexpected', 'PROTOCOL_ERROR'],
  ['§6.7', 'PING of 7 octets', [frame(6, 0, 0, Buffer.alloc(7))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  [
    '§6.7',
    'an acknowledgment of PING of 9 octets',
    [frame(6, ACK, 0, Buffer.alloc(9))],
    'frame-size-invalid',
    'FRAME_SIZE_ERROR',
  ],
  ['§6.8', 'GOAWAY for a stream', [frame(7, 0, 1, Buffer.alloc(8))], 'frame-stream-unexpected', 'PROTOCOL_ERROR'],
  ['§6.8', 'GOAWAY of 7 octets', [frame(7, 0, 0, Buffer.alloc(7))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  ['§6.9', 'WINDOW_UPDATE of the connection by 0', [windowUpdate(0, 0)], 'window-increment-zero', 'PROTOCOL_ERROR'],
  ['§6.9', 'WINDOW_UPDATE of 3 octets', [frame(8, 0, 0, Buffer.alloc(3))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  [
    '§6.9',
    'WINDOW_UPDATE of 5 octets on a stream',
    [frame(8, 0, 1, Buffer.alloc(5))],
    'frame-size-invalid',
    'FRAME_SIZE_ERROR',
  ],
  [
    '§6.9.1',
    'a connection window above 2^31-1',
    [windowUpdate(0, 2 ** 31 - 1)],
    'window-too-large',
    'FLOW_CONTROL_ERROR',
  ],
  [
    '§6.9.2',
    'a stream window above 2^31-1 by SETTINGS',
    [windowUpdate(1, 2 ** 31 - 1 - 65_535), settings([4, 65_536])],
    'window-too-large',
    'FLOW_CONTROL_ERROR',
  ],
  [
    '§6.10',
    'CONTINUATION for no stream',
    [headers(1, block, ES), continuation(0, '')],
    'frame-stream-missing',
    'PROTOCOL_ERROR',
  ],
  [
    '§6.10',
    'CONTINUATION of another stream',
    [headers(1, block, ES), continuation(3, '')],
    'continuation-missing',
    'PROTOCOL_ERROR',
  ],
  ['§6.10', 'CONTINUATION of nothing', [continuation(1, '')], 'continuation-unexpected', 'PROTOCOL_ERROR'],
  [
    '§6.10',
    'CONTINUATION after DATA',
    [data(1, 'x'), continuation(1, '')],
    'continuation-unexpected',
    'PROTOCOL_ERROR',
  ],
  ['§6.10', 'CONTINUATION on an idle stream', [continuation(99, '')], 'continuation-unexpected', 'PROTOCOL_ERROR'],
  ['RFC 7541 §2.3.3', 'an index beyond both tables', [hpack(0xff, 0x10)], 'field-block-invalid', 'COMPRESSION_ERROR'],
  ['RFC 7541 §4.2', 'a size update after a field', [hpack(0x82, 0x20)], 'field-block-invalid', 'COMPRESSION_ERROR'],
  [
    'RFC 7541 §5.1',
    'an integer without an end',
    [hpack(0xff, ...Array<number>(12).fill(0xff))],
    'field-block-invalid',
    'COMPRESSION_ERROR',
  ],
  [
    'RFC 7541 §5.2',
    'Huffman padding of more than 7 bits',
    [hpack(0x00, 0x01, 0x78, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x84, 0x49, 0x50, 0x9f, 0xff)],
    'field-block-invalid',
    'COMPRESSION_ERROR',
  ],
  [
    'RFC 7541 §5.2',
    'Huffman padding of zeros',
    [hpack(0x00, 0x01, 0x78, 0x81, 0x18)],
    'field-block-invalid',
    'COMPRESSION_ERROR',
  ],
  [
    'RFC 7541 §5.2',
    'EOS in a string',
    [hpack(0x00, 0x01, 0x78, 0x84, 0xff, 0xff, 0xff, 0xff)],
    'field-block-invalid',
    'COMPRESSION_ERROR',
  ],
  ['RFC 7541 §6.1', 'index 0', [hpack(0x80)], 'field-block-invalid', 'COMPRESSION_ERROR'],
  ['RFC 7541 §6.3', 'a size update above 4,096', [hpack(0x3f, 0xe2, 0x1f)], 'field-block-invalid', 'COMPRESSION_ERROR'],
]

/** After these the connection goes on, as the answer to a PING shows. */
const streamErrors: readonly Case[] = [
  ['§6.3', 'PRIORITY of 4 octets', [priority(1, Buffer.alloc(4))], 'frame-size-invalid', 'FRAME_SIZE_ERROR'],
  ['§6.9', 'WINDOW_UPDATE of the stream by 0', [windowUpdate(1, 0)], 'window-increment-zero', 'PROTOCOL_ERROR'],
  ['§6.9.1', 'a stream window above 2^31-1', [windowUpdate(1, 2 ** 31 - 1)], 'window-too-large', 'FLOW_CONTROL_ERROR'],
]

const borne: readonly (readonly [section: string, rule: string, frames: readonly Buffer[]])[] = [
  [
    '§4.1',
    'unknown types, flags and a reserved bit',
    [frame(0x16, 0xff, 0, 'x'), frame(6, 0xfe, 0x8000_0000, 'flagged!')],
  ],
  ['§5.1', 'PRIORITY on idle, open and even streams', [priority(99), priority(1), priority(2)]],
  [
    '§5.3.1',
    'a stream that depends on itself, which means nothing any more',
    [priority(1, Buffer.concat([uint32(1), Buffer.from([255])]))],
  ],
  ['§6.5', 'SETTINGS without settings', [settings()]],
  [
    '§6.5.2',
    'unknown settings, and the last value of one that is repeated',
    [settings([0x99, 1], [4, 2 ** 31 - 1], [4, 100])],
  ],
  ['§6.7', 'an acknowledgment of a PING that was not sent', [ping('00000000', ACK)]],
  ['§6.9.1', 'the largest windows', [windowUpdate(0, 2 ** 31 - 1 - 65_535), windowUpdate(1, 2 ** 31 - 1 - 65_535)]],
]

/** Each role with stream 1 open; gives what it sent since, and why it ended. */
const ROLES = {
  'from a client': async () => {
    const script = await connectedClient()
    await script.send(post(1))
    return { script, lastServed: 1 }
  },
  'from an upstream': async () => {
    const script = await connectedUpstream()
    script.ask({ method: 'POST' })
    await script.read()
    await script.send(headers(1, literals(':status', '200')))
    return { script, lastServed: 0 }
  },
} as const

for (const [role, open] of Object.entries(ROLES)) {
  for (const [section, rule, frames, code, told] of connectionErrors)
    test(`${rule} ${role} ends the connection (${section})`, async () => {
      const bytes = Buffer.concat(frames)
      for (const chunks of bytes.length < 200 ? [[bytes], bytewise(bytes)] : [[bytes]]) {
        const { script, lastServed } = await open()
        const lines = (await script.send(...chunks)).filter((line) => line !== 'SETTINGS ACK')
        assert.deepEqual(lines, [`GOAWAY ${lastServed} ${told}`])
        assert.ok(script.socket.writableEnded)
        script.socket.destroy()
        await script.read()
        assert.equal(script.error?.code, code)
      }
    })

  for (const [section, rule, frames, code, told] of streamErrors)
    test(`${rule} ${role} resets the stream (${section})`, async () => {
      const { script } = await open()
      assert.deepEqual(await script.send(...frames, ping()), [`RST_STREAM 1 ${told}`, 'PING ACK 12345678'])
      assert.deepEqual(script.streamErrors, [code])
      assert.deepEqual(await script.send(data(1, 'late'), rstStream(1, 8), ping()), ['PING ACK 12345678'])
    })

  for (const [section, rule, frames] of borne)
    test(`${rule} ${role} are borne (${section})`, async () => {
      const { script } = await open()
      const lines = await script.send(...frames, ping())
      assert.equal(lines.at(-1), 'PING ACK 12345678')
      assert.ok(lines.every((line) => /^(PING|SETTINGS) ACK/.test(line)))
      assert.equal(script.socket.writableEnded, false)
    })

  test(`unknown error codes ${role} mean nothing special (§7)`, async () => {
    const { script } = await open()
    assert.deepEqual(await script.send(rstStream(1, 0xff), ping()), ['PING ACK 12345678'])
    await script.send(goaway(2 ** 31 - 1, 0xff))
    script.socket.destroy()
    await script.read()
    assert.equal(script.error, undefined)
  })
}
