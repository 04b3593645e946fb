import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FrameHandler, FrameReader } from '../../../src/edge/http2/frame-reader.ts'
import { Http2Error } from '../../../src/edge/http2/http2-error.ts'
import { bytewise, everySplit } from '../client-hello/every-split.ts'
import { data, ES, frame, PADDED, PREFACE, ping, settings } from './frames.ts'

/** What comes of the bytes. Content is joined, as it comes in as many pieces as the bytes do. */
function traceOf(chunks: readonly Buffer[], { expectsPreface = true } = {}): string[] {
  const trace: string[] = []
  let content = ''
  let padding = 0
  const handler: FrameHandler = {
    onFrameHeader: (type, flags, streamId, length) => trace.push(`frame ${type} ${flags} ${streamId} ${length}`),
    onPayload: (_type, _flags, _streamId, bytes, start, end) =>
      trace.push(`payload ${bytes.toString('hex', start, end)}`),
    onData: (piece) => {
      content += piece.toString('latin1')
    },
    onPadding: (bytes) => {
      padding += bytes
    },
    onDataEnd: (flags) => {
      trace.push(`content ${content} padding ${padding} flags ${flags}`)
      content = ''
      padding = 0
    },
  }
  const reader = new FrameReader(handler, { expectsPreface })
  try {
    for (const chunk of chunks) reader.push(chunk)
  } catch (error) {
    assert.ok(error instanceof Http2Error)
    assert.equal(error.scope, 'connection')
    trace.push(`error ${error.code}`)
  }
  return trace
}

function assertTrace(bytes: Buffer, expected: string[], options = {}): void {
  assert.deepEqual(traceOf([bytes], options), expected)
  assert.deepEqual(traceOf(bytewise(bytes), options), expected)
  for (const parts of everySplit(bytes)) assert.deepEqual(traceOf(parts, options), expected)
}

test('frames are the same at every split (§4.1)', () => {
  const bytes = Buffer.concat([
    PREFACE,
    settings([3, 100]),
    data(1, 'hello'),
    data(1, ''),
    frame(0, PADDED | ES, 1, Buffer.concat([Buffer.from([3]), Buffer.from('padded\0\0\0')])),
    frame(0, PADDED, 3, Buffer.from([0])),
    frame(0x99, 0xff, 7, 'unknown'),
    ping(),
  ])
  assertTrace(bytes, [
    'frame 4 0 0 6',
    'payload 000300000064',
    'frame 0 0 1 5',
    'content hello padding 0 flags 0',
    'frame 0 0 1 0',
    'content  padding 0 flags 0',
    'frame 0 9 1 10',
    'content padded padding 4 flags 9',
    'frame 0 8 3 1',
    'content  padding 1 flags 8',
    'frame 153 255 7 7',
    'payload 756e6b6e6f776e',
    'frame 6 0 0 8',
    'payload 3132333435363738',
  ])
})

test('the reserved bit of an identifier is ignored (§4.1)', () => {
  assertTrace(data(0x8000_0001, 'x'), ['frame 0 0 1 1', 'content x padding 0 flags 0'], { expectsPreface: false })
})

test('another preface is refused at its first wrong octet (§3.4)', () => {
  for (const wrong of ['GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\rX', 'X'])
    assertTrace(Buffer.from(wrong), ['error preface-invalid'])
})

test('an announced length above the limit is refused before anything of it has come (§4.2)', () => {
  const header = frame(0x99, 0, 0, Buffer.alloc(16_385)).subarray(0, 9)
  assertTrace(header, ['error frame-too-large'], { expectsPreface: false })
})

test('lengths that a type cannot have (§6)', () => {
  const wrong = [
    frame(3, 0, 1, Buffer.alloc(3)), // RST_STREAM, §6.4
    frame(4, 0, 0, Buffer.alloc(5)), // SETTINGS, §6.5
    frame(4, 1, 0, Buffer.alloc(6)), // SETTINGS with ACK, §6.5
    frame(6, 0, 0, Buffer.alloc(7)), // PING, §6.7
    frame(7, 0, 0, Buffer.alloc(7)), // GOAWAY, §6.8
    frame(8, 0, 1, Buffer.alloc(5)), // WINDOW_UPDATE, §6.9
    frame(0x10, 0, 0, Buffer.alloc(3)), // PRIORITY_UPDATE, RFC 9218 §7.1
  ]
  for (const bytes of wrong) assertTrace(bytes, ['error frame-size-invalid'], { expectsPreface: false })
  assertTrace(frame(0, PADDED, 1), ['frame 0 8 1 0', 'error frame-size-invalid'], { expectsPreface: false })
})

test('frames of a stream without one, and of the connection with one (§6)', () => {
  for (const type of [0, 1, 2, 3, 5, 9])
    assertTrace(frame(type, 0, 0, Buffer.alloc(4)), ['error frame-stream-missing'], { expectsPreface: false })
  for (const type of [4, 6, 7, 0x10])
    assertTrace(frame(type, 0, 1, Buffer.alloc(0)), ['error frame-stream-unexpected'], { expectsPreface: false })
})

test('more padding than payload (§6.1)', () => {
  const bytes = frame(0, PADDED, 1, Buffer.from([2, 0]))
  assertTrace(bytes, ['frame 0 8 1 2', 'error padding-too-long'], { expectsPreface: false })
})

test('a small piece of a large chunk does not keep the chunk', () => {
  const pieces: Buffer[] = []
  const handler: FrameHandler = {
    onFrameHeader: () => {},
    onPayload: () => {},
    onData: (piece) => pieces.push(piece),
    onPadding: () => {},
    onDataEnd: () => {},
  }
  const frames = Buffer.concat([data(1, 'small'), data(1, Buffer.alloc(10_000))])
  // Outside of the pool that small buffers share.
  const chunk = Buffer.alloc(frames.length)
  frames.copy(chunk)
  new FrameReader(handler, { expectsPreface: false }).push(chunk)
  const [small, large] = pieces
  assert.ok(small!.buffer !== chunk.buffer)
  assert.ok(large!.buffer === chunk.buffer)
})
