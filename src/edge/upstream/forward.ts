import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import { respondWithError } from '../error-page.ts'
import type { Exchange } from '../exchange.ts'
import { endToEndFields } from '../fields.ts'
import type { Origin } from '../forwarding.ts'
import type { UpstreamAddress } from '../snapshot.ts'
import { formatUpstream, type UpstreamConnections } from './connections.ts'
import { requestFields } from './request-fields.ts'
import { timeoutError, type UpstreamError, upstreamError } from './upstream-error.ts'

/** To establish a connection; nginx waits 60 s, Caddy 3 s. */
const CONNECT_TIMEOUT_MS = 5_000
/** From the request to the first byte of the response, as in nginx. */
const FIRST_BYTE_TIMEOUT_MS = 60_000
/** Between two pieces of a response: long enough for event streams that send a comment every minute or so. */
const IDLE_TIMEOUT_MS = 5 * 60_000
/** A pooled connection may have died unnoticed; the next one as well. */
const MAX_RETRIES = 2

/** RFC 9110 §9.2.2: may be sent again without harm. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

export type ForwardOptions = {
  readonly origin: Origin
  readonly connections: UpstreamConnections
  /** Told when the upstream gave no usable response; the client has its answer already. */
  readonly onFailure: (error: UpstreamError) => void
}

/**
 * Sends the request to the upstream and its response to the client, both ways as streams. A client that goes away ends the
 * upstream's request at once; an upstream that fails before its response is a 502 or 504, and after it a response that
 * breaks off.
 */
export function forward(
  exchange: Exchange,
  upstream: UpstreamAddress,
  { origin, connections, onFailure }: ForwardOptions,
): void {
  const name = formatUpstream(upstream)
  const { method, target } = exchange.request
  const head = { method, path: target, headers: requestFields(exchange, origin) }
  let current: ClientRequest | undefined
  let isEnded = false
  let isAnswered = false

  exchange.onEnd((outcome) => {
    isEnded = true
    if (outcome.result === 'aborted' || current?.writableFinished === false) current?.destroy()
  })

  const fail = (cause: unknown): void => {
    if (isEnded) return
    const error = upstreamError(name, cause)
    onFailure(error)
    if (!isAnswered) respondWithError(exchange, error.status)
  }

  const send = (retriesLeft: number): void => {
    const request = beginRequest(connections, upstream, head, fail)
    if (request === undefined) return
    current = request
    watchTime(request, name)
    request.once('response', (response) => {
      isAnswered = true
      request.setTimeout(IDLE_TIMEOUT_MS)
      response.once('error', fail)
      relay(exchange, response)
    })
    request.once('upgrade', (response, socket, head) => {
      isAnswered = true
      tunnel(exchange, response, socket, head)
    })
    request.once('error', (cause) => {
      // A pooled connection that the upstream had closed: nothing was answered, so it is safe to ask again.
      const isStale = request.reusedSocket && !isAnswered && !isEnded
      if (isStale && exchange.body === undefined && IDEMPOTENT.has(method) && retriesLeft > 0) send(retriesLeft - 1)
      else if (!isAnswered) fail(cause)
    })
    if (exchange.body === undefined) request.end()
    else exchange.body.pipe(request)
  }
  send(MAX_RETRIES)
}

function beginRequest(
  connections: UpstreamConnections,
  upstream: UpstreamAddress,
  head: Pick<RequestOptions, 'method' | 'path' | 'headers'>,
  fail: (cause: unknown) => void,
): ClientRequest | undefined {
  try {
    return connections.request(upstream, head)
  } catch (cause) {
    fail(cause)
    return undefined
  }
}

function watchTime(request: ClientRequest, name: string): void {
  request.setTimeout(FIRST_BYTE_TIMEOUT_MS, () => request.destroy(timeoutError(name, 'it sent nothing for too long')))
  request.once('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(
      () => request.destroy(timeoutError(name, `no connection within ${CONNECT_TIMEOUT_MS / 1000} s`)),
      CONNECT_TIMEOUT_MS,
    )
    socket.once('connect', () => clearTimeout(timer))
    socket.once('close', () => clearTimeout(timer))
  })
}

function relay(exchange: Exchange, response: IncomingMessage): void {
  const { statusCode = 502, statusMessage = '', rawHeaders } = response
  exchange.respond({ status: statusCode, reason: statusMessage, fields: endToEndFields(rawHeaders) }, response)
}

/** RFC 9110 §7.8: after 101 the connection carries another protocol, of which we know only bytes. */
function tunnel(exchange: Exchange, response: IncomingMessage, upstream: Duplex, head: Buffer): void {
  if (exchange.request.upgrade === undefined) {
    upstream.destroy()
    return respondWithError(exchange, 502)
  }
  const protocol = response.headers.upgrade ?? exchange.request.upgrade
  const fields = [...endToEndFields(response.rawHeaders), 'Connection', 'Upgrade', 'Upgrade', protocol]
  const client = exchange.switchProtocols({ status: 101, reason: 'Switching Protocols', fields })
  if (head.length > 0) upstream.unshift(head)
  connect(client, upstream)
  connect(upstream, client)
}

/** As in nginx, the end of either direction ends the tunnel, once what was still to be said has been said. */
function connect(from: Duplex, to: Duplex): void {
  from.on('error', () => to.destroy())
  from.once('close', () => to.end(() => to.destroy()))
  from.once('end', () => from.end(() => from.destroy()))
  from.pipe(to)
}
