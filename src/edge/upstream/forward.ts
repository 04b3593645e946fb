import type { Endpoints } from '../endpoints.ts'
import { errorAnswer } from '../error-page.ts'
import { respondWith } from '../exchange/answer.ts'
import {
  type Exchange,
  type ExchangeFailure,
  type Fields,
  NO_FIELDS,
  type Outcome,
  type RequestReceiver,
  type ResponseHead,
  type ResponseReceiver,
  UNKNOWN_LENGTH,
  type UpstreamExchange,
  type UpstreamRequest,
} from '../exchange/exchange.ts'
import type { HttpDate } from '../http-date.ts'
import type { UpstreamSnapshot } from '../snapshot.ts'
import type { UpstreamConnections } from './connections.ts'
import type { Borrower, Lease, UpstreamLine, UpstreamPool } from './pool.ts'
import { requestFields, type Told } from './request-fields.ts'
import { chosenProtocol, isDated, responseFields } from './response-fields.ts'
import { SentContent } from './sent-content.ts'
import { failureError, type UpstreamError, unreachableError, wasCutOff } from './upstream-error.ts'
import { viaValue } from './via.ts'
import { handshakeOf, isAccepted, oneProtocol, setKey, type WebSocketHandshake } from './websocket.ts'

export type ForwardOptions = {
  readonly told: Told
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  readonly randomBytes: (size: number) => Buffer
  /** Told when the upstream gave no usable response; the client has its answer already. */
  readonly onFailure: (error: UpstreamError) => void
  /** Told once, at the end of the exchange. */
  readonly onEnd: (outcome: Outcome) => void
}

/** RFC 9110 §9.2.2: may be sent again without harm. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/**
 * Sends the request to the upstream and its response to the client, both ways piece by piece. A client that goes away ends
 * the upstream's request at once; an upstream that fails before its response is a 502 or 504, and after it a response that
 * breaks off.
 */
export function forward(exchange: Exchange, upstream: UpstreamSnapshot, options: ForwardOptions): void {
  const forwarding = new Forwarding(exchange, upstream, options)
  exchange.receive(forwarding)
  forwarding.send(false)
}

/** A connection may turn out to be dead, and the next to be going away. Whoever fails more often is not there. */
const MAX_SENDINGS = 3

/** A request on its way. It is sent once more where a connection turns out to be dead, or the upstream did not look at it. */
class Forwarding implements RequestReceiver, Borrower {
  readonly #exchange: Exchange
  readonly #upstream: UpstreamSnapshot
  readonly #options: ForwardOptions
  readonly #pool: UpstreamPool
  #lease: Lease | undefined
  #upstreamExchange: UpstreamExchange | undefined
  /** Content that came before there was a connection, and whether that was all of it. */
  #held: Buffer[] = []
  #isContentWhole = false
  #trailers: Fields = NO_FIELDS
  readonly #sentContent = new SentContent()
  #sendings = 0
  /** Nothing more comes of the upstream. */
  #isOver = false

  constructor(exchange: Exchange, upstream: UpstreamSnapshot, options: ForwardOptions) {
    this.#exchange = exchange
    this.#upstream = upstream
    this.#options = options
    this.#pool = options.connections.to(upstream)
  }

  send(mustBeFresh: boolean): void {
    this.#upstreamExchange = undefined
    this.#sendings++
    this.#lease = this.#pool.lease(this, mustBeFresh)
  }

  // What the pool asks and tells.

  get client(): Endpoints {
    const { address, port, localAddress, localPort } = this.#exchange.client
    const { clientAddress } = this.#options.told.origin
    // The port that a proxy's client has there is not known.
    const clientPort = clientAddress === address ? port : undefined
    return { clientAddress, clientPort, localAddress, localPort }
  }

