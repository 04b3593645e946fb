import type { Duplex } from 'node:stream'
import { type ExchangeFailure, NO_FIELDS, type ResponseReceiver } from '../exchange/exchange.ts'
import type { Sweeping } from '../sweep.ts'
import { Http2Connection } from './connection.ts'
import { ErrorCode, errorCodeName } from './error-code.ts'
import { Flag, MAX_STREAM_ID, PING_BYTES } from './frame.ts'
import type { DecodedFields } from './hpack/decoder.ts'
import { connectionError, type Http2Error, streamError } from './http2-error.ts'
import { type Http2Limits, UPSTREAM_LIMITS } from './limits.ts'
import { pseudoFields, regularFields } from './request-writer.ts'
import { SettingId } from './settings.ts'
import { type ResponseDeadlines, type UpstreamRequest, UpstreamStream } from './upstream-stream.ts'

export type { ResponseDeadlines, UpstreamRequest } from './upstream-stream.ts'

/** Looks after a connection on which nothing comes. */
export type KeepAlive = {
  /** So long without a frame, and a PING is sent. */
  readonly afterMs: number
  /** So long without an answer, and the connection is given up. */
  readonly timeoutMs: number
}

export type Http2UpstreamOptions = {
  /** A connection whose TLS handshake chose `h2`, or one in clear text to an upstream that is known to speak it. */
  readonly socket: Duplex
  readonly sweep: Sweeping
  /** A request can be started: told once the upstream has said how many it takes, and again after none could. */
  readonly onAvailable?: () => void
  /** Called once, when the socket has closed; with an error if one of either side was the reason. */
  readonly onClose?: (error: Http2Error | undefined) => void
  /** Called for each stream that is reset for what the peer did, or failed to do. */
  readonly onStreamError?: (error: Http2Error) => void
  /** `UPSTREAM_LIMITS` unless given. */
  readonly limits?: Http2Limits
  readonly keepAlive?: KeepAlive
  /** None unless given. */
  readonly deadlines?: ResponseDeadlines
}

/** RFC 9113 §6.5.2: what a limit should not be below, so what is taken for granted before the upstream's is known. */
const ASSUMED_MAX_STREAMS = 100

const KEEP_ALIVE_PING = Buffer.alloc(PING_BYTES, 'alive?')

const GOING_AWAY: ExchangeFailure = {
  code: 'upstream-going-away',
  message: 'it takes no more requests on this connection',
  isUnprocessed: true,
}

/** HTTP/2 with an upstream: many requests at a time on one connection. */
export class Http2UpstreamConnection extends Http2Connection<UpstreamStream> {
  readonly #onAvailable: () => void
  readonly #keepAlive: KeepAlive | undefined
  readonly #deadlines: ResponseDeadlines | undefined
  #nextStreamId = 1
  /** No request is started any more. */
  #isGoingAway = false
  #hasSettings = false
  /** Requests that the upstream's limit keeps from being started, in their order. */
  readonly #waiting = new Set<UpstreamStream>()
  #pingSentAt: number | undefined

  constructor(options: Http2UpstreamOptions) {
    const {
      socket,
      sweep,
      onAvailable = ignore,
      onClose = ignore,
      onStreamError = ignore,
      keepAlive,
      deadlines,
    } = options
    const { limits = UPSTREAM_LIMITS } = options
    super(
      { socket, sweep, limits, onClose, onStreamError },
      { peer: 'server', settings: clientSettings(limits), credit: 'on-receipt' },
    )
    this.#onAvailable = onAvailable
    this.#keepAlive = keepAlive
    this.#deadlines = deadlines
  }

  /** Whether the connection takes requests at all; it never does again once it does not. */
  get isUsable(): boolean {
    return !this.isEnded && !this.#isGoingAway
  }

