import {
  type ExchangeFailure,
  type Fields,
  NO_FIELDS,
  type ResponseReceiver,
  UNKNOWN_LENGTH,
  type UpstreamExchange,
  type UpstreamRequest,
} from '../exchange/exchange.ts'
import { formatFieldSection } from './field-section.ts'
import type { MessageWriter } from './message-writer.ts'

/** The connection that a request is sent on, as far as the request needs it. */
export interface UpstreamCarrier {
  readonly writer: MessageWriter
  resumeReading(): void
  /** Our side of the other protocol has ended. */
  endWriting(): void
  /** The response is of no use any more. */
  drop(): void
}

/** Their senders say how much content comes even where none does (RFC 9110 §8.6), since some servers wait for it. */
const METHODS_WITH_CONTENT = new Set(['POST', 'PUT', 'PATCH'])

/** One request on a connection to an upstream, as HTTP/1.1 writes it. */
export class Http1UpstreamExchange implements UpstreamExchange {
  readonly request: UpstreamRequest
  readonly receiver: ResponseReceiver
  readonly #carrier: UpstreamCarrier
  #left: number
  #isBlocked = false
  /** What the client says of the other protocol before the upstream has agreed to it, as it can over HTTP/2. */
  #early: Buffer[] = []
  #hasEndedEarly = false
  #phase: 'sending' | 'sent' | 'other-protocol' | 'other-protocol-ended' | 'over' = 'sending'

  constructor(request: UpstreamRequest, receiver: ResponseReceiver, carrier: UpstreamCarrier) {
    this.request = request
    this.receiver = receiver
    this.#carrier = carrier
    // What follows a request to leave HTTP is the other protocol's, and no content (RFC 9110 §7.8).
    this.#left = request.upgrade === undefined ? request.contentLength : 0
    carrier.writer.text(formatRequestHead(request, this.#left))
    if (this.#left !== 0) return
    this.#phase = 'sent'
    carrier.writer.flush()
  }

  /** All of the request is with the writer. */
  get isSent(): boolean {
    return this.#phase === 'sent'
  }

  /** The receiver has had its last event, or wants none. */
  get isOver(): boolean {
    return this.#phase === 'over'
  }

  get isOtherProtocol(): boolean {
    return this.#phase === 'other-protocol' || this.#phase === 'other-protocol-ended'
  }

  write(piece: Buffer): boolean {
    const { writer } = this.#carrier
    if (this.#phase === 'sending' && this.#left === UNKNOWN_LENGTH) writer.chunk(piece)
    else if (this.#phase === 'sending') this.#writeCounted(piece)
    else if (this.#phase === 'other-protocol') writer.content(piece)
    else return !this.#holdsEarly(piece)
    this.#isBlocked = writer.isFull
    return !this.#isBlocked
  }

  end(trailers: Fields = NO_FIELDS): void {
    if (this.#phase === 'other-protocol') {
      this.#phase = 'other-protocol-ended'
      this.#carrier.endWriting()
    } else if (this.#phase === 'sending') {
      if (this.#left > 0) return this.fail(unfinished())
      if (this.#left === UNKNOWN_LENGTH) this.#carrier.writer.lastChunk(trailers)
      this.#phase = 'sent'
      this.#carrier.writer.flush()
    } else this.#hasEndedEarly = this.#phase === 'sent'
  }

  resume(): void {
    if (!this.isOver) this.#carrier.resumeReading()
  }

  abort(): void {
    if (this.isOver) return
    this.#phase = 'over'
    this.#carrier.drop()
  }

  /** What follows is the other protocol's, both ways. */
  switchProtocol(): void {
    this.#phase = 'other-protocol'
    const early = this.#early
    this.#early = []
    for (const piece of early) this.write(piece)
    if (this.#hasEndedEarly) this.end()
    else if (early.length > 0 && !this.#isBlocked) this.receiver.onDrain()
  }

  /** The upstream has taken what was written. */
  onWritable(): void {
    if (!this.#isBlocked || this.#carrier.writer.isFull || this.isOver) return
    this.#isBlocked = false
    this.receiver.onDrain()
  }

  /** The last event of a response that is whole. */
  finish(trailers: Fields): void {
    if (this.isOver) return
    this.#phase = 'over'
    this.receiver.onContentEnd(trailers)
  }

  /** The last event of one that is not. The connection is dropped. */
  fail(failure: ExchangeFailure): void {
    if (this.isOver) return
    this.#phase = 'over'
    this.#carrier.drop()
    this.receiver.onFailure(failure)
  }

  /** Whether the piece is the other protocol's, which has to wait for its turn. */
  #holdsEarly(piece: Buffer): boolean {
    if (this.#phase !== 'sent' || this.request.upgrade === undefined) return false
    this.#early.push(piece)
    return true
  }

  #writeCounted(piece: Buffer): void {
    this.#left -= piece.length
    if (this.#left < 0) this.fail(unfinished())
    else this.#carrier.writer.content(piece)
  }
}

/** The content is not as long as was announced: its rest, or its surplus, would be taken for the next request. */
function unfinished(): ExchangeFailure {
  const message = 'the content of the request was not as long as was announced'
  return { code: 'request-length-wrong', message, isUnprocessed: false }
}

/** Host comes first (RFC 9110 §7.2), and what concerns the connection last, so that nothing before can speak for it. */
function formatRequestHead(request: UpstreamRequest, contentLength: number): string {
  const { method, target, authority, fields } = request
  const lines = `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${formatFieldSection(fields)}`
  return lines + framingField(method, contentLength) + connectionFields(request)
}

function framingField(method: string, contentLength: number): string {
  if (contentLength === UNKNOWN_LENGTH) return 'Transfer-Encoding: chunked\r\n'
  const isTold = contentLength > 0 || METHODS_WITH_CONTENT.has(method)
  return isTold ? `Content-Length: ${contentLength}\r\n` : ''
}

/** Servers of HTTP/1.0 close unless asked not to (RFC 9112 §9.3). TE stands for this connection only (RFC 9110 §10.1.4). */
function connectionFields({ upgrade, takesTrailers }: UpstreamRequest): string {
  if (upgrade !== undefined) return `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`
  return takesTrailers ? 'Connection: keep-alive, TE\r\nTE: trailers\r\n\r\n' : 'Connection: keep-alive\r\n\r\n'
}
