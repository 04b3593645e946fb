import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import type { Scope } from './running-edge.ts'

/** What an origin does once a request's head has come. */
export type Script = (socket: Socket, head: string) => void

/** An application that answers each request with whatever bytes its target's script says; `/ok` is a good answer. */
export class ScriptedOrigin {
  readonly #scripts = new Map<string, Script>()
  readonly #server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()
  /** The connections that are open. */
  readonly open: ReadonlySet<Socket> = this.#sockets
  /** The request lines that came, in order. */
  readonly asked: string[] = []

  async listen(t: Scope): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      for (const socket of this.#sockets) socket.destroy()
      this.#server.close()
    })
    this.on('/ok', (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    return this
  }

  get address(): UpstreamAddress {
    return { scheme: 'http', host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  on(target: string, script: Script): void {
    this.#scripts.set(target, script)
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    let received = ''
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('end', () => socket.end())
    socket.on('data', (text: string) => {
      received += text
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      const head = received.slice(0, end + 4)
      received = ''
      this.asked.push(head.slice(0, head.indexOf('\r\n')))
      this.#scripts.get(head.split(' ')[1]!)?.(socket, head)
    })
  }
}
