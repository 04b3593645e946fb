import { http } from '../../system/http.ts'
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
import { fieldValue, hasField, withoutNames, withoutNominated } from '../fields.ts'
import type { ContentSink } from './content-reader.ts'
import { formatFieldSection } from './field-section.ts'
import { canHaveContent } from './framing.ts'
import type { MessageWriter } from './message-writer.ts'
import type { ParsedRequest } from './request-head.ts'

/** The connection that an exchange is on, as far as the exchange needs it. */
export interface Carrier {
  readonly writer: MessageWriter
  pauseReading(): void
  resumeReading(): void
  /**
   * Settles, as the final head is about to be written, whether another request may follow on this connection: never where
   * only its closing ends the content.
   */
  persistsAfter(exchange: ServerExchange, isEndFramed: boolean): boolean
  /** Content of a request whose response is out already, so that nobody wants it. */
  discarded(bytes: number): void
  /** The content, or the other protocol's bytes, have ended. */
  contentEnded(): void
  /** What follows the head is another protocol, both ways. */
  protocolSwitched(): void
  /** The response, or our side of another protocol, is with the writer as a whole. */
  responseEnded(): void
  /** Closes so that the client can tell; only by a reset if nothing in the framing says that more was to come. */
  breakOff(isEndFramed: boolean): void
}

/** Names in Upgrade what it would serve (RFC 9110 §15.5.22). */
const UPGRADE_REQUIRED = 426

/** How the content of a response is written. */
type Delimiting = 'none' | 'length' | 'chunked' | 'until-close' | 'other-protocol'

/** The protocol is named by `Upgrade`, which HTTP/1.1 says once more in its own words. */
const UPGRADE_FIELD = new Set(['upgrade'])

/** One request of a connection, and the response to it as HTTP/1.1 writes it. */
export class ServerExchange implements Exchange, ContentSink {
  readonly request: RequestHead
  readonly client: ClientFacts
  readonly contentLength: number
  readonly expectsContinue: boolean
  readonly #carrier: Carrier
  #receiver: RequestReceiver | undefined
  #isBlocked = false
  #status = 0
  #bytes = 0
  #delimiting: Delimiting = 'none'
  /** Bytes of the announced length that are still to be written. */
  #left = 0
  #phase: 'open' | 'responding' | 'ended' | 'over' = 'open'
  /** The rule that the rest of the request broke. */
  #brokenRule: string | undefined

  constructor({ request, contentLength, expectsContinue }: ParsedRequest, client: ClientFacts, carrier: Carrier) {
    this.request = request
    this.client = client
    this.contentLength = contentLength
    this.expectsContinue = expectsContinue
    this.#carrier = carrier
  }

  /** The final head is written. */
  get hasResponded(): boolean {
    return this.#phase !== 'open'
  }

  /** The response is written, as far as it goes. */
  get hasEnded(): boolean {
    return this.#phase === 'ended' || this.#phase === 'over'
  }

  /** The receiver has had its last event. */
  get isOver(): boolean {
    return this.#phase === 'over'
  }

  receive(receiver: RequestReceiver): void {
    this.#receiver = receiver
  }

  resume(): void {
    if (!this.isOver) this.#carrier.resumeReading()
  }

