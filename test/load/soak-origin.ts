import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import type { Scope } from './loaded.ts'

const PIECE = Buffer.alloc(16_384, 'soak ')

/** An application that comes and goes, and answers each request with the number that it bears. */
export class SoakOrigin {
  readonly #port: number
  #server: Server
  readonly #sockets = new Set<Socket>()
  #isThere = true

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  static async start(t: Scope): Promise<SoakOrigin> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const origin = new SoakOrigin(server, (server.address() as AddressInfo).port)
    origin.#serve()
    t.after(() => origin.#stop())
    return origin
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Breaks all connections, or goes away as a whole for a while. */
  async fail(awayMs: number): Promise<void> {
    if (!this.#isThere) return
    if (awayMs === 0) {
      for (const socket of this.#sockets) socket.resetAndDestroy()
      return
    }
    this.#isThere = false
    this.#stop()
    await new Promise((resolve) => setTimeout(resolve, awayMs))
    this.#server = createServer()
    this.#serve()
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#isThere = true
  }

  #stop(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #serve(): void {
    const webSockets = new WebSocketServer({ server: this.#server })
    webSockets.on('connection', (socket) => {
      socket.on('error', () => {})
      socket.on('message', (message) => socket.send(message))
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('request', answer)
  }
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://origin')
  response.on('error', () => {})
  response.setHeader('x-number', searchParams.get('n') ?? '')
  if (pathname === '/large') return sendLarge(request, response)
  if (pathname === '/hang') return
  let received = 0
  request.on('error', () => {})
  request.on('data', (piece: Buffer) => {
    received += piece.length
  })
  request.on('end', () => response.end(`${searchParams.get('n')} ${received}`))
}

function sendLarge(request: IncomingMessage, response: ServerResponse): void {
  let left = 200
  const send = (): void => {
    while (left > 0 && !response.destroyed) {
      left--
      if (!response.write(PIECE)) return
    }
    response.end()
  }
  request.resume()
  response.on('drain', send)
  send()
}

/** What `/large` has. */
export const LARGE_BYTES = 200 * PIECE.length
