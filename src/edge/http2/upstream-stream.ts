import {
  type ExchangeFailure,
  type Fields,
  NO_FIELDS,
  type ResponseReceiver,
  UNKNOWN_LENGTH,
  type UpstreamExchange,
} from '../exchange/exchange.ts'
import { readTrailers } from './field-rules.ts'
import { streamError } from './http2-error.ts'
import { type ReadResponse, readResponse } from './response-reader.ts'
import { Http2Stream } from './stream.ts'

/** A request for an upstream, in what is needed to write it over HTTP/2. */
export type UpstreamRequest = {
  readonly method: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly target: string
  /** Without Host and hop-by-hop fields; names in any case. */
  readonly fields: Fields
  /** As in `Exchange`. It is announced, if known, whether or not there is a field for it. */
  readonly contentLength: number
  /** As in `RequestHead`: goes as an extended CONNECT (RFC 8441). */
  readonly upgrade: string | undefined
  /** As in `RequestHead`. */
  readonly takesTrailers: boolean
}

/** How long the upstream may take for a response, in milliseconds. */
export type ResponseDeadlines = {
  /** From the end of the request to the head of the response. */
  readonly headMs: number
  /** Between two pieces of the response that somebody waits for. */
  readonly contentPauseMs: number
}

/** What a stream asks of its connection. */
export interface UpstreamStreamHost {
  sendContent(stream: UpstreamStream, piece: Buffer): boolean
  endContent(stream: UpstreamStream, trailers: Fields | undefined): void
  resumeContent(stream: UpstreamStream): void
  cancel(stream: UpstreamStream): void
}

const SWITCHING_PROTOCOLS = 101
const NO_CONTENT = 204
const NOT_MODIFIED = 304

/** A request to an upstream, and its response (RFC 9113 §8.1). */
export class UpstreamStream extends Http2Stream implements UpstreamExchange {
  readonly request: UpstreamRequest
  /** When something of it went or came last, by the time of the latest sweep. */
  progressAt = 0
  /** Its end is on its way. */
  isRequestSent = false
  readonly #receiver: ResponseReceiver
  readonly #host: UpstreamStreamHost
  readonly #maxInterimResponses: number
  #interimResponses = 0
  #hasResponse = false
  #isTunnel = false
  /** Content cannot come: the answer to HEAD, 204 and 304 have none (RFC 9110 §6.4.1). */
  #isWithoutContent = false
  #announced = UNKNOWN_LENGTH
  #receivedBytes = 0
  /** No event comes any more. */
  #isOver = false

  constructor(
    request: UpstreamRequest,
    receiver: ResponseReceiver,
    host: UpstreamStreamHost,
    maxInterimResponses: number,
  ) {
    super(0, 0)
    this.request = request
    this.#receiver = receiver
    this.#host = host
    this.#maxInterimResponses = maxInterimResponses
  }

  get isTunnel(): boolean {
    return this.#isTunnel
  }

  // The exchange.

  write(piece: Buffer): boolean {
    if (this.state.isClosed || this.isEnding) return true
    return this.#host.sendContent(this, piece)
  }

  end(trailers?: Fields): void {
    if (!this.state.isClosed && !this.isEnding) this.#host.endContent(this, this.#isTunnel ? undefined : trailers)
  }

  resume(): void {
    this.#host.resumeContent(this)
  }

  abort(): void {
    this.#isOver = true
    if (!this.state.isClosed) this.#host.cancel(this)
  }

  // What the connection tells.

  /** RFC 9113 §8.1: interim responses, the final one, trailers. */
  headersArrived(fields: readonly string[], endsStream: boolean): void {
    if (this.#hasResponse) return this.#readTrailers(fields, endsStream)
    const response = readResponse(fields)
    if (response.head.status >= 200) return this.#respond(response, endsStream)
    if (endsStream) throw streamError('status-invalid', { status: response.head.status })
    if (++this.#interimResponses > this.#maxInterimResponses) throw streamError('interim-flood')
    if (!this.#isOver) this.#receiver.onInform(response.head)
  }

  contentArrived(piece: Buffer): boolean {
    if (!this.#hasResponse || this.#isWithoutContent) throw streamError('content-unexpected')
    this.#receivedBytes += piece.length
    if (this.#announced !== UNKNOWN_LENGTH && this.#receivedBytes > this.#announced)
      throw streamError('content-length-conflict', { announced: this.#announced })
    return this.#isOver || this.#receiver.onContent(piece)
  }

  contentEnded(trailers: Fields): void {
    if (!this.#hasResponse) throw streamError('content-unexpected')
    const announced = this.#announced
    if (!this.#isWithoutContent && announced !== UNKNOWN_LENGTH && announced !== this.#receivedBytes)
      throw streamError('content-length-conflict', { announced, received: this.#receivedBytes })
    if (this.#isOver) return
    this.#isOver = true
    this.#receiver.onContentEnd(trailers)
  }

  /** What the upstream takes too long for, in words; undefined if it does not. */
  overdue(now: number, { headMs, contentPauseMs }: ResponseDeadlines): string | undefined {
    const elapsed = now - this.progressAt
    if (this.#isOver || this.#isTunnel) return undefined
    if (!this.#hasResponse) return this.isRequestSent && elapsed > headMs ? 'it sent nothing for too long' : undefined
    return !this.isPaused && elapsed > contentPauseMs ? 'it paused within the response for too long' : undefined
  }

  drained(): void {
    if (!this.#isOver) this.#receiver.onDrain()
  }

  failed(failure: ExchangeFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#receiver.onFailure(failure)
  }

  #respond({ head, contentLength }: ReadResponse, endsStream: boolean): void {
    const { status, fields } = head
    this.#hasResponse = true
    this.#isTunnel = this.request.upgrade !== undefined && status < 300
    this.#isWithoutContent = this.request.method === 'HEAD' || status === NO_CONTENT || status === NOT_MODIFIED
    this.#announced = this.#isTunnel ? UNKNOWN_LENGTH : contentLength
    if (endsStream && !this.#isWithoutContent && contentLength > 0)
      throw streamError('content-length-conflict', { announced: contentLength })
    if (this.#isOver) return
    if (this.#isTunnel) return this.#receiver.onResponse({ status: SWITCHING_PROTOCOLS, fields }, UNKNOWN_LENGTH)
    const isEmpty = status === NO_CONTENT || (endsStream && !this.#isWithoutContent)
    this.#receiver.onResponse(head, isEmpty ? 0 : contentLength)
  }

  #readTrailers(fields: readonly string[], endsStream: boolean): void {
    if (!endsStream) throw streamError('trailers-unfinished')
    if (this.#isTunnel) throw streamError('content-unexpected')
    this.contentEnded(readTrailers(fields))
  }

  /** END_STREAM came with the head of the response. */
  endedWithHead(): void {
    if (!this.#isOver) this.contentEnded(NO_FIELDS)
  }
}
