import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import {
  type ClientFacts,
  type Exchange,
  type Fields,
  NO_FIELDS,
  type RequestHead,
  type RequestReceiver,
  type ResponseHead,
  UNKNOWN_LENGTH,
} from '../exchange/exchange.ts'
import { fieldValue } from '../fields.ts'

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

class Http2Exchange implements Exchange {
  readonly request: RequestHead
  readonly client: ClientFacts
  readonly contentLength: number
  readonly expectsContinue: boolean
  readonly #stream: ServerHttp2Stream
  #status = 0
  #bytes = 0

  constructor(stream: ServerHttp2Stream, request: RequestHead, client: ClientFacts) {
    this.request = request
    this.client = client
    this.#stream = stream
    this.contentLength = stream.endAfterHeaders ? 0 : announcedLength(request.fields)
    this.expectsContinue = fieldValue(request.fields, 'expect') === '100-continue'
  }

  receive(receiver: RequestReceiver): void {
    const stream = this.#stream
    stream.on('data', (piece: Buffer) => {
      if (!receiver.onContent(piece)) stream.pause()
    })
    stream.once('end', () => receiver.onContentEnd(NO_FIELDS))
    stream.on('drain', () => receiver.onDrain())
    stream.once('close', () => {
      const result = stream.rstCode === constants.NGHTTP2_NO_ERROR ? 'complete' : 'aborted'
      receiver.onEnd({ result, status: this.#status, bytes: this.#bytes })
    })
  }

  resume(): void {
    this.#stream.resume()
  }

  inform({ status, fields }: ResponseHead): void {
    if (!this.#stream.closed && !this.#stream.headersSent)
      this.#stream.additionalHeaders(responseHeaders(status, fields))
  }

  respond({ status, fields }: ResponseHead, contentLength: number): void {
    if (this.#stream.closed || this.#stream.headersSent) return
    this.#status = status
    const headers = responseHeaders(status, fields)
    if (contentLength !== UNKNOWN_LENGTH && status !== 204) headers['content-length'] = String(contentLength)
    this.#stream.respond(headers)
  }

  write(piece: Buffer): boolean {
    if (!this.#stream.writable) return true
    this.#bytes += piece.length
    return this.#stream.write(piece)
  }

  /** Trailers are dropped: node:http2 asks for them at a time at which they are not known. */
  end(): void {
    this.#stream.end()
  }

  abort(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}

/** RFC 9113 §8.1.1: what is announced is what comes, for nghttp2 sees to it. */
function announcedLength(fields: Fields): number {
  const length = fieldValue(fields, 'content-length')
  return length === undefined ? UNKNOWN_LENGTH : Number(length)
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
  const hosts: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    const value = rawHeaders[at + 1]!
    if (name.startsWith(':')) pseudo.set(name, value)
    else if (name === 'cookie') crumbs.push(value)
    else if (name === 'host') hosts.push(value)
    else fields.push(name, value)
  }
  // RFC 9113 §8.2.3: one Cookie field again for whoever does not speak HTTP/2.
  if (crumbs.length > 0) fields.push('cookie', crumbs.join('; '))
  const target = pseudo.get(':path')
  if (target === undefined) return undefined
  const authority = pseudo.get(':authority') ?? hosts[0] ?? ''
  if (hosts.some((host) => host !== authority)) return undefined
  const method = pseudo.get(':method') ?? 'GET'
  return { method, scheme: 'https', authority, target, version: '2', fields, upgrade: undefined }
}
