import type { OnReadOpts, Socket } from 'node:net'
import { describeError } from '../../errors.ts'
import {
  type ExchangeFailure,
  type Fields,
  NO_FIELDS,
  type ResponseReceiver,
  UNKNOWN_LENGTH,
  type UpstreamExchange,
  type UpstreamRequest,
} from '../exchange/exchange.ts'
import { withoutNominated } from '../fields.ts'
import type { Sweep, Swept } from '../sweep.ts'
import { ContentReader, type ContentSink } from './content-reader.ts'
import type { UpstreamDeadlines } from './deadlines.ts'
import { HeadReader } from './head-reader.ts'
import { HeaderSections } from './header-sections.ts'
import { readLastWords } from './last-words.ts'
import type { MessageLimits } from './limits.ts'
import { MessageWriter } from './message-writer.ts'
import { ReadBuffer } from './read-buffer.ts'
import { Refusal } from './refusal.ts'
import { type ParsedResponse, parseResponseHead } from './response-head.ts'
import { Http1UpstreamExchange, type UpstreamCarrier } from './upstream-exchange.ts'

/** Early hints come once or twice, progress reports now and then; Go allows 5. */
const MAX_INFORMATIONAL_RESPONSES = 16

/** For a goodbye to leave. Nothing else waits then. */
const GOODBYE_MS = 1000

/** RFC 8446 §5.1. A port where TLS is spoken answers so to whoever does not. */
const TLS_ALERT = 0x15

export type UpstreamConnectionOptions = {
  readonly sweep: Sweep
  readonly limits: MessageLimits
  readonly deadlines: UpstreamDeadlines
  /** Begins to connect, with these options for reading; with TLS where that is wanted. */
  readonly connect: (onread: OnReadOpts) => Socket
  /** Told once that requests can be sent. */
  readonly onReady: (connection: UpstreamConnection) => void
  /** The response is over and the connection can take another request. */
  readonly onFree: (connection: UpstreamConnection) => void
  /** Told once; `cause` where it never became ready. */
  readonly onClosed: (connection: UpstreamConnection, cause: unknown) => void
  /** Something that was called from here threw, and the connection is closed. */
  readonly onThrow: (error: unknown) => void
}

/** `half-closed`: the upstream has ended its side of another protocol, and we have not. */
type Phase = 'connecting' | 'free' | 'awaiting-head' | 'reading-content' | 'other-protocol' | 'half-closed' | 'closed'

/** The client's end of an HTTP/1.1 connection (RFC 9112 §9): requests out, one at a time, responses in. */
export class UpstreamConnection implements UpstreamCarrier, ContentSink, Swept {
  readonly httpVersion = '1.1'
  readonly writer: MessageWriter
  readonly openedAt: number
  readonly #options: UpstreamConnectionOptions
  readonly #socket: Socket
  readonly #reads = new ReadBuffer()
  readonly #heads: HeadReader
  readonly #sections: HeaderSections
  readonly #content: ContentReader
  #phase: Phase = 'connecting'
  #exchange: Http1UpstreamExchange | undefined
  #response: ParsedResponse | undefined
  #trailers: Fields = NO_FIELDS
  #informationalResponses = 0
  /** Requests that were sent on it. */
  #requests = 0
  /** Something of the response has come. */
  #hasRead = false
  #isHeldBack = false
  #bytesRead = 0
  /** The last time at which something happened that deadlines count from. */
  #since: number
  #error: unknown

