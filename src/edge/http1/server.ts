import type { Socket } from 'node:net'
import type { ClientFacts, Exchange } from '../exchange/exchange.ts'
import type { RefusedRequest } from '../exchange/refused-request.ts'
import type { HttpDate } from '../http-date.ts'
import type { Sweep } from '../sweep.ts'
import { SERVER_DEADLINES, type ServerDeadlines } from './deadlines.ts'
import { type MessageLimits, REQUEST_LIMITS } from './limits.ts'
import type { Refusal } from './refusal.ts'
import { type DrainOptions, ServerConnection, type ServerConnectionOptions } from './server-connection.ts'

export type Http1ServerOptions = {
  readonly sweep: Sweep
  readonly date: HttpDate
  /** Called for each request. Must call `receive` on it before it returns. */
  readonly onExchange: (exchange: Exchange) => void
  /** A request broke a rule, and was answered accordingly. It is given where `onExchange` was not called for it. */
  readonly onRefusal: (refusal: Refusal, client: ClientFacts, request: RefusedRequest | undefined) => void
  /** An error of the program while a request was served. Its connection is closed, and the others go on. */
  readonly onThrow: (error: unknown, client: ClientFacts) => void
  readonly maxRequests?: number
  readonly limits?: MessageLimits
  readonly deadlines?: ServerDeadlines
}

/** nginx allows 1000. */
const MAX_REQUESTS = 10_000

/** Speaks HTTP/1.1 (RFC 9112) on connections that are handed to it, with or without TLS on them. */
export class Http1Server {
  readonly #connections = new Set<ServerConnection>()
  readonly #options: ServerConnectionOptions
  #draining: DrainOptions | undefined

  constructor(options: Http1ServerOptions) {
    this.#options = {
      maxRequests: MAX_REQUESTS,
      limits: REQUEST_LIMITS,
      deadlines: SERVER_DEADLINES,
      ...options,
      onClose: (connection) => this.#connections.delete(connection),
    }
  }

  /** Takes over a connection of which nothing has been read. */
  accept(socket: Socket, client: ClientFacts): void {
    const connection = new ServerConnection(socket, client, this.#options)
    this.#connections.add(connection)
    if (this.#draining !== undefined) connection.drain(this.#draining)
  }

  /** Closes connections after the response they are at, and idle ones at once or, if they are spared, soon. */
  drain(options: DrainOptions = { sparesIdle: false }): void {
    this.#draining = options
    for (const connection of this.#connections) connection.drain(options)
  }
}