  onConnection(line: UpstreamLine): void {
    const { request } = this.#exchange
    const handshake = handshakeOf(request, line.httpVersion, this.#options.randomBytes)
    this.#lease = undefined
    // Who speaks HTTP/1.1 cannot say that it did not look at a request.
    if (line.httpVersion === '1.1') this.#sentContent.forget()
    this.#upstreamExchange = line.send(
      this.#requestFor(line, handshake),
      new Relay(this, this.#exchange, this.#options, line, handshake),
    )
    if (this.#held.length > 0) this.#sendHeld(this.#upstreamExchange)
    if (this.#isContentWhole) this.#upstreamExchange.end(this.#trailers)
  }

  #requestFor({ httpVersion }: UpstreamLine, handshake: WebSocketHandshake | undefined): UpstreamRequest {
    const { request, contentLength } = this.#exchange
    const { method, scheme, authority, target, upgrade } = request
    const fields = requestFields(request, this.#options.told)
    const plain = { method, scheme, authority, target, fields, contentLength, upgrade }
    if (upgrade === undefined) return plain
    if (httpVersion === '2') return { ...plain, upgrade: oneProtocol(upgrade) }
    if (handshake?.towards === 'upstream') setKey(fields, handshake.key)
    // What a client of HTTP/2 sends as content is the other protocol's, which begins after the response.
    return request.version === '2' ? { ...plain, contentLength: 0 } : plain
  }

  onUnreachable(cause: unknown): void {
    this.#lease = undefined
    if (this.#isOver) return
    // Nothing was sent: whatever its method, it may do no harm. Who refuses would do so again, and who is slow stays so.
    if (wasCutOff(cause) && this.#sendings === 1) return this.send(true)
    this.#fail(unreachableError(this.#upstream, cause), false)
  }

  #sendHeld(upstream: UpstreamExchange): void {
    let takesMore = true
    for (const piece of this.#held) {
      this.#sentContent.add(piece)
      takesMore = upstream.write(piece)
    }
    this.#held = []
    if (takesMore) this.#exchange.resume()
  }

  // What the client does.

  onContent(piece: Buffer): boolean {
    if (this.#isOver) return true
    if (this.#upstreamExchange === undefined) {
      this.#held.push(piece)
      return false
    }
    this.#sentContent.add(piece)
    return this.#upstreamExchange.write(piece)
  }

  onContentEnd(trailers: Fields): void {
    this.#isContentWhole = true
    this.#trailers = trailers
    this.#upstreamExchange?.end(trailers)
  }

  onDrain(): void {
    this.#upstreamExchange?.resume()
  }

  onEnd(outcome: Outcome): void {
    this.#isOver = true
    this.#held = []
    this.#lease?.cancel()
    this.#upstreamExchange?.abort()
    this.#options.onEnd(outcome)
  }

  // What the upstream does; called by the relay of the one attempt that counts.

  takesContent(): void {
    this.#exchange.resume()
  }

  responded(): void {
    this.#pool.hasAnswered = true
    this.#sentContent.forget()
  }

  /** `isStale`: the connection had been used before, and closed without a byte of an answer. */
  failed(failure: ExchangeFailure, hasResponded: boolean, isStale: boolean): void {
    if (this.#isOver) return
    const isSafe = failure.isUnprocessed
      ? this.#sentContent.isWhole
      : isStale && this.#sentContent.isNone && IDEMPOTENT.has(this.#exchange.request.method)
    if (isSafe && !hasResponded && this.#sendings < MAX_SENDINGS) {
      this.#held.unshift(...this.#sentContent.take())
      return this.send(true)
    }
    this.#fail(failureError(this.#upstream, failure, this.#pool.hasAnswered), hasResponded)
  }

  #fail(error: UpstreamError, hasResponded: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#held = []
    this.#upstreamExchange?.abort()
    this.#options.onFailure(error)
    if (hasResponded) return this.#exchange.abort()
    respondWith(this.#exchange, errorAnswer(error.status, this.#options.date.now(), this.#options.told.requestId))
    this.#exchange.resume()
  }
}

const NOT_OFFERED: ExchangeFailure = {
  code: 'response-malformed',
  message: 'it switched to a protocol that nobody had offered',
  isUnprocessed: false,
}

const NOT_ACCEPTED: ExchangeFailure = {
  code: 'response-malformed',
  message: 'it answered to a WebSocket with another key than was asked for',
  isUnprocessed: false,
}

/** Hands one attempt's response to the client. */
class Relay implements ResponseReceiver {
  readonly #forwarding: Forwarding
  readonly #exchange: Exchange
  readonly #options: ForwardOptions
  readonly #httpVersion: UpstreamLine['httpVersion']
  readonly #handshake: WebSocketHandshake | undefined
  readonly #isReused: boolean
  #hasResponded = false

  constructor(
    forwarding: Forwarding,
    exchange: Exchange,
    options: ForwardOptions,
    line: UpstreamLine,
    handshake: WebSocketHandshake | undefined,
  ) {
    this.#forwarding = forwarding
    this.#exchange = exchange
    this.#options = options
    this.#httpVersion = line.httpVersion
    this.#handshake = handshake
    this.#isReused = line.isUsed
  }

  onInform({ status, reason, fields }: ResponseHead): void {
    this.#exchange.inform({ status, reason, fields: responseFields(fields) })
  }

  onResponse(head: ResponseHead, contentLength: number): void {
    if (head.status === 101) return this.#switchProtocols(head)
    this.#hasResponded = true
    this.#forwarding.responded()
    const { status, reason } = head
    const fields = responseFields(head.fields)
    if (!isDated(fields)) fields.push('Date', this.#options.date.now())
    if (this.#options.told.via) fields.push('Via', viaValue(this.#httpVersion))
    this.#exchange.respond({ status, reason, fields }, contentLength)
  }

  onContent(piece: Buffer): boolean {
    return this.#exchange.write(piece)
  }

  onContentEnd(trailers: Fields): void {
    this.#exchange.end(trailers)
  }

  onDrain(): void {
    this.#forwarding.takesContent()
  }

  onFailure(failure: ExchangeFailure): void {
    this.#forwarding.failed(failure, this.#hasResponded, this.#isReused && failure.code === 'upstream-closed')
  }

  #switchProtocols({ status, reason, fields }: ResponseHead): void {
    const { upgrade = '' } = this.#exchange.request
    const chosen = this.#httpVersion === '2' ? oneProtocol(upgrade) : chosenProtocol(fields, upgrade)
    if (chosen === undefined) return this.#forwarding.failed(NOT_OFFERED, false, false)
    const handshake = this.#handshake
    if (handshake?.towards === 'upstream' && !isAccepted(fields, handshake.key))
      return this.#forwarding.failed(NOT_ACCEPTED, false, false)
    this.#hasResponded = true
    this.#forwarding.responded()
    const kept = responseFields(fields)
    if (handshake?.towards === 'client' && handshake.accept !== undefined)
      kept.push('Sec-WebSocket-Accept', handshake.accept)
    // Only where several were offered is it not known already which one it is.
    if (chosen !== upgrade) kept.push('Upgrade', chosen)
    this.#exchange.respond({ status, reason, fields: kept }, UNKNOWN_LENGTH)
  }
}