  constructor(options: UpstreamConnectionOptions) {
    const { sweep, limits, connect } = options
    this.#options = options
    this.#heads = new HeadReader({
      maxBytes: limits.startLineBytes + limits.fieldBytes,
      maxFirstLineBytes: limits.startLineBytes,
      maxEmptyLines: 0,
      tooLarge: 'fields-too-large',
      firstLineTooLong: 'status-line-malformed',
      malformed: 'status-line-malformed',
    })
    this.#sections = new HeaderSections('responses', limits)
    this.#content = new ContentReader(limits)
    const callback = (length: number): boolean => this.#onRead(length)
    this.#socket = connect({ buffer: () => this.#reads.next(), callback })
    this.writer = new MessageWriter(this.#socket, sweep, () => this.#guard(this.#onWritten))
    this.openedAt = this.#since = sweep.now
    sweep.add(this)
    this.#listen()
  }

  #listen(): void {
    const socket = this.#socket
    readLastWords(socket, () => this.#bytesRead)
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.#guard(this.#onReady))
    socket.on('error', (error) => {
      this.#error ??= error
      socket.destroy()
    })
    socket.once('end', () => this.#guard(this.#onReadEnd))
    socket.once('close', () => this.#guard(this.#onClose))
  }

  /** A request has been sent on it before, so the upstream may have closed it by now without our knowing. */
  get isUsed(): boolean {
    return this.#requests > 0
  }

  /** It takes a request. One that has been free may cease to be at any time. */
  get isFree(): boolean {
    return this.#phase === 'free'
  }

  /** Sends a request on a connection that is free. Nothing is told to the receiver before this has returned. */
  send(request: UpstreamRequest, receiver: ResponseReceiver): UpstreamExchange {
    this.#phase = 'awaiting-head'
    this.#requests++
    this.#hasRead = false
    this.#informationalResponses = 0
    this.#since = this.#options.sweep.now
    this.#exchange = new Http1UpstreamExchange(request, receiver, this)
    return this.#exchange
  }

  /**
   * Closes it at once; over TLS with a goodbye (RFC 9112 §9.8), unless something waits that may never go. The receiver of a
   * response that is under way hears nothing more.
   */
  drop(): void {
    const isSilent = this.#phase === 'connecting' || this.#phase === 'closed' || !this.writer.isIdle
    this.#phase = 'closed'
    this.#since = this.#options.sweep.now
    if (isSilent || !('encrypted' in this.#socket)) this.#socket.destroy()
    else this.#socket.destroySoon()
  }

  resumeReading(): void {
    if (!this.#isHeldBack) return
    this.#isHeldBack = false
    this.#since = this.#options.sweep.now
    this.#socket.resume()
  }

  endWriting(): void {
    this.writer.flush()
    this.#socket.end()
  }

  // What the socket tells.

  #guard(work: () => void): void {
    try {
      work.call(this)
    } catch (error) {
      this.#fail(error)
    }
  }

  #onReady(): void {
    if (this.#phase !== 'connecting') return
    this.#phase = 'free'
    this.#since = this.#options.sweep.now
    this.#options.onReady(this)
  }

  /** False stops reading until `resumeReading`. */
  #onRead(length: number): boolean {
    try {
      if (length > 0) this.#read(this.#reads.take(length))
    } catch (error) {
      this.#fail(error)
    }
    return !this.#isHeldBack
  }

  #read(bytes: Buffer): void {
    this.#since = this.#options.sweep.now
    this.#hasRead = true
    this.#bytesRead += bytes.length
    let at = 0
    while (at < bytes.length) {
      switch (this.#phase) {
        case 'awaiting-head':
          at = this.#readHead(bytes, at)
          break
        case 'reading-content':
          at = this.#content.read(bytes, at, this)
          break
        case 'other-protocol':
          return this.onContent(bytes.subarray(at))
        default:
          // Nobody asked for this: what a later request would be answered with (RFC 9112 §9.2).
          return this.drop()
      }
      if (this.#phase === 'reading-content' && this.#content.isComplete) this.#finish(at === bytes.length)
    }
  }

  #readHead(bytes: Buffer, at: number): number {
    if (bytes[at] === TLS_ALERT && !this.#heads.hasBegun) {
      this.#exchange!.fail(broken('response-tls', 'it answered with an alert of TLS'))
      return bytes.length
    }
    const text = this.#heads.read(bytes, at)
    if (text === undefined) return bytes.length
    const response = parseResponseHead(text, this.#exchange!.request.method, this.#sections)
    const next = this.#heads.next
    const { status } = response.head
    if (status === 101) this.#switchProtocol(response)
    else if (status < 200) this.#inform(response)
    else this.#respond(response)
    return next
  }

  #inform({ head }: ParsedResponse): void {
    if (++this.#informationalResponses > MAX_INFORMATIONAL_RESPONSES)
      return this.#exchange!.fail(broken('response-malformed', 'it sent too many informational responses'))
    this.#exchange!.receiver.onInform(head)
  }

  #respond(response: ParsedResponse): void {
    this.#phase = 'reading-content'
    this.#response = response
    this.#trailers = NO_FIELDS
    this.#content.begin(response.framing)
    this.#exchange!.receiver.onResponse(response.head, response.contentLength)
  }

  #switchProtocol({ head, upgrade }: ParsedResponse): void {
    const exchange = this.#exchange!
    if (exchange.request.upgrade === undefined || upgrade === undefined)
      return exchange.fail(broken('response-malformed', 'it switched to a protocol that nobody had asked for'))
    this.#phase = 'other-protocol'
    exchange.switchProtocol()
    exchange.receiver.onResponse(head, UNKNOWN_LENGTH)
  }

  onContent(piece: Buffer): void {
    const exchange = this.#exchange!
    if (exchange.isOver) return
    if (exchange.receiver.onContent(this.#reads.own(piece)) === false) this.#isHeldBack = true
  }

  onContentEnd(trailers: Fields): void {
    this.#trailers = trailers
  }

  /** The response is whole. An answer that comes before the request is whole leaves the connection of no use (RFC 9112 §9.3). */
  #finish(isAllRead: boolean): void {
    const exchange = this.#exchange!
    const { isPersistent, head } = this.#response!
    const isReusable = isAllRead && isPersistent && exchange.isSent && this.writer.isIdle
    this.#exchange = undefined
    this.#response = undefined
    if (isReusable) {
      this.#phase = 'free'
      if (this.#isHeldBack) this.resumeReading()
      this.#options.onFree(this)
    } else this.drop()
    exchange.finish(withoutNominated(this.#trailers, head.fields))
  }

  #onReadEnd(): void {
    switch (this.#phase) {
      case 'awaiting-head':
        return this.#exchange!.fail(this.#closedEarly())
      case 'reading-content':
        if (this.#content.close(this)) return this.#finish(false)
        return this.#exchange!.fail(
          broken('response-truncated', 'it closed the connection before the response was whole'),
        )
      case 'other-protocol':
        this.#phase = 'half-closed'
        return this.#exchange!.receiver.onContentEnd(NO_FIELDS)
      case 'closed':
        return
      default:
        return this.drop()
    }
  }

  #closedEarly(): ExchangeFailure {
    return this.#hasRead
      ? broken('response-truncated', 'it closed the connection within the head of the response', this.#error)
      : broken('upstream-closed', 'it closed the connection without a response', this.#error)
  }

  #onWritten(): void {
    this.#since = this.#options.sweep.now
    this.#exchange?.onWritable()
  }

  #onClose(): void {
    const phase = this.#phase
    this.#phase = 'closed'
    this.#options.sweep.delete(this)
    this.#options.onClosed(
      this,
      phase === 'connecting' ? (this.#error ?? new Error('it closed the connection')) : undefined,
    )
    if (phase === 'awaiting-head') this.#exchange!.fail(this.#closedEarly())
    else if (phase === 'reading-content' || phase === 'other-protocol') this.#exchange!.fail(this.#reset())
  }

  #reset(): ExchangeFailure {
    return broken('response-truncated', 'the connection broke before the response was whole', this.#error)
  }

  #fail(error: unknown): void {
    const exchange = this.#exchange
    if (error instanceof Refusal && exchange !== undefined)
      return exchange.fail(broken('response-malformed', `its response ${error.message}`, error))
    this.drop()
    this.#options.onThrow(error)
    // Whoever waits for the response must not wait for ever because of an error of ours.
    try {
      exchange?.fail(broken('connection-exception', 'an error in Castellan ended the connection'))
    } catch (second) {
      this.#options.onThrow(second)
    }
  }

  // Deadlines.

  sweep(now: number): void {
    this.#guard(() => this.#checkDeadlines(now))
  }

  #checkDeadlines(now: number): void {
    const { connectMs, headMs, contentPauseMs, freeMs } = this.#options.deadlines
    const elapsed = now - this.#since
    switch (this.#phase) {
      case 'connecting':
        if (elapsed > connectMs) this.#giveUpConnecting(connectMs)
        break
      case 'free':
        if (elapsed > freeMs) this.drop()
        break
      case 'awaiting-head':
        if (this.#exchange!.isSent && elapsed > headMs) this.#timeOut('it sent nothing for too long')
        else if (this.writer.stalledFor(now) > headMs) this.#timeOut('it did not read the request')
        break
      case 'reading-content':
        if (!this.#isHeldBack && elapsed > contentPauseMs) this.#timeOut('it paused within the response for too long')
        break
      case 'closed':
        if (elapsed > GOODBYE_MS) this.#socket.destroy()
        break
    }
  }

  #giveUpConnecting(ms: number): void {
    this.#error = Object.assign(new Error(`no connection within ${ms / 1000} s`), { code: 'ETIMEDOUT' })
    this.#socket.destroy()
  }

  #timeOut(message: string): void {
    this.#exchange!.fail(broken('upstream-timeout', message))
  }
}

function broken(code: string, message: string, cause?: unknown): ExchangeFailure {
  const words = cause === undefined || cause instanceof Refusal ? message : `${message}: ${describeError(cause)}`
  return { code, message: words, isUnprocessed: false, cause }
}
