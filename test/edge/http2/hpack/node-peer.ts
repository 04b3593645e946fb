import { once } from 'node:events'
import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import { type AddressInfo, createServer, type Socket } from 'node:net'

// An HTTP/2 connection in clear text between node:http2 (nghttp2), as the client, and a server that knows of frames
// (RFC 9113 §4.1) only what it takes to exchange field blocks.

const PREFACE_BYTES = 24
const FRAME_HEADER_BYTES = 9
const MAX_FRAME_BYTES = 16_384

const Frame = { headers: 1, settings: 4, ping: 6, continuation: 9 } as const
const Flag = { ack: 1, endStream: 1, endHeaders: 4, padded: 8, priority: 32 } as const
const HEADER_TABLE_SIZE = 1

export type PeerHandlers = {
  /** Answers the block of a request with that of the response. */
  readonly respond: (block: Buffer) => Buffer
  /** The client's SETTINGS_HEADER_TABLE_SIZE. It is acknowledged when this returns. */
  readonly onTableBytes: (bytes: number) => void
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header.writeUIntBE(payload.length, 0, 3)
  header[3] = type
  header[4] = flags
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, payload])
}

function settings(values: Readonly<Record<number, number>>): Buffer {
  const payload = Object.entries(values).map(([id, value]) => {
    const setting = Buffer.alloc(6)
    setting.writeUInt16BE(Number(id))
    setting.writeUInt32BE(value, 2)
    return setting
  })
  return frame(Frame.settings, 0, 0, Buffer.concat(payload))
}

class PeerServer {
  readonly #socket: Socket
  readonly #handlers: PeerHandlers
  #received = Buffer.alloc(0)
  #isPrefaceRead = false
  #fragments: Buffer[] = []
  /** What to do once the client has acknowledged settings, in the order they were sent (RFC 9113 §6.5.3). */
  readonly #unacknowledged: (() => void)[] = []

  constructor(socket: Socket, handlers: PeerHandlers) {
    this.#socket = socket
    this.#handlers = handlers
    socket.on('data', (bytes: Buffer) => this.#push(bytes))
    socket.on('error', () => socket.destroy())
  }

  sendSettings(values: Readonly<Record<number, number>>, onAcknowledged: () => void): void {
    this.#unacknowledged.push(onAcknowledged)
    this.#send(settings(values))
  }

  #send(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  #push(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes])
    if (!this.#isPrefaceRead) {
      if (this.#received.length < PREFACE_BYTES) return
      this.#isPrefaceRead = true
      this.#received = this.#received.subarray(PREFACE_BYTES)
    }
    while (this.#received.length >= FRAME_HEADER_BYTES) {
      const end = FRAME_HEADER_BYTES + this.#received.readUIntBE(0, 3)
      if (this.#received.length < end) return
      const whole = this.#received.subarray(0, end)
      this.#received = this.#received.subarray(end)
      this.#read(whole[3]!, whole[4]!, whole.readUInt32BE(5), whole.subarray(FRAME_HEADER_BYTES))
    }
  }

  #read(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (type === Frame.settings) return this.#readSettings(flags, payload)
    if (type === Frame.ping && (flags & Flag.ack) === 0) return this.#send(frame(Frame.ping, Flag.ack, 0, payload))
    if (type !== Frame.headers && type !== Frame.continuation) return
    this.#fragments.push(type === Frame.headers ? fragment(flags, payload) : payload)
    if ((flags & Flag.endHeaders) === 0) return
    const block = Buffer.concat(this.#fragments)
    this.#fragments = []
    this.#respond(streamId, this.#handlers.respond(block))
  }

  #readSettings(flags: number, payload: Buffer): void {
    if ((flags & Flag.ack) !== 0) return this.#unacknowledged.shift()?.()
    for (let at = 0; at < payload.length; at += 6)
      if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE) this.#handlers.onTableBytes(payload.readUInt32BE(at + 2))
    this.#send(frame(Frame.settings, Flag.ack, 0, Buffer.alloc(0)))
  }

  #respond(streamId: number, block: Buffer): void {
    for (let at = 0; at === 0 || at < block.length; at += MAX_FRAME_BYTES) {
      const type = at === 0 ? Frame.headers : Frame.continuation
      const isLast = at + MAX_FRAME_BYTES >= block.length
      const flags = (at === 0 ? Flag.endStream : 0) | (isLast ? Flag.endHeaders : 0)
      this.#send(frame(type, flags, streamId, block.subarray(at, at + MAX_FRAME_BYTES)))
    }
  }
}

/** What stands in a HEADERS frame between priority and padding (RFC 9113 §6.2). */
function fragment(flags: number, payload: Buffer): Buffer {
  const paddingBytes = (flags & Flag.padded) === 0 ? 0 : 1 + payload[0]!
  const start = ((flags & Flag.padded) === 0 ? 0 : 1) + ((flags & Flag.priority) === 0 ? 0 : 5)
  return payload.subarray(start, payload.length - Math.max(0, paddingBytes - 1))
}

export type NodePeer = {
  readonly session: ClientHttp2Session
  /** Sends SETTINGS_HEADER_TABLE_SIZE to the client. */
  sendTableBytes(bytes: number, onAcknowledged: () => void): void
  close(): Promise<void>
}

export async function connectNodePeer(
  handlers: PeerHandlers,
  options: { headerTableSize?: number } = {},
): Promise<NodePeer> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  const session = connect(`http://127.0.0.1:${port}`, {
    settings: { maxHeaderListSize: 1_000_000, ...options },
    maxHeaderListPairs: 1000,
  })
  const [socket] = (await once(listener, 'connection')) as [Socket]
  const server = new PeerServer(socket, handlers)
  server.sendSettings({}, () => {})
  await once(session, 'remoteSettings')
  return {
    session,
    sendTableBytes: (bytes, onAcknowledged) => server.sendSettings({ [HEADER_TABLE_SIZE]: bytes }, onAcknowledged),
    close: async () => {
      session.destroy()
      socket.destroy()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

/** The fields of the response to a request with these, name and value in turn, as they came. */
export async function exchangeWith(
  { session }: NodePeer,
  headers: Readonly<Record<string | symbol, string | readonly string[]>>,
): Promise<string[]> {
  const stream = session.request(headers as IncomingHttpHeaders, { endStream: true })
  stream.resume()
  const [, , rawHeaders] = (await once(stream, 'response')) as [unknown, unknown, string[]]
  await once(stream, 'close')
  return rawHeaders
}
