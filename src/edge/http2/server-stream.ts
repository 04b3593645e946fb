import {
  type ClientFacts,
  type Exchange,
  type Fields,
  NO_FIELDS,
  type Outcome,
  type RequestHead,
  type RequestReceiver,
  type ResponseHead,
  UNKNOWN_LENGTH,
} from '../exchange/exchange.ts'
import { hasField, withoutNames } from '../fields.ts'
import { ContentDeadline } from './content-deadline.ts'
import { ErrorCode } from './error-code.ts'
import { streamError } from './http2-error.ts'
import type { Http2Limits } from './limits.ts'
import type { ReadRequest } from './request-reader.ts'
import { Http2Stream } from './stream.ts'

/** What a stream asks of its connection. */
export interface ServerStreamHost {
  sendHeaders(stream: ServerStream, pseudo: Fields, fields: Fields): void
  sendContent(stream: ServerStream, piece: Buffer): boolean
  endContent(stream: ServerStream, trailers: Fields | undefined): void
  resumeContent(stream: ServerStream): void
  reset(stream: ServerStream, errorCode: ErrorCode): void
}

const SWITCHING_PROTOCOLS = 101
const OK = 200
const NO_CONTENT = 204
const NOT_MODIFIED = 304
const REQUEST_TIMEOUT = 408
const BAD_GATEWAY = 502

/** RFC 8441 §5: what these would prove is proved by HTTP/2 itself. */
const HTTP1_HANDSHAKE_FIELDS = new Set(['sec-websocket-accept', 'connection', 'upgrade'])

/** Settled once: most responses have a status of 200. */
const STATUS_FIELDS = Array.from({ length: 600 }, (_, status) => [':status', String(status)])

/** A request from a client, and its response (RFC 9113 §8.1). */
export class ServerStream extends Http2Stream implements Exchange {
  readonly request: RequestHead
  readonly client: ClientFacts
  readonly contentLength: number
  readonly expectsContinue: boolean
  /** When the client had the whole of a response that refuses a request, while the request was not here as a whole. */
  refusedAt: number | undefined
  /** What has come of the request since then. */
  bytesAfterRefusal = 0
  readonly #host: ServerStreamHost
  #receiver: RequestReceiver | undefined
  /** 0 before the final response. */
  #status = 0
  #isTunnel = false
  /** The response has no content, whatever is written: to HEAD, 204 and 304 (RFC 9110 §6.4.1). */
  #isWithoutContent = false
  /** What the response still has to have, or UNKNOWN_LENGTH. */
  #responseLeft = UNKNOWN_LENGTH
  #hasResponseEnded = false
  #receivedBytes = 0
  #isOver = false
  #why: string | undefined
  #deadline: ContentDeadline | undefined

  constructor(id: number, sendWindow: number, request: ReadRequest, client: ClientFacts, host: ServerStreamHost) {
    super(id, sendWindow)
    this.request = request.head
    this.contentLength = request.contentLength
    this.expectsContinue = request.expectation === 'continue' && request.contentLength !== 0
    this.client = client
    this.#host = host
  }

  /** What follows is another protocol's, both ways, until each side has ended its own. */
  get isTunnel(): boolean {
    return this.#isTunnel
  }

  /** The response says that the request will not do, so that the client has no reason to go on with it. */
  get isRefused(): boolean {
    return this.#status >= 400
  }

  // The exchange.

  receive(receiver: RequestReceiver): void {
    this.#receiver = receiver
  }

  resume(): void {
    this.#deadline?.restart(this.#receivedBytes)
    this.#host.resumeContent(this)
  }

