import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { ClientFacts, Exchange, Fields, RequestHead, ResponseHead } from '../exchange.ts'
import { fieldValue } from '../fields.ts'
import { PendingExchange } from '../pending-exchange.ts'

/** Requests at a time on one connection, as in HAProxy; nginx allows 128. */
const MAX_CONCURRENT_STREAMS = 100
/** The decoded field section, counted as RFC 9113 §6.5.2 does. */
const MAX_HEADER_LIST_BYTES = 32 * 1024
/** A connection without a request. */
const IDLE_TIMEOUT_MS = 75_000

const SETTINGS = { maxConcurrentStreams: MAX_CONCURRENT_STREAMS, maxHeaderListSize: MAX_HEADER_LIST_BYTES }

/** Speaks HTTP/2 (RFC 9113) on TLS connections that are handed to it. */
export class Http2Server {
  readonly #onExchange: (exchange: Exchange) => void
  readonly #sessions = new Set<ServerHttp2Session>()

  constructor(onExchange: (exchange: Exchange) => void) {
    this.#onExchange = onExchange
  }

  /** Takes over a connection whose TLS handshake chose `h2`. */
  accept(socket: Socket, client: ClientFacts): void {
    const session = performServerHandshake(socket, { settings: SETTINGS })
    this.#sessions.add(session)
    session.once('close', () => this.#sessions.delete(session))
    session.on('error', () => session.destroy())
    session.setTimeout(IDLE_TIMEOUT_MS, () => session.close())
    session.on('stream', (stream: ServerHttp2Stream, _headers, _flags, fields) => this.#serve(stream, fields, client))
  }

  /** Sends GOAWAY; streams that are open are finished, then the connection closes (RFC 9113 §6.8). */
  drain(): void {
    for (const session of this.#sessions) session.close()
  }

  #serve(stream: ServerHttp2Stream, rawHeaders: readonly string[], client: ClientFacts): void {
    stream.on('error', () => stream.destroy())
    const head = requestHead(rawHeaders)
    if (head === undefined) stream.close(constants.NGHTTP2_PROTOCOL_ERROR)
    else this.#onExchange(new Http2Exchange(stream, head, client))
  }
}

class Http2Exchange extends PendingExchange {
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream, head: RequestHead, client: ClientFacts) {
    super(head, client, stream.endAfterHeaders ? undefined : stream)
    this.#stream = stream
    stream.once('close', () => this.ended(stream.rstCode === constants.NGHTTP2_NO_ERROR))
  }

  protected writeHead({ status, fields }: Required<ResponseHead>): Writable {
    this.#stream.respond(responseHeaders(status, fields))
    return this.#stream
  }

  protected abort(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  /** HTTP/2 has no Upgrade (RFC 9113 §8.6), so no request ever asks for it. */
  protected takeConnection(): Duplex {
    throw new TypeError('an HTTP/2 request cannot be upgraded')
  }
}

/** RFC 9113 §8.2.1: names are in lower case. */
function responseHeaders(status: number, fields: Fields): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null)
  headers[':status'] = String(status)
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase()
    const former = headers[name]
    const value = fields[at + 1]!
    if (former === undefined) headers[name] = value
    else headers[name] = Array.isArray(former) ? [...former, value] : [former, value]
  }
  return headers
}

/**
 * undefined for a CONNECT, which has no path (RFC 9113 §8.5) and is not served, and for a request whose Host field
 * contradicts its :authority (§8.3.1).
 */
function requestHead(rawHeaders: readonly string[]): RequestHead | undefined {
  const pseudo = new Map<string, string>()
  const fields: string[] = []
  const crumbs: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    const value = rawHeaders[at + 1]!
    if (name.startsWith(':')) pseudo.set(name, value)
    else if (name === 'cookie') crumbs.push(value)
    else fields.push(name, value)
  }
  // RFC 9113 §8.2.3: one Cookie field again for whoever does not speak HTTP/2.
  if (crumbs.length > 0) fields.push('cookie', crumbs.join('; '))
  const target = pseudo.get(':path')
  if (target === undefined) return undefined
  const host = fieldValue(fields, 'host')
  const authority = pseudo.get(':authority') ?? host ?? ''
  if (host !== undefined && host !== authority) return undefined
  return {
    method: pseudo.get(':method') ?? 'GET',
    scheme: 'https',
    authority,
    target,
    version: '2',
    fields,
    upgrade: undefined,
  }
}
