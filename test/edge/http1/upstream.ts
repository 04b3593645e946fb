import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type {
  ExchangeFailure,
  Fields,
  ResponseHead,
  ResponseReceiver,
  UpstreamRequest,
} from '../../../src/edge/exchange/exchange.ts'
import { UPSTREAM_DEADLINES } from '../../../src/edge/http1/deadlines.ts'
import { RESPONSE_LIMITS } from '../../../src/edge/http1/limits.ts'
import { UpstreamConnection } from '../../../src/edge/http1/upstream-connection.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import { Peer, until } from './peer.ts'

/** One response as whoever asked for it sees it. */
export class Heard implements ResponseReceiver {
  readonly informed: ResponseHead[] = []
  head: ResponseHead | undefined
  contentLength: number | undefined
  content = ''
  contentBytes = 0
  readonly pieces: Buffer[] = []
  trailers: Fields | undefined
  failure: ExchangeFailure | undefined
  drains = 0
  /** What `onContent` says. */
  takesMore = true

  onInform(head: ResponseHead): void {
    this.informed.push(head)
  }

  onResponse(head: ResponseHead, contentLength: number): void {
    this.#live()
    if (this.head !== undefined) throw new Error('two responses')
    this.head = head
    this.contentLength = contentLength
  }

  onContent(piece: Buffer): boolean {
    this.#live()
    this.contentBytes += piece.length
    this.pieces.push(piece)
    return this.takesMore
  }

  onContentEnd(trailers: Fields): void {
    this.#live()
    this.content = Buffer.concat(this.pieces).toString('latin1')
    this.trailers = trailers
  }

  onDrain(): void {
    this.drains++
  }

  onFailure(failure: ExchangeFailure): void {
    this.#live()
    this.failure = failure
  }

  get isOver(): boolean {
    return this.trailers !== undefined || this.failure !== undefined
  }

  /** Waits for the last event, and gives the code of the failure, if it is one. */
  async over(): Promise<string | undefined> {
    await until(() => this.isOver)
    return this.failure?.code
  }

  #live(): void {
    if (this.isOver) throw new Error('an event after the last')
  }
}

export type ConnectedUpstream = {
  readonly connection: UpstreamConnection
  /** The upstream's end. */
  readonly peer: Peer
  /** What the connection told its owner. */
  readonly events: string[]
  readonly pass: (ms: number) => void
  readonly ask: (request?: Partial<UpstreamRequest>) => {
    heard: Heard
    exchange: ReturnType<UpstreamConnection['send']>
  }
  /** Waits until the connection is closed. */
  readonly closed: () => Promise<void>
}

/** A connection to an upstream that the test plays. */
export async function connected(t: TestContext, onThrow = rethrow): Promise<ConnectedUpstream> {
  let now = 0
  const sweep = new Sweep(() => now)
  const events: string[] = []
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const connection = new UpstreamConnection({
    sweep,
    limits: RESPONSE_LIMITS,
    deadlines: UPSTREAM_DEADLINES,
    connect: (onread) => connect({ port, host: '127.0.0.1', onread, noDelay: true, allowHalfOpen: true }),
    onReady: () => events.push('ready'),
    onFree: () => events.push('free'),
    onClosed: () => events.push('closed'),
    onThrow,
  })
  t.after(() => {
    connection.drop()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await until(() => connection.isFree && sockets.length > 0)
  return {
    connection,
    peer: new Peer(sockets[0]!),
    events,
    pass: (ms) => {
      now += ms
      sweep.run()
    },
    ask: (request = {}) => {
      const heard = new Heard()
      const exchange = connection.send(requestOf(request), heard)
      return { heard, exchange }
    },
    closed: () => until(() => events.includes('closed')),
  }
}

function rethrow(error: unknown): void {
  throw error
}

function requestOf(overrides: Partial<UpstreamRequest>): UpstreamRequest {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'a.test',
    target: '/',
    fields: [],
    contentLength: 0,
    upgrade: undefined,
    takesTrailers: false,
    ...overrides,
  }
}