  inform({ status, fields }: ResponseHead): void {
    if (this.#isOver || this.#status !== 0 || status === SWITCHING_PROTOCOLS) return
    this.#host.sendHeaders(this, statusFields(status), fields)
  }

  respond({ status, fields }: ResponseHead, contentLength: number): void {
    if (this.#isOver || this.#status !== 0) return
    this.#status = status
    if (status === SWITCHING_PROTOCOLS) return this.#switchProtocols(fields)
    if (this.request.upgrade !== undefined && status >= 200 && status < 300) return this.#declineUpgrade()
    this.#isWithoutContent = this.request.method === 'HEAD' || status === NO_CONTENT || status === NOT_MODIFIED
    this.#responseLeft = this.#isWithoutContent ? UNKNOWN_LENGTH : contentLength
    const isLengthSent = contentLength === UNKNOWN_LENGTH || status === NO_CONTENT || hasField(fields, 'content-length')
    const pseudo = isLengthSent ? statusFields(status) : withLength(status, contentLength)
    this.#host.sendHeaders(this, pseudo, fields)
  }

  write(piece: Buffer): boolean {
    if (this.#isOver || this.#hasResponseEnded || this.#status === 0 || this.#isWithoutContent) return true
    if (this.#responseLeft !== UNKNOWN_LENGTH) {
      if (piece.length > this.#responseLeft) {
        this.abort()
        return true
      }
      this.#responseLeft -= piece.length
    }
    return this.#host.sendContent(this, piece)
  }

  end(trailers?: Fields): void {
    if (this.#isOver || this.#hasResponseEnded) return
    if (this.#status === 0 || this.#responseLeft > 0) return this.abort()
    this.#hasResponseEnded = true
    this.#host.endContent(this, this.#isTunnel || this.#isWithoutContent ? undefined : trailers)
  }

  abort(): void {
    if (this.#isOver || this.state.isClosed) return
    this.#host.reset(this, this.#isTunnel ? ErrorCode.connectError : ErrorCode.internalError)
    this.over('aborted')
  }

  // What the connection tells.

  /** Called once, after the request was handed on. */
  announceEnd(): void {
    this.#receiver?.onContentEnd(NO_FIELDS)
  }

  contentArrived(piece: Buffer): boolean {
    this.#receivedBytes += piece.length
    if (this.contentLength !== UNKNOWN_LENGTH && this.#receivedBytes > this.contentLength)
      throw streamError('content-length-conflict', { announced: this.contentLength })
    // Of what comes after the whole response, nothing is of use.
    return this.#receiver === undefined || this.#hasEnded() || this.#receiver.onContent(piece)
  }

  contentEnded(trailers: Fields): void {
    if (this.#isOver) return
    if (this.contentLength !== UNKNOWN_LENGTH && this.#receivedBytes !== this.contentLength)
      throw streamError('content-length-conflict', { announced: this.contentLength, received: this.#receivedBytes })
    if (!this.#hasEnded()) this.#receiver?.onContentEnd(trailers)
  }

  drained(): void {
    if (!this.#isOver) this.#receiver?.onDrain()
  }

  /** The last event. `why` is what the client did, or failed to do, that ended it. */
  over(result: Outcome['result'], why = this.#why): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#receiver?.onEnd({ result, status: this.#status, bytes: this.sentBytes, why })
    this.#receiver = undefined
  }

  /** Whether content that is waited for, before there is an answer, comes too slowly. To be asked at each sweep. */
  isContentOverdue(now: number, limits: Http2Limits): boolean {
    if (!this.state.canReceive || this.#status !== 0 || this.request.upgrade !== undefined) return false
    this.#deadline ??= new ContentDeadline(limits)
    if (!this.isPaused) return this.#deadline.isOverdue(now, this.#receivedBytes)
    this.#deadline.restart(this.#receivedBytes)
    return false
  }

  /**
   * Answers 408 instead of whoever handles the request, who is told that it is over.
   *
   * @param date of its Date field.
   */
  timeOut(why: string, date: string): void {
    this.respond({ status: REQUEST_TIMEOUT, fields: ['date', date] }, 0)
    this.end()
    this.over('aborted', why)
  }

  /** RFC 8441 §4: any 2xx would tell the client that what follows is the other protocol, when it is an ordinary response. */
  #declineUpgrade(): void {
    this.#status = BAD_GATEWAY
    this.#why = 'upgrade-declined'
    this.#isWithoutContent = true
    this.#host.sendHeaders(this, withLength(BAD_GATEWAY, 0), NO_FIELDS)
  }

  /** RFC 8441 §5. */
  #switchProtocols(fields: Fields): void {
    if (this.request.upgrade === undefined) return this.abort()
    this.#isTunnel = true
    this.#host.sendHeaders(this, statusFields(OK), withoutNames(fields, HTTP1_HANDSHAKE_FIELDS))
  }

  #hasEnded(): boolean {
    return this.#isOver || (this.#hasResponseEnded && !this.#isTunnel)
  }
}

function statusFields(status: number): Fields {
  return STATUS_FIELDS[status] ?? [':status', String(status)]
}

function withLength(status: number, contentLength: number): Fields {
  return [':status', String(status), 'content-length', String(contentLength)]
}
