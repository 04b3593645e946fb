import type { Socket } from 'node:net'
import type { ClientFacts, Exchange } from '../exchange/exchange.ts'
import type { RefusedRequest } from '../exchange/refused-request.ts'
import type { HttpDate } from '../http-date.ts'
import type { Sweeping } from '../sweep.ts'
import type { Http2Error } from './http2-error.ts'
import type { Http2Limits } from './limits.ts'
import { Http2ServerConnection } from './server-connection.ts'

export type Http2ServerOptions = {
  readonly limits?: Http2Limits
  readonly sweep: Sweeping
  readonly date: HttpDate
  readonly onExchange: (exchange: Exchange) => void
  /** A request was answered, or reset, without a call of `onExchange`. */
  readonly onRefusal: (request: RefusedRequest, client: ClientFacts) => void
  /** Told why a stream or a connection ended that broke a rule of RFC 9113, or was given up. */
  readonly onError: (error: Http2Error, client: ClientFacts) => void
}

/** Speaks HTTP/2 (RFC 9113) on TLS connections that are handed to it. */
export class Http2Server {
  readonly #options: Http2ServerOptions
  readonly #connections = new Set<Http2ServerConnection>()
  #isDraining = false

  constructor(options: Http2ServerOptions) {
    this.#options = options
  }

  /** Takes over a connection whose TLS handshake chose `h2`. */
  accept(socket: Socket, client: ClientFacts): void {
    const { sweep, date, limits, onExchange, onRefusal, onError } = this.#options
    const connection = new Http2ServerConnection({
      socket,
      client,
      scheme: 'https',
      sweep,
      date,
      ...(limits !== undefined && { limits }),
      onExchange,
      onRefusal: (request) => onRefusal(request, client),
      onStreamError: (error) => onError(error, client),
      onClose: (error) => {
        this.#connections.delete(connection)
        if (error !== undefined) onError(error, client)
      },
    })
    this.#connections.add(connection)
    if (this.#isDraining) connection.drain()
  }

  /** Lets the streams that are open end, then closes (RFC 9113 §6.8). */
  drain(): void {
    this.#isDraining = true
    for (const connection of this.#connections) connection.drain()
  }
}
