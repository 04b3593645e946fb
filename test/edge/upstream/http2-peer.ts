import { once } from 'node:events'
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { SiteSnapshot, UpstreamSnapshot } from '../../../src/edge/snapshot.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import { Peer, until } from '../http1/peer.ts'
import { ES, FrameTrace, headers, literals, PREFACE, settings, settingsAck } from '../http2/frames.ts'
import { serve, siteOf, upstreamOf } from '../serve.ts'

/** The upstream's end of a connection, which says and hears frames. */
export class Http2Peer {
  readonly socket: Socket
  readonly trace = new FrameTrace()
  /** What has come, in words, but for windows. */
  readonly lines: string[] = []
  #begin = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
  }

  say(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames))
  }

  /** Waits for a frame. */
  async hear(line: RegExp): Promise<string> {
    await until(() => this.lines.some((one) => line.test(one)))
    return this.lines.find((one) => line.test(one))!
  }

  async closed(): Promise<void> {
    await until(() => this.socket.destroyed || this.socket.readableEnded)
  }

  #read(bytes: Buffer): void {
    if (this.#begin.length === PREFACE.length) return void this.lines.push(...this.trace.read(bytes))
    const all = Buffer.concat([this.#begin, bytes])
    this.#begin = all.subarray(0, PREFACE.length)
    if (all.length > PREFACE.length) this.lines.push(...this.trace.read(all.subarray(PREFACE.length)))
  }
}

/** The head of a response; whole unless `flags` say otherwise. */
export const ok = (streamId: number, flags = 0x4 | ES): Buffer => headers(streamId, literals(':status', '200'), flags)

/** A proxy whose upstream speaks HTTP/2 as the test has it, frame by frame. The test has the clock, too. */
export async function behindHttp2(
  t: TestContext,
  { greeting = settings(), ...settled }: Partial<UpstreamSnapshot> & { greeting?: Buffer } = {},
  site: Partial<SiteSnapshot> = {},
) {
  let now = 0
  const sweep = new Sweep(() => now)
  const peers: Http2Peer[] = []
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket)
    const peer = new Http2Peer(socket)
    peers.push(peer)
    if (greeting.length > 0) peer.say(greeting, settingsAck)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy = await serve([siteOf(upstreamOf({ scheme: 'h2c', host: '127.0.0.1', port }, settled), site)], { sweep })
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await proxy.close()
  })
  const client = async (): Promise<Peer> => {
    const socket = connectSocket({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    sockets.push(socket)
    await once(socket, 'connect')
    return new Peer(socket)
  }
  const peer = async (index: number): Promise<Http2Peer> => {
    await until(() => peers.length > index)
    return peers[index]!
  }
  const pass = (ms: number): void => {
    now += ms
    sweep.run()
  }
  return { proxy, client, peer, peers, pass, port }
}
