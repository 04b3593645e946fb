import type { Endpoints } from '../endpoints.ts'
import type { ErrorAnswers } from '../error-answers.ts'
import { respondWith } from '../exchange/answer.ts'
import {
  type Exchange,
  type ExchangeFailure,
  type Fields,
  NO_FIELDS,
  type Outcome,
  type RequestReceiver,
  type UpstreamExchange,
  type UpstreamRequest,
} from '../exchange/exchange.ts'
import type { HttpDate } from '../http-date.ts'
import type { UpstreamSnapshot } from '../snapshot.ts'
import type { UpstreamConnections } from './connections.ts'
import type { Borrower, Lease, UpstreamLine, UpstreamPool } from './pool.ts'
import { Relay, type RelayedForwarding } from './relay.ts'
import { requestFields, type Told } from './request-fields.ts'
import { SentContent } from './sent-content.ts'
import { failureError, type UpstreamError, unreachableError, wasCutOff } from './upstream-error.ts'
import { handshakeOf, oneProtocol, setKey, type WebSocketHandshake } from './websocket.ts'

export type ForwardOptions = {
  readonly told: Told
  readonly connections: UpstreamConnections
  readonly date: HttpDate
  /** For what the upstream fails to answer. */
  readonly errorAnswers: ErrorAnswers
  readonly randomBytes: (size: number) => Buffer
  readonly record: ForwardRecord
}

/** Whom the forwarding of a request tells how it goes, for the log and the counters. */
export interface ForwardRecord {
  /** It is about to be sent, for the first time or once more. */
  onAttempt(): void
  /** No connection is at hand; one is being opened, or waited for. */
  onWait(): void
  /** It is on a connection now. */
  onSent(): void
  /** The head of the final response is here. */
  onResponse(): void
  /** The upstream gave no usable response, or not all of it. */
  onFailure(error: UpstreamError): void
  /** The last event. */
  onEnd(outcome: Outcome): void
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
class Forwarding implements RequestReceiver, Borrower, RelayedForwarding {
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
    this.#options.record.onAttempt()
    this.#lease = this.#pool.lease(this, mustBeFresh)
    if (this.#lease !== undefined) this.#options.record.onWait()
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
    this.#options.record.onSent()
    const handshake = handshakeOf(request, line.httpVersion, this.#options.randomBytes)
    this.#lease = undefined
    // Who speaks HTTP/1.1 cannot say that it did not look at a request.
    if (line.httpVersion === '1.1') this.#sentContent.forget()
    const sent = this.#requestFor(line, handshake)
    this.#upstreamExchange = line.send(sent, new Relay(this, this.#exchange, this.#options, line, handshake))
    if (this.#held.length > 0) this.#sendHeld(this.#upstreamExchange)
    // What is no upgrade there is whole, for upgrades have no content.
    const isUpgradeDropped = request.upgrade !== undefined && sent.upgrade === undefined
    if (this.#isContentWhole || isUpgradeDropped) this.#upstreamExchange.end(this.#trailers)
  }

  #requestFor({ httpVersion }: UpstreamLine, handshake: WebSocketHandshake | undefined): UpstreamRequest {
    const { request, contentLength } = this.#exchange
    const { method, scheme, authority, target, upgrade, takesTrailers } = request
    const fields = requestFields(this.#exchange, this.#options.told)
    const plain = { method, scheme, authority, target, fields, contentLength, upgrade, takesTrailers }
    if (upgrade === undefined) return plain
    // RFC 8441 §4 has no place for a method: what asks by another than GET goes on without the upgrade.
    if (httpVersion === '2') return { ...plain, upgrade: method === 'GET' ? oneProtocol(upgrade) : undefined }
    if (handshake?.towards === 'upstream') setKey(fields, handshake.key)
    return plain
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
    this.#options.record.onEnd(outcome)
  }

  // What the upstream does; called by the relay of the one attempt that counts.

  takesContent(): void {
    this.#exchange.resume()
  }

  responded(): void {
    this.#options.record.onResponse()
    this.#pool.hasAnswered = true
    this.#sentContent.forget()
  }

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
    this.#options.record.onFailure(error)
    if (hasResponded) return this.#exchange.abort()
    const { errorAnswers, told } = this.#options
    respondWith(this.#exchange, errorAnswers(error.status, this.#exchange.request, told.requestId))
    this.#exchange.resume()
  }
}