  /** How many requests would be started at once. More wait for their turn. */
  get availableStreams(): number {
    return this.isUsable ? Math.max(0, this.#maxStreams() - this.streams.size - this.#waiting.size) : 0
  }

  /** No request is under way or waits. */
  get isIdleNow(): boolean {
    return this.streams.size === 0 && this.#waiting.size === 0
  }

  /**
   * Sends a request, now or as soon as the upstream's limit allows. If it cannot be sent, the receiver learns it later.
   */
  request(request: UpstreamRequest, receiver: ResponseReceiver): UpstreamStream {
    const stream = new UpstreamStream(request, receiver, this, this.limits.maxInterimResponses)
    if (!this.isUsable) this.#failLater(stream, GOING_AWAY)
    else if (this.#isRefusedUpgrade(stream)) this.#failLater(stream, unsupported(stream.request))
    else if (this.#waiting.size === 0 && this.#canStart(stream)) this.#start(stream)
    else this.#waiting.add(stream)
    return stream
  }

  /** Takes no more requests, and closes when those that are under way have ended. */
  drain(): void {
    if (!this.isUsable) return
    this.#isGoingAway = true
    this.#failWaiting(GOING_AWAY)
    this.#settle()
  }

  /** Nobody waits for the response (RFC 9113 §8.7: the upstream may have acted on the request already). */
  cancel(stream: UpstreamStream): void {
    if (stream.id === 0) {
      this.#waiting.delete(stream)
      this.forget(stream, 'reset-sent')
    } else this.reset(stream, ErrorCode.cancel)
    this.#settle()
  }

  /** A server opens none. */
  protected readonly lastPeerStreamId = 0

  protected isIdle(streamId: number): boolean {
    return streamId >= this.#nextStreamId || streamId % 2 === 0
  }

  protected onHeaders(streamId: number, { fields, isTooLarge }: DecodedFields, endsStream: boolean): void {
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      if (this.isIdle(streamId)) throw connectionError('stream-idle', { streamId })
      // One that is not remembered was cancelled long ago, which must not cost all others their connection.
      if (this.closedStreams.find(streamId) === 'ended') throw connectionError('stream-closed', { streamId })
      return
    }
    if (isTooLarge) throw streamError('fields-too-large')
    stream.progressAt = this.sweptAt
    stream.headersArrived(fields, endsStream)
    if (!endsStream) return
    stream.endedWithHead()
    this.#endResponse(stream)
  }

  protected onContent(stream: UpstreamStream, piece: Buffer): boolean {
    stream.progressAt = this.sweptAt
    return stream.contentArrived(piece)
  }

  protected onContentEnd(stream: UpstreamStream): void {
    stream.contentEnded(NO_FIELDS)
    this.#endResponse(stream)
  }

  protected onEndSent(stream: UpstreamStream): void {
    stream.isRequestSent = true
    stream.progressAt = this.sweptAt
    if (!stream.state.isClosed) return
    this.forget(stream, 'ended')
    this.#settle()
  }

  protected onEndDelivered(): void {}

  protected onResetReceived(stream: UpstreamStream, errorCode: number): void {
    const isRefused = errorCode === ErrorCode.refusedStream
    stream.failed({
      code: isRefused ? 'stream-refused' : 'stream-reset',
      message: `it reset the stream with ${errorCodeName(errorCode)}`,
      isUnprocessed: isRefused,
    })
    this.#settle()
  }

  protected onStreamFailed(stream: UpstreamStream, error: Http2Error): void {
    stream.failed(failureOf(error))
    this.#settle()
  }

  protected override onOver(error: Http2Error): void {
    super.onOver(error)
    // What was not sent was not processed, whatever became of the connection.
    this.#failWaiting({ ...failureOf(error), isUnprocessed: true })
  }

  protected onDrained(stream: UpstreamStream): void {
    stream.drained()
  }

  /** RFC 9113 §6.8. */
  protected onGoaway(lastStreamId: number): void {
    this.#isGoingAway = true
    for (const stream of this.streams.values()) {
      if (stream.id <= lastStreamId) continue
      this.forget(stream, 'reset-sent')
      stream.failed(GOING_AWAY)
    }
    this.#failWaiting(GOING_AWAY)
    this.#settle()
  }

  /** RFC 9218 §7.1: a server must not send it. */
  protected onPriorityUpdate(): void {
    throw connectionError('priority-update-invalid')
  }

  protected onPingAck(): void {
    this.#pingSentAt = undefined
  }

  protected onSettings(): void {
    this.#hasSettings = true
    this.#settle()
  }

  override resumeContent(stream: UpstreamStream): void {
    stream.progressAt = this.sweptAt
    super.resumeContent(stream)
  }

  protected sweepStream(stream: UpstreamStream, now: number): void {
    if (this.#deadlines === undefined) return
    const message = stream.overdue(now, this.#deadlines)
    if (message === undefined) return
    const isSilent = this.receivedAt <= stream.progressAt
    this.reset(stream, ErrorCode.cancel)
    stream.failed({ code: 'upstream-timeout', message, isUnprocessed: false })
    // Where nothing else came either, the upstream may be gone without a word: nobody else should be sent there.
    if (isSilent) this.drain()
    this.#settle()
  }

  protected sweepConnection(now: number): void {
    if (this.isIdleNow && now - this.idleSince >= this.limits.idleMs) return this.end(undefined)
    if (this.#keepAlive === undefined) return
    const { afterMs, timeoutMs } = this.#keepAlive
    if (this.#pingSentAt !== undefined && this.receivedAt > this.#pingSentAt) this.#pingSentAt = undefined
    if (this.#pingSentAt === undefined && now - this.receivedAt >= afterMs) {
      this.#pingSentAt = now
      this.output.frames.ping(KEEP_ALIVE_PING, 0, Flag.none)
      this.output.schedule()
    } else if (this.#pingSentAt !== undefined && now - this.#pingSentAt >= timeoutMs)
      throw connectionError('ping-timeout')
  }

  #maxStreams(): number {
    const peers = this.#hasSettings ? this.peerSettings.maxConcurrentStreams : ASSUMED_MAX_STREAMS
    return Math.min(peers, this.limits.maxConcurrentStreams)
  }

  #canStart({ request }: UpstreamStream): boolean {
    // RFC 8441 §3: not before the upstream has said that it knows of it.
    if (request.upgrade !== undefined && !this.peerSettings.enablesConnectProtocol) return false
    return this.streams.size < this.#maxStreams()
  }

  #start(stream: UpstreamStream): void {
    stream.id = this.#nextStreamId
    this.#nextStreamId += 2
    if (this.#nextStreamId > MAX_STREAM_ID) this.#isGoingAway = true
    stream.sendWindow = this.peerSettings.initialWindowSize
    stream.state.open()
    this.streams.add(stream)
    this.sendHeaders(stream, pseudoFields(stream.request), regularFields(stream.request))
    this.sender.start(stream)
  }

  #startWaiting(): void {
    for (const stream of this.#waiting) {
      if (this.#isRefusedUpgrade(stream)) {
        this.#waiting.delete(stream)
        this.#failLater(stream, unsupported(stream.request))
      } else if (this.#canStart(stream)) {
        this.#waiting.delete(stream)
        this.#start(stream)
      } else return
    }
  }

  #isRefusedUpgrade({ request }: UpstreamStream): boolean {
    return request.upgrade !== undefined && this.#hasSettings && !this.peerSettings.enablesConnectProtocol
  }

  /** No receiver is called from within the method that it was passed to. */
  #failLater(stream: UpstreamStream, failure: ExchangeFailure): void {
    stream.state.reset()
    queueMicrotask(() => stream.failed(failure))
  }

  #failWaiting(failure: ExchangeFailure): void {
    for (const stream of [...this.#waiting]) {
      this.#waiting.delete(stream)
      stream.state.reset()
      stream.failed(failure)
    }
  }

  /** The response is whole. What is left of the request is of no use, except to a tunnel. */
  #endResponse(stream: UpstreamStream): void {
    if (stream.state.isClosed) {
      if (this.streams.get(stream.id) === stream) this.forget(stream, 'ended')
    } else if (!stream.isTunnel) this.reset(stream, ErrorCode.cancel)
    this.#settle()
  }

  /** A stream may have ended: others may start, or the connection end. */
  #settle(): void {
    if (this.isEnded) return
    if (this.#isGoingAway && this.isIdleNow) return this.end(undefined)
    this.#startWaiting()
    if (this.availableStreams > 0) this.#onAvailable()
  }
}

function unsupported({ upgrade }: UpstreamRequest): ExchangeFailure {
  const message = `it does not offer ${upgrade} over HTTP/2`
  return { code: 'upgrade-unsupported', message, isUnprocessed: true }
}

function failureOf(error: Http2Error): ExchangeFailure {
  const isConnection = error.scope === 'connection'
  return {
    code: isConnection ? 'upstream-closed' : error.code === 'write-stalled' ? 'request-stalled' : 'response-malformed',
    message: error.message,
    isUnprocessed: false,
    cause: error,
  }
}

function ignore(): void {}

/** RFC 9113 §6.5.2, §8.4. */
function clientSettings(limits: Http2Limits): [number, number][] {
  return [
    [SettingId.enablePush, 0],
    [SettingId.maxHeaderListSize, limits.maxHeaderListBytes],
  ]
}
