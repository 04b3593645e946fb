import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { data, EH, ES, FrameTrace, headers, literals, PREFACE, settings, settingsAck } from '../http2/frames.ts'
import type { Scope } from './running-edge.ts'

/** What an origin does once a request's head has come on a stream. */
export type FrameScript = (socket: Socket, streamId: number) => void

/** The head of a response that has content. */
export const head = (streamId: number, ...fields: string[]): Buffer =>
  headers(streamId, literals(':status', '200', ...fields), EH)

/** An application of HTTP/2 in clear text that answers with whatever frames its target's script says; `/ok` is good. */
export class ScriptedHttp2Origin {
  readonly #scripts = new Map<string, FrameScript>()
  readonly #server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()

  async listen(t: Scope): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      for (const socket of this.#sockets) socket.destroy()
      this.#server.close()
    })
    this.on('/ok', (socket, id) => socket.write(Buffer.concat([head(id, 'content-length', '2'), data(id, 'ok', ES)])))
    return this
  }

  get address(): UpstreamAddress {
    return { scheme: 'h2c', host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  on(target: string, script: FrameScript): void {
    this.#scripts.set(target, script)
  }

  #serve(socket: Socket): void {
    const trace = new FrameTrace()
    let begin = Buffer.alloc(0)
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('end', () => socket.end())
    socket.write(Buffer.concat([settings(), settingsAck]))
    socket.on('data', (bytes: Buffer) => {
      const missing = PREFACE.length - begin.length
      begin = Buffer.concat([begin, bytes.subarray(0, missing)])
      for (const line of trace.read(bytes.subarray(missing))) this.#hear(socket, line)
    })
  }

  #hear(socket: Socket, line: string): void {
    const [, streamId, target] = /^HEADERS (\d+).* :path=(\S+)/.exec(line) ?? []
    if (target !== undefined) this.#scripts.get(target)?.(socket, Number(streamId))
  }
}
