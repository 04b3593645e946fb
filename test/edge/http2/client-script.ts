import type { Exchange, Fields, Outcome, RequestReceiver } from '../../../src/edge/exchange/exchange.ts'
import type { RefusedRequest } from '../../../src/edge/exchange/refused-request.ts'
import type { Http2Error, Http2ErrorCode } from '../../../src/edge/http2/http2-error.ts'
import { type Http2Limits, SERVER_LIMITS } from '../../../src/edge/http2/limits.ts'
import { Http2ServerConnection } from '../../../src/edge/http2/server-connection.ts'
import { FrameTrace, PREFACE, settings, settingsAck } from './frames.ts'
import { MemorySocket } from './memory-socket.ts'
import { TestSweep, testDate, turn } from './test-sweep.ts'

/** A request as its handler sees it, with what came for it. */
export class Served implements RequestReceiver {
  readonly exchange: Exchange
  readonly events: string[] = []
  readonly pieces: Buffer[] = []
  outcome: Outcome | undefined
  #isTaking = true

  constructor(exchange: Exchange) {
    this.exchange = exchange
    exchange.receive(this)
  }

  onContent(piece: Buffer): boolean {
    this.pieces.push(piece)
    this.events.push(`content ${piece.length}`)
    return this.#isTaking
  }

  onContentEnd(trailers: Fields): void {
    this.events.push(['content-end', ...trailers].join(' '))
  }

  onDrain(): void {
    this.events.push('drain')
  }

  onEnd(outcome: Outcome): void {
    this.outcome = outcome
    this.events.push(`end ${outcome.result} ${outcome.status}`)
  }

  /** Says "enough" to all content from now on. */
  takeNothing(): void {
    this.#isTaking = false
  }

  /** Takes what comes again. */
  takeAgain(): void {
    this.#isTaking = true
    this.exchange.resume()
  }

  get content(): string {
    return Buffer.concat(this.pieces).toString('latin1')
  }
}

export type ClientScriptOptions = {
  readonly limits?: Partial<Http2Limits>
  readonly scheme?: 'http' | 'https'
  /** What happens to the socket before the connection gets it. */
  readonly prepare?: (socket: MemorySocket) => void
  /** Handles requests; they are left alone unless given. */
  readonly serve?: (served: Served) => void
}

/** A connection of ours as the server, and a client that writes it frame by frame. */
export class ClientScript {
  readonly socket = new MemorySocket()
  readonly sweep = new TestSweep()
  readonly trace = new FrameTrace()
  readonly served: Served[] = []
  readonly connection: Http2ServerConnection
  error: Http2Error | undefined
  /** The requests that nobody got to see. */
  readonly refused: RefusedRequest[] = []
  isClosed = false
  /** Why streams were reset. */
  readonly streamErrors: Http2ErrorCode[] = []

  constructor({ limits = {}, scheme = 'https', prepare = () => {}, serve = () => {} }: ClientScriptOptions = {}) {
    prepare(this.socket)
    this.connection = new Http2ServerConnection({
      socket: this.socket,
      client: {
        address: '192.0.2.1',
        port: 50_000,
        localAddress: '192.0.2.254',
        localPort: 443,
        certificateNames: undefined,
        usesFallback: false,
        tls: undefined,
      },
      scheme,
      sweep: this.sweep,
      date: testDate,
      limits: { ...SERVER_LIMITS, ...limits },
      onExchange: (exchange) => {
        const served = new Served(exchange)
        this.served.push(served)
        serve(served)
      },
      onRefusal: (request) => this.refused.push(request),
      onStreamError: ({ code }) => this.streamErrors.push(code),
      onClose: (error) => {
        this.isClosed = true
        this.error = error
      },
    })
  }

  /** Sends these and returns the frames that come in answer. */
  async send(...frames: Buffer[]): Promise<string[]> {
    for (const bytes of frames) this.socket.feed(bytes)
    return this.read()
  }

  async read(options?: { windows?: boolean }): Promise<string[]> {
    await turn()
    return this.trace.read(this.socket.takeWritten(), options)
  }

  async pass(ms: number): Promise<string[]> {
    this.sweep.pass(ms)
    return this.read()
  }
}

/** With preface and settings exchanged. */
export async function connectedClient(
  options: ClientScriptOptions = {},
  ...values: [id: number, value: number][]
): Promise<ClientScript> {
  const client = new ClientScript(options)
  await client.send(PREFACE, settings(...values), settingsAck)
  return client
}

/** Answers with a body of twelve octets. */
export function serveHello({ exchange }: Served): void {
  exchange.respond({ status: 200, fields: ['Content-Type', 'text/plain'] }, 12)
  exchange.write(Buffer.from('Hello World!'))
  exchange.end()
}
