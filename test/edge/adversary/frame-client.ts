import type { Socket } from 'node:net'
import { FrameTrace, PREFACE, settings, settingsAck } from '../http2/frames.ts'
import type { RunningEdge, Scope } from './running-edge.ts'

/** A client of HTTP/2 over TLS that writes frame by frame, and reads the answers as lines. */
export class FrameClient {
  readonly trace = new FrameTrace()
  readonly lines: string[] = []
  readonly #socket: Socket
  #isClosed = false
  #onChange: () => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      this.lines.push(...this.trace.read(bytes))
      this.#onChange()
    })
    const close = (): void => {
      this.#isClosed = true
      this.#onChange()
    }
    socket.on('end', close)
    socket.on('close', close)
  }

  say(...frames: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(frames))
  }

  /** Waits for a line that begins so, and gives it; that is then forgotten. */
  hear(beginning: string): Promise<string> {
    return this.hearAny([beginning])
  }

  /** The same, with several beginnings. */
  async hearAny(beginnings: readonly string[]): Promise<string> {
    for (;;) {
      const at = this.lines.findIndex((line) => beginnings.some((beginning) => line.startsWith(beginning)))
      if (at >= 0) return this.lines.splice(at, 1)[0]!
      if (this.#isClosed) throw new Error(`the connection closed before ${beginnings}: ${this.lines.join('; ')}`)
      await this.#change()
    }
  }

  /** Waits until the edge closes. */
  async closed(): Promise<void> {
    while (!this.#isClosed) await this.#change()
  }

  close(): void {
    this.#socket.destroy()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#onChange
      this.#onChange = () => {
        this.#onChange = () => {}
        before()
        resolve()
      }
    })
  }
}

/** With the settings exchanged; `values` are the client's. */
export async function connectFrames(
  t: Scope,
  edge: RunningEdge,
  ...values: [id: number, value: number][]
): Promise<FrameClient> {
  const socket = await edge.connect('https', 'h2')
  t.after(() => socket.destroy())
  const client = new FrameClient(socket)
  client.say(PREFACE, settings(...values), settingsAck)
  await client.hear('SETTINGS ACK')
  return client
}
