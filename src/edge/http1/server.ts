import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex, Writable } from 'node:stream'
import type { ClientFacts, Exchange, Fields, RequestHead, ResponseHead } from '../exchange.ts'
import { fieldValue } from '../fields.ts'
import { PendingExchange } from '../pending-exchange.ts'

/** Request line and fields. HAProxy allows 16 KiB in all, nginx four lines of 8 KiB. */
const MAX_HEAD_BYTES = 32 * 1024
/** From the first byte of a request to the end of its fields; nginx waits 60 s. */
const HEADER_TIMEOUT_MS = 10_000
/** A connection without a request, as in nginx. */
const IDLE_TIMEOUT_MS = 75_000

/** Speaks HTTP/1.1 (RFC 9112) on connections that are handed to it, with or without TLS on them. */
export class Http1Server {
  readonly #server: Server
  readonly #onExchange: (exchange: Exchange) => void
  readonly #clients = new WeakMap<Socket, ClientFacts>()
  readonly #responses = new Set<ServerResponse>()
  #isDraining = false

  constructor(onExchange: (exchange: Exchange) => void) {
    this.#onExchange = onExchange
    this.#server = createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: HEADER_TIMEOUT_MS,
      // An upload may take as long as it makes progress.
      requestTimeout: 0,
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      connectionsCheckingInterval: 1000,
      noDelay: true,
      shouldUpgradeCallback: (request: IncomingMessage) => upgradeOf(request) !== undefined,
    })
    this.#server.on('request', (request, response) => this.#serve(request, response))
    this.#server.on('upgrade', (request, _socket: Duplex, head: Buffer) => this.#serveUpgrade(request, head))
    this.#server.on('connect', (_request, socket: Duplex) => {
      socket.on('error', () => socket.destroy())
      socket.end('HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    })
    // The server never listens itself, and node:http starts to enforce its timeouts only on this event.
    this.#server.emit('listening')
  }

  /** Takes over a connection. */
  accept(socket: Socket, client: ClientFacts): void {
    this.#clients.set(socket, client)
    this.#server.emit('connection', socket)
  }

  /** Closes idle connections, and the others after the response they are at. */
  drain(): void {
    this.#isDraining = true
    for (const response of this.#responses) response.shouldKeepAlive = false
    this.#server.close()
    this.#server.closeIdleConnections()
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.#responses.add(response)
    response.once('close', () => {
      this.#responses.delete(response)
      if (this.#isDraining) this.#server.closeIdleConnections()
    })
    const client = this.#clients.get(request.socket)!
    this.#onExchange(new Http1Exchange(request, response, requestHead(request, client, undefined), client))
  }

  /** node:http leaves an upgrade without a ServerResponse: it may turn into an ordinary answer, so it gets one. */
  #serveUpgrade(request: IncomingMessage, alreadyRead: Buffer): void {
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(request.socket)
    response.once('finish', () => request.socket.end())
    request.socket.on('error', () => request.socket.destroy())
    const client = this.#clients.get(request.socket)!
    const head = requestHead(request, client, upgradeOf(request))
    this.#onExchange(new Http1Exchange(request, response, head, client, alreadyRead))
  }
}

class Http1Exchange extends PendingExchange {
  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #alreadyRead: Buffer | undefined

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    head: RequestHead,
    client: ClientFacts,
    alreadyRead?: Buffer,
  ) {
    super(head, client, hasBody(request) ? request : undefined)
    this.#response = response
    this.#socket = request.socket
    this.#alreadyRead = alreadyRead
    request.on('error', () => response.destroy())
    response.on('error', () => response.destroy())
    response.once('close', () => this.ended(response.writableFinished))
  }

  protected writeHead({ status, reason, fields }: Required<ResponseHead>): Writable {
    // Date is the upstream's to set; RFC 9110 §6.6.1 has us add one only where there is none.
    this.#response.sendDate = fieldValue(fields, 'date') === undefined
    if (reason === '') this.#response.writeHead(status, fields as string[])
    else this.#response.writeHead(status, reason, fields as string[])
    return this.#response
  }

  /** Without the last chunk, or short of its Content-Length (RFC 9112 §8). */
  protected abort(): void {
    this.#response.destroy()
  }

  protected takeConnection({ status, reason, fields }: ResponseHead): Duplex {
    const socket = this.#socket
    this.#response.detachSocket(socket)
    socket.once('close', () => this.ended(true))
    socket.write(`HTTP/1.1 ${status} ${reason ?? ''}\r\n${formatFields(fields)}\r\n`, 'latin1')
    if (this.#alreadyRead !== undefined && this.#alreadyRead.length > 0) socket.unshift(this.#alreadyRead)
    return socket
  }
}

function formatFields(fields: Fields): string {
  let lines = ''
  for (let at = 0; at < fields.length; at += 2) lines += `${fields[at]}: ${fields[at + 1]}\r\n`
  return lines
}

/** RFC 9112 §6.3: a request has a body if it says how long it is, or that it is chunked. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * What the client asks to upgrade to. `h2c` is not passed on, since what follows it would bypass every rule here; an upgrade
 * with a body, or of HTTP/1.0, is none (RFC 9110 §7.8).
 */
function upgradeOf(request: IncomingMessage): string | undefined {
  const { upgrade, connection } = request.headers
  if (upgrade === undefined || request.httpVersion !== '1.1' || hasBody(request)) return undefined
  const isNominated = connection?.split(',').some((option) => option.trim().toLowerCase() === 'upgrade')
  return isNominated && upgrade.toLowerCase() !== 'h2c' ? upgrade : undefined
}

function requestHead(request: IncomingMessage, client: ClientFacts, upgrade: string | undefined): RequestHead {
  const url = request.url ?? '/'
  // RFC 9112 §3.2.2: the authority of an absolute-form target takes the place of Host.
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  const target = absolute === null ? url : absolute[2]!
  return {
    method: request.method ?? 'GET',
    scheme: client.certificateNames === undefined ? 'http' : 'https',
    authority: absolute?.[1] ?? request.headers.host ?? '',
    target: absolute === null || target.startsWith('/') ? target : `/${target}`,
    version: request.httpVersion === '1.0' ? '1.0' : '1.1',
    fields: request.rawHeaders,
    upgrade,
  }
}
