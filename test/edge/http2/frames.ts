import { HpackDecoder } from '../../../src/edge/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../../src/edge/http2/hpack/encoder.ts'

// Frames as a peer writes and reads them (RFC 9113 §4.1, §6), apart from the code that is tested but for HPACK, which
// has tests of its own.

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export const ES = 0x1
export const ACK = 0x1
export const EH = 0x4
export const PADDED = 0x8
export const PRIORITY = 0x20

const TYPES = [
  ...['DATA', 'HEADERS', 'PRIORITY', 'RST_STREAM', 'SETTINGS', 'PUSH_PROMISE', 'PING', 'GOAWAY', 'WINDOW_UPDATE'],
  'CONTINUATION',
] as const

export const CODES = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
] as const

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(payload)
  const header = Buffer.alloc(9)
  header.writeUIntBE(bytes.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, bytes])
}

export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, at * 4)
  return bytes
}

export const data = (streamId: number, content: Buffer | string, flags = 0): Buffer =>
  frame(0, flags, streamId, content)
export const headers = (streamId: number, block: Buffer, flags = EH): Buffer => frame(1, flags, streamId, block)
export const priority = (streamId: number, payload = Buffer.alloc(5)): Buffer => frame(2, 0, streamId, payload)
export const rstStream = (streamId: number, code: number): Buffer => frame(3, 0, streamId, uint32(code))
export const settingsAck = frame(4, ACK, 0)
export const ping = (payload = '12345678', flags = 0): Buffer => frame(6, flags, 0, payload)
export const goaway = (lastStreamId: number, code: number): Buffer => frame(7, 0, 0, uint32(lastStreamId, code))
export const windowUpdate = (streamId: number, increment: number): Buffer => frame(8, 0, streamId, uint32(increment))
export const continuation = (streamId: number, block: Buffer | string, flags = EH): Buffer =>
  frame(9, flags, streamId, block)
export const priorityUpdate = (streamId: number, value: string): Buffer =>
  frame(0x10, 0, 0, Buffer.concat([uint32(streamId), Buffer.from(value)]))

export function settings(...values: [id: number, value: number][]): Buffer {
  const payload = values.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]))
  return frame(4, 0, 0, Buffer.concat(payload))
}

/** A block of literals, so that anything can be written, and nothing depends on what was written before. */
export function literals(...fields: string[]): Buffer {
  const text = (value: string): Buffer => Buffer.concat([integer(value.length, 0x7f), Buffer.from(value, 'latin1')])
  const pieces: Buffer[] = []
  for (let at = 0; at < fields.length; at += 2) pieces.push(Buffer.from([0]), text(fields[at]!), text(fields[at + 1]!))
  return Buffer.concat(pieces)
}

function integer(value: number, prefix: number): Buffer {
  if (value < prefix) return Buffer.from([value])
  const octets = [prefix]
  let rest = value - prefix
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) octets.push(0x80 | (rest % 128))
  return Buffer.from([...octets, rest])
}

/** The pseudo-header fields of a plain request. */
export const GET = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'a.test']
export const POST = [':method', 'POST', ...GET.slice(2)]

export const get = (streamId: number, ...fields: string[]): Buffer =>
  headers(streamId, literals(...GET, ...fields), EH | ES)
export const post = (streamId: number, ...fields: string[]): Buffer => headers(streamId, literals(...POST, ...fields))

/** One block with an encoder of its own, for those who want it compressed. */
export function compressed(...fields: string[]): Buffer {
  const out = Buffer.alloc(100_000)
  return out.subarray(0, new HpackEncoder().encode([], fields, out, 0))
}

/** Reads what the connection has written, frame by frame, and tells it in words. */
export class FrameTrace {
  readonly #decoder = new HpackDecoder({ maxTableBytes: 4096, maxListBytes: 1_000_000, maxFields: 10_000 })
  #bytes = Buffer.alloc(0)
  #block: { readonly flags: number; readonly pieces: Buffer[] } | undefined
  /** Content by stream. */
  readonly content = new Map<number, Buffer[]>()

  /** The frames that these bytes complete. Windows are left out, as most tests are not about them. */
  read(bytes: Buffer, { windows = false } = {}): string[] {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
    const lines: string[] = []
    while (this.#bytes.length >= 9) {
      const end = 9 + this.#bytes.readUIntBE(0, 3)
      if (this.#bytes.length < end) break
      const line = this.#tell(this.#bytes.subarray(0, end))
      this.#bytes = this.#bytes.subarray(end)
      if (line !== undefined && (windows || !line.startsWith('WINDOW_UPDATE'))) lines.push(line)
    }
    return lines
  }

  /** What has come as the content of a stream. */
  contentOf(streamId: number): string {
    return Buffer.concat(this.content.get(streamId) ?? []).toString('latin1')
  }

  #tell(bytes: Buffer): string | undefined {
    const flags = bytes[4]!
    const streamId = bytes.readUInt32BE(5)
    const payload = bytes.subarray(9)
    const name = TYPES[bytes[3]!]
    switch (name) {
      case 'DATA':
        this.content.set(streamId, [...(this.content.get(streamId) ?? []), Buffer.from(payload)])
        return `DATA ${streamId} ${payload.length}${(flags & ES) === 0 ? '' : ' ES'}`
      case 'HEADERS':
        this.#block = { flags, pieces: [Buffer.from(payload)] }
        return (flags & EH) === 0 ? undefined : this.#tellBlock(streamId)
      case 'CONTINUATION':
        this.#block!.pieces.push(Buffer.from(payload))
        return (flags & EH) === 0 ? undefined : this.#tellBlock(streamId)
      case 'RST_STREAM':
        return `RST_STREAM ${streamId} ${CODES[payload.readUInt32BE(0)]}`
      case 'GOAWAY':
        return `GOAWAY ${payload.readUInt32BE(0)} ${CODES[payload.readUInt32BE(4)]}`
      case 'WINDOW_UPDATE':
        return `WINDOW_UPDATE ${streamId} ${payload.readUInt32BE(0)}`
      case 'SETTINGS':
      case 'PING':
        return `${name}${(flags & ACK) === 0 ? '' : ' ACK'}${name === 'PING' ? ` ${payload.toString('latin1')}` : ''}`
      default:
        return `${name} ${streamId}`
    }
  }

  #tellBlock(streamId: number): string {
    const { flags, pieces } = this.#block!
    const { fields } = this.#decoder.decode(Buffer.concat(pieces))
    const texts: string[] = []
    for (let at = 0; at < fields.length; at += 2) texts.push(`${fields[at]}=${fields[at + 1]}`)
    return `HEADERS ${streamId}${(flags & ES) === 0 ? '' : ' ES'} ${texts.join(' ')}`
  }
}
