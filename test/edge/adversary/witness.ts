import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import type { Scope } from './running-edge.ts'

/** A request as an independent parser saw it come from the edge, whole. */
export type Testimony = {
  readonly method: string
  readonly target: string
  readonly fields: readonly string[]
  readonly content: string
  readonly trailers: readonly string[]
}

/** An application that tells what it was asked, and nothing else: node:http, whose parser is llhttp, and strict. */
export class Witness {
  readonly #server: Server
  readonly seen: Testimony[] = []
  /** Requests of which at least the head came. */
  begun = 0

  constructor() {
    const options = { insecureHTTPParser: false, requireHostHeader: true, maxHeaderSize: 128 * 1024 }
    this.#server = createServer(options, (request, response) => {
      void this.#watch(request).then(
        () => response.end('witnessed'),
        () => response.destroy(),
      )
    })
    this.#server.maxHeadersCount = 0
    this.#server.on('checkContinue', (request, response) => {
      if (request.url?.startsWith('/refuse')) {
        this.begun++
        response.writeHead(403).end('refused')
        return
      }
      response.writeContinue()
      this.#server.emit('request', request, response)
    })
    // What HTTP/1.0 expects is nothing (RFC 9110 §10.1.1).
    this.#server.on('checkExpectation', (request, response) => this.#server.emit('request', request, response))
    this.#server.on('clientError', (_error, socket) => socket.destroy())
  }

  get address(): UpstreamAddress {
    return { scheme: 'http', host: '127.0.0.1', port: (this.#server.address() as AddressInfo).port }
  }

  async listen(t: Scope): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      this.#server.closeAllConnections()
      this.#server.close()
    })
    return this
  }

  /** What was seen since the last time. */
  testimony(): Testimony[] {
    return this.seen.splice(0)
  }

  async #watch(request: IncomingMessage): Promise<void> {
    this.begun++
    request.setEncoding('latin1')
    let content = ''
    for await (const piece of request) content += piece
    const { method = '', url: target = '', rawTrailers: trailers } = request
    const fields = withoutRequestId(request.rawHeaders)
    this.seen.push({ method, target, fields, content, trailers })
  }
}

/** Each request has another; what it is made of has tests of its own. */
function withoutRequestId(fields: readonly string[]): string[] {
  return fields.filter((_, at) => fields[at - (at % 2)] !== 'X-Request-Id')
}
