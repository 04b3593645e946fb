import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { connect as connectTls, type SecureContext, TLSSocket } from 'node:tls'
import type { ClientFacts, Exchange, Fields, Outcome, RequestReceiver } from '../../../src/edge/exchange/exchange.ts'
import type { RefusedRequest } from '../../../src/edge/exchange/refused-request.ts'
import { HttpDate } from '../../../src/edge/http-date.ts'
import { SERVER_DEADLINES } from '../../../src/edge/http1/deadlines.ts'
import { Http1Server } from '../../../src/edge/http1/server.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import { Peer } from './peer.ts'

/** One request as the server's user sees it: the exchange, and a trace of its events. */
export class Seen implements RequestReceiver {
  readonly exchange: Exchange
  content = ''
  contentBytes = 0
  trailers: Fields | undefined
  drains = 0
  outcome: Outcome | undefined
  /** What `onContent` says. */
  takesMore = true

  constructor(exchange: Exchange) {
    this.exchange = exchange
    exchange.receive(this)
  }

  onContent(piece: Buffer): boolean {
    if (this.outcome !== undefined) throw new Error('content after the last event')
    this.contentBytes += piece.length
    if (piece.length < 10_000) this.content += piece.toString('latin1')
    return this.takesMore
  }

  onContentEnd(trailers: Fields): void {
    if (this.trailers !== undefined) throw new Error('the content ended twice')
    this.trailers = trailers
  }

  onDrain(): void {
    this.drains++
  }

  onEnd(outcome: Outcome): void {
    if (this.outcome !== undefined) throw new Error('two last events')
    this.outcome = outcome
  }

  /** Gives a whole response. */
  answer(text: string, status = 200): void {
    this.exchange.respond({ status, fields: [] }, text.length)
    if (text !== '') this.exchange.write(Buffer.from(text))
    this.exchange.end()
  }
}

export type ServedHttp1 = {
  readonly server: Http1Server
  readonly seen: Seen[]
  readonly refusals: string[]
  /** The requests that nobody got to see. */
  readonly refused: RefusedRequest[]
  /** Errors of the program; a test that expects none need not look, for they fail it. */
  readonly thrown: unknown[]
  /** Moves the time on, and has all deadlines looked at. */
  readonly pass: (ms: number) => void
  /** The server's end of the latest connection. */
  readonly socket: () => Socket
  readonly client: () => Promise<Peer>
  /** Waits for the request of this number, from 0. */
  readonly request: (index: number) => Promise<Seen>
}

export type ServedOptions = {
  readonly client?: Partial<ClientFacts>
  /** With this, TLS is spoken. */
  readonly secureContext?: SecureContext
  readonly isThrowExpected?: boolean
}

/** A server of HTTP/1.1 on loopback; `onRequest` answers, unless the test does. */
export async function served(
  t: TestContext,
  onRequest: (seen: Seen) => void = () => {},
  { client: facts = {}, secureContext, isThrowExpected = false }: ServedOptions = {},
): Promise<ServedHttp1> {
  let now = 0
  const sweep = new Sweep(() => now)
  const seen: Seen[] = []
  const refusals: string[] = []
  const refused: RefusedRequest[] = []
  const thrown: unknown[] = []
  let latest: Socket | undefined
  const server = new Http1Server({
    sweep,
    date: new HttpDate({ now: () => 0 }),
    deadlines: SERVER_DEADLINES,
    onExchange: (exchange) => {
      const one = new Seen(exchange)
      seen.push(one)
      onRequest(one)
    },
    onRefusal: ({ code }, _client, request) => {
      refusals.push(code)
      if (request !== undefined) refused.push(request)
    },
    onThrow: (error) => {
      thrown.push(error)
      if (!isThrowExpected) throw error
    },
  })
  const sockets = new Set<Socket>()
  const listener = createServer({ allowHalfOpen: secureContext === undefined, noDelay: true }, (raw) => {
    sockets.add(raw)
    const socket = secureContext === undefined ? raw : new TLSSocket(raw, { isServer: true, secureContext })
    latest = socket
    server.accept(socket, {
      address: '192.0.2.1',
      port: 50_000,
      localAddress: '192.0.2.254',
      localPort: 80,
      certificateNames: undefined,
      usesFallback: false,
      tls: undefined,
      ...facts,
    })
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return {
    server,
    seen,
    refusals,
    refused,
    thrown,
    pass: (ms) => {
      now += ms
      sweep.run()
    },
    socket: () => latest!,
    client: async () => {
      const options = { port, host: '127.0.0.1', allowHalfOpen: true, rejectUnauthorized: false }
      const socket = secureContext === undefined ? connect(options) : connectTls(options)
      sockets.add(socket)
      const before = latest
      await new Promise((resolve) => socket.once(secureContext === undefined ? 'connect' : 'secureConnect', resolve))
      while (latest === before) await new Promise((resolve) => setImmediate(resolve))
      return new Peer(socket)
    },
    request: async (index) => {
      while (seen.length <= index) await new Promise((resolve) => setImmediate(resolve))
      return seen[index]!
    },
  }
}
