import { createServer, type Server } from 'node:http'
import type { Socket } from 'node:net'

/** What an application does to its visitors. */
export type Mood = 'well' | 'dead' | 'hanging' | 'failing'

/** An application that changes its mood when it is told to, at the same port always. */
export class StormApp {
  readonly #port: number
  #server: Server | undefined
  readonly #sockets = new Set<Socket>()
  #mood: Mood = 'dead'
  /** By the path that was asked for. */
  readonly requests: Record<string, number> = {}

  constructor(port: number) {
    this.#port = port
  }

  get mood(): Mood {
    return this.#mood
  }

  async turn(mood: Mood): Promise<void> {
    this.#mood = mood
    if (mood === 'dead') this.#die()
    else if (this.#server === undefined) await this.#listen()
  }

  #die(): void {
    this.#server?.close()
    this.#server = undefined
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #listen(): Promise<void> {
    const server = createServer((request, response) => {
      const { url = '' } = request
      this.requests[url] = (this.requests[url] ?? 0) + 1
      if (this.#mood === 'hanging') return
      response.statusCode = this.#mood === 'failing' ? 500 : 200
      response.end('storm')
    })
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    })
    this.#server = server
    return new Promise((resolve) => server.listen(this.#port, '127.0.0.1', resolve))
  }
}