  /** HTTP/1.0 has no informational responses (RFC 9110 §15.2). */
  inform({ status, reason, fields }: ResponseHead): void {
    if (this.#phase !== 'open' || this.request.version === '1.0') return
    this.#carrier.writer.text(`${statusLine(status, reason)}${formatFieldSection(fields)}\r\n`)
  }

  respond(head: ResponseHead, contentLength: number): void {
    if (this.#phase !== 'open') return
    this.#phase = 'responding'
    this.#status = head.status
    if (head.status === 101) return this.#switchProtocols(head)
    const framing = this.#delimit(head, contentLength)
    const isPersistent = this.#carrier.persistsAfter(this, this.#delimiting !== 'until-close')
    const lines = `${statusLine(head.status, head.reason)}${formatFieldSection(head.fields)}`
    this.#carrier.writer.text(`${lines}${framing}${this.#connectionField(head.status, isPersistent)}\r\n`)
  }

  write(piece: Buffer): boolean {
    if (this.#phase !== 'responding' || this.#delimiting === 'none') return true
    const { writer } = this.#carrier
    this.#bytes += piece.length
    if (this.#delimiting === 'chunked') writer.chunk(piece)
    else if (this.#delimiting === 'length') this.#writeCounted(piece)
    else writer.content(piece)
    this.#isBlocked = writer.isFull
    return !this.#isBlocked
  }

  end(trailers: Fields = NO_FIELDS): void {
    if (this.#phase !== 'responding') return
    if (this.#delimiting === 'length' && this.#left > 0) return this.abort()
    if (this.#delimiting === 'chunked')
      this.#carrier.writer.lastChunk(this.request.takesTrailers ? trailers : NO_FIELDS)
    this.#phase = 'ended'
    this.#carrier.responseEnded()
  }

  abort(): void {
    if (this.hasEnded) return
    const isEndFramed = this.#delimiting === 'length' || this.#delimiting === 'chunked' || this.#phase === 'open'
    this.#carrier.breakOff(isEndFramed)
    this.finish(false)
  }

  onContent(piece: Buffer): void {
    if (this.isOver) this.#carrier.discarded(piece.length)
    else if (this.#receiver!.onContent(piece) === false) this.#carrier.pauseReading()
  }

  onContentEnd(trailers: Fields): void {
    if (!this.isOver) this.#receiver!.onContentEnd(withoutNominated(trailers, this.request.fields))
    this.#carrier.contentEnded()
  }

  /** The client has taken what was written. */
  onWritable(): void {
    if (!this.#isBlocked || this.#carrier.writer.isFull || this.hasEnded) return
    this.#isBlocked = false
    this.#receiver!.onDrain()
  }

  /** The rest of the request is refused, after its response had begun. */
  refuse(rule: string): void {
    this.#brokenRule = rule
    this.abort()
  }

  /** The last event of one whose client was told this instead of a response of its own. */
  finishRefused(rule: string, status: number, bytes: number): void {
    this.#brokenRule = rule
    this.#status = status
    this.#bytes = bytes
    this.finish(false)
  }

  /** The last event. */
  finish(isComplete: boolean): void {
    if (this.isOver) return
    this.#phase = 'over'
    const result = isComplete || this.#delimiting === 'other-protocol' ? 'complete' : 'aborted'
    this.#receiver?.onEnd({ result, status: this.#status, bytes: this.#bytes, why: this.#brokenRule })
  }

  /** More than was announced would be taken for the next response, so it is an error of whoever writes. */
  #writeCounted(piece: Buffer): void {
    this.#left -= piece.length
    if (this.#left >= 0) this.#carrier.writer.content(piece)
    else this.abort()
  }

  /** Gives the field that says how the content is delimited. RFC 9110 §8.6 forbids a length with 204. */
  #delimit({ status, fields }: ResponseHead, contentLength: number): string {
    if (!canHaveContent(this.request.method, status)) {
      this.#delimiting = 'none'
      return contentLength === UNKNOWN_LENGTH || status === 204 ? '' : `Content-Length: ${contentLength}\r\n`
    }
    // Trailers have no place behind a length, which an upstream of HTTP/2 may announce all the same (RFC 9110 §6.5).
    const hasTrailers = this.request.takesTrailers && hasField(fields, 'trailer')
    if (contentLength !== UNKNOWN_LENGTH && !hasTrailers) {
      this.#delimiting = 'length'
      this.#left = contentLength
      return `Content-Length: ${contentLength}\r\n`
    }
    this.#delimiting = this.request.version === '1.0' ? 'until-close' : 'chunked'
    return this.#delimiting === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : ''
  }

  /** RFC 9112 §9.3: what the version takes for granted is not said. */
  #connectionField(status: number, isPersistent: boolean): string {
    if (status === UPGRADE_REQUIRED) return isPersistent ? 'Connection: Upgrade\r\n' : 'Connection: close, Upgrade\r\n'
    if (!isPersistent) return 'Connection: close\r\n'
    return this.request.version === '1.0' ? 'Connection: keep-alive\r\n' : ''
  }

  #switchProtocols({ status, reason, fields }: ResponseHead): void {
    this.#delimiting = 'other-protocol'
    const protocol = fieldValue(fields, 'upgrade') ?? this.request.upgrade
    const lines = `${statusLine(status, reason)}${formatFieldSection(withoutNames(fields, UPGRADE_FIELD))}`
    this.#carrier.writer.text(`${lines}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
    this.#carrier.protocolSwitched()
  }
}

function statusLine(status: number, reason: string | undefined): string {
  return `HTTP/1.1 ${status} ${reason ?? http.STATUS_CODES[status] ?? ''}\r\n`
}
