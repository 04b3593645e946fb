import type { Duplex } from 'node:stream'
import { type ClientFacts, type Exchange, type Fields, NO_FIELDS } from '../exchange/exchange.ts'
import { cutGlimpse, type RefusedRequest } from '../exchange/refused-request.ts'
import type { HttpDate } from '../http-date.ts'
import { ALLOWED_METHODS } from '../middleware/max-forwards.ts'
import type { Sweeping } from '../sweep.ts'
import { leavesHttp } from '../upgrade.ts'
import { Http2Connection } from './connection.ts'
import { ErrorCode } from './error-code.ts'
import { readTrailers } from './field-rules.ts'
import { Flag, MAX_STREAM_ID } from './frame.ts'
import type { DecodedFields } from './hpack/decoder.ts'
import { connectionError, Http2Error, streamError } from './http2-error.ts'
import { type Http2Limits, SERVER_LIMITS } from './limits.ts'
import { type Priority, parsePriority } from './priority.ts'
import { type ReadRequest, RequestReader } from './request-reader.ts'
import { ServerStream } from './server-stream.ts'
import { SettingId } from './settings.ts'

export type Http2ServerOptions = {
  /** A connection whose TLS handshake chose `h2`, or one in clear text whose client knows (RFC 9113 §3.3). */
  readonly socket: Duplex
  readonly client: ClientFacts
  /** What requests on this connection have, whatever they claim. */
  readonly scheme: 'http' | 'https'
  readonly sweep: Sweeping
  readonly date: HttpDate
  readonly onExchange: (exchange: Exchange) => void
  /** A request was answered, or reset, without a call of `onExchange`. */
  readonly onRefusal?: (request: RefusedRequest) => void
  /** Called once, when the socket has closed; with an error if one of either side was the reason. */
  readonly onClose?: (error: Http2Error | undefined) => void
  /** Called for each stream that is reset for what the peer did, or failed to do. */
  readonly onStreamError?: (error: Http2Error) => void
  /** `SERVER_LIMITS` unless given. */
  readonly limits?: Http2Limits
}

/** What marks the PING that tells when a drain is known to the client; its acknowledgment repeats it. */
const DRAIN_PING = Buffer.from('draining', 'latin1')

/** What is answered without a look at who would serve it, by the rule that was broken. */
const REFUSALS = {
  'fields-too-large': 431,
  'method-not-served': 405,
  'expectation-unsupported': 417,
  'protocol-not-served': 501,
} as const
const CONTENT_OVERDUE = 'content-incomplete-in-time'
const RESET_RECEIVED = 'reset-received'
const REFUSAL_PING = Buffer.from('refused!', 'latin1')

/**
 * How far the connection has come with its end (RFC 9113 §6.8): `announced` when the client has been asked to open no
 * more streams, `final` when it was told which of them we still serve.
 */
type Drain = { readonly stage: 'none' | 'announced' | 'final'; readonly since: number }

/** HTTP/2 with a client. */
export class Http2ServerConnection extends Http2Connection<ServerStream> {
  readonly #client: ClientFacts
  readonly #date: HttpDate
  readonly #onExchange: (exchange: Exchange) => void
  readonly #onRefusal: (request: RefusedRequest) => void
  readonly #requests: RequestReader
  /** The highest stream that we have done anything for. */
  #lastServedId = 0
  /** The highest that the client has opened. */
  #lastStreamId = 0
  #requestCount = 0
  #drain: Drain = { stage: 'none', since: 0 }
  /** RFC 9218 §7.1: for streams that are still idle. */
  readonly #priorities = new Map<number, Priority>()

  constructor(options: Http2ServerOptions) {
    const { socket, client, scheme, sweep, date, onExchange, onClose = ignore, onStreamError = ignore } = options
    const { limits = SERVER_LIMITS, onRefusal = ignore } = options
    super(
      { socket, sweep, limits, onClose, onStreamError },
      { peer: 'client', settings: serverSettings(limits), credit: 'on-consumption' },
    )
    this.#client = client
    this.#date = date
    this.#onExchange = onExchange
    this.#onRefusal = onRefusal
    this.#requests = new RequestReader(scheme)
  }

  /** Lets what is under way end, and whatever the client sends before it knows, and closes (RFC 9113 §6.8). */
  drain(): void {
    if (this.isEnded || this.#drain.stage !== 'none') return
    this.#drain = { stage: 'announced', since: this.sweptAt }
    this.output.frames.goaway(MAX_STREAM_ID, ErrorCode.noError, '')
    this.output.frames.ping(DRAIN_PING, 0, Flag.none)
    this.output.schedule()
  }

  protected get lastPeerStreamId(): number {
    return this.#lastServedId
  }

  /** A client's are odd (RFC 9113 §5.1.1); of ours there are none. */
  protected isIdle(streamId: number): boolean {
    return streamId > this.#lastStreamId || streamId % 2 === 0
  }

  protected onHeaders(streamId: number, section: DecodedFields, endsStream: boolean): void {
    const stream = this.streams.get(streamId)
    if (stream !== undefined) return this.#readTrailers(stream, section, endsStream)
    if (!this.#opens(streamId)) return
    this.#lastServedId = streamId
    if (this.streams.size >= this.limits.maxConcurrentStreams)
      throw this.#refusedBy(section.fields, streamError('stream-refused', { streamId }))
    if (section.isTooLarge) return this.#refuse(streamId, section.fields, 'fields-too-large', endsStream)
    this.#serve(streamId, section.fields, endsStream)
  }

  protected onContent(stream: ServerStream, piece: Buffer): boolean {
    if (stream.refusedAt === undefined) return stream.contentArrived(piece)
    stream.bytesAfterRefusal += piece.length
    if (stream.bytesAfterRefusal > this.limits.declineBytes) this.#endRefused(stream)
    return true
  }

  protected onContentEnd(stream: ServerStream): void {
    stream.contentEnded(NO_FIELDS)
    this.#forgetIfRefused(stream)
  }

  protected onEndSent(stream: ServerStream): void {
    if (stream.state.isClosed) stream.closing = 'ended'
    else if (!stream.isTunnel && !stream.isRefused) this.#declineRest(stream)
    if (!stream.isTunnel || stream.state.isClosed) this.output.addEnded(stream)
  }

  protected onEndDelivered(stream: ServerStream): void {
    if (stream.state.isClosed) this.forget(stream, stream.closing ?? 'ended')
    else stream.refusedAt = this.sweptAt
    stream.over('complete')
    if (!stream.state.isClosed) this.resumeContent(stream)
    this.#endIfDrained()
  }

  protected onResetReceived(stream: ServerStream): void {
    stream.over('aborted', RESET_RECEIVED)
    this.#endIfDrained()
  }

  protected onStreamFailed(stream: ServerStream, { code }: Http2Error): void {
    stream.over('aborted', code)
    this.#endIfDrained()
  }

  protected onDrained(stream: ServerStream): void {
    stream.drained()
  }

  /** The client will open no more streams; those that are open go on. */
  protected onGoaway(): void {}

  protected onSettings(): void {}

  protected onPingAck(payload: Buffer): void {
    if (this.#drain.stage === 'announced' && payload.equals(DRAIN_PING)) this.#finishDrain()
  }

  /** RFC 9218 §7.1. */
  protected onPriorityUpdate(streamId: number, value: string): void {
    if (streamId % 2 === 0) throw connectionError('priority-update-invalid', { streamId })
    const stream = this.streams.get(streamId)
    if (stream !== undefined) return this.sender.reprioritize(stream, parsePriority(value))
    if (!this.isIdle(streamId)) return
    this.#priorities.set(streamId, parsePriority(value))
    if (this.#priorities.size + this.streams.size > this.limits.maxConcurrentStreams)
      throw connectionError('priority-update-invalid', { streamId })
  }

  protected sweepStream(stream: ServerStream, now: number): void {
    if (stream.refusedAt === undefined) {
      if (stream.isContentOverdue(now, this.limits)) stream.timeOut(CONTENT_OVERDUE, this.#date.now())
    } else if (now - stream.refusedAt >= this.limits.declineMs) this.#endRefused(stream)
  }

  protected sweepConnection(now: number): void {
    if (this.#drain.stage === 'announced' && now - this.#drain.since >= this.limits.drainMs) this.#finishDrain()
    if (this.streams.size === 0 && now - this.idleSince >= this.limits.idleMs) this.end(undefined)
  }

  /** Whether this opens a stream that is to be served. RFC 9113 §5.1.1 */
  #opens(streamId: number): boolean {
    if (streamId % 2 === 0) throw connectionError('stream-id-invalid', { streamId })
    if (streamId > this.#lastStreamId) {
      this.#lastStreamId = streamId
      if (this.#drain.stage !== 'final') return true
      // RFC 9113 §6.8: what comes beyond the final GOAWAY is discarded.
      this.closedStreams.add(streamId, 'reset-sent')
      return false
    }
    const closing = this.closedStreams.find(streamId)
    if (closing === 'reset-sent') return false
    throw connectionError(closing === undefined ? 'stream-id-invalid' : 'stream-closed', { streamId })
  }

  #serve(streamId: number, fields: readonly string[], endsStream: boolean): void {
    const request = this.#read(fields, endsStream)
    const { method, upgrade } = request.head
    if (method === 'CONNECT') return this.#refuse(streamId, fields, 'method-not-served', endsStream)
    if (request.expectation === 'unknown') return this.#refuse(streamId, fields, 'expectation-unsupported', endsStream)
    // As RFC 9220 §3 has it.
    if (upgrade !== undefined && !leavesHttp(upgrade))
      return this.#refuse(streamId, fields, 'protocol-not-served', endsStream)
    const stream = new ServerStream(streamId, this.peerSettings.initialWindowSize, request, this.#client, this)
    stream.state.open()
    if (endsStream) stream.state.receiveEnd()
    this.#prioritize(stream, request.priority)
    this.streams.add(stream)
    this.budgets.earn('priorities', 2)
    this.budgets.earn('unknownFrames', 1)
    if (++this.#requestCount >= this.limits.maxRequests) this.drain()
    this.#onExchange(stream)
    if (endsStream) stream.announceEnd()
  }

  /** Throws an error of the stream for a request that it cannot have. */
  #read(fields: Fields, endsStream: boolean): ReadRequest {
    try {
      return this.#requests.read(fields, endsStream)
    } catch (error) {
      throw error instanceof Http2Error ? this.#refusedBy(fields, error) : error
    }
  }

  /** Tells of a request that is reset before anybody gets to see it, and gives the error back. */
  #refusedBy(fields: Fields, error: Http2Error): Http2Error {
    this.#onRefusal(refusedRequest(fields, 0, error.code))
    return error
  }

  /** RFC 9218 §7: what a PRIORITY_UPDATE says goes before what the request says. */
  #prioritize(stream: ServerStream, field: string | undefined): void {
    const updated = this.#priorities.get(stream.id)
    if (updated !== undefined) stream.priority = updated
    else if (field !== undefined) stream.priority = parsePriority(field)
    if (this.#priorities.size === 0) return
    // RFC 9113 §5.1.1: lower ones that are still idle are closed by this.
    for (const streamId of this.#priorities.keys()) if (streamId <= stream.id) this.#priorities.delete(streamId)
  }

  #readTrailers(stream: ServerStream, { fields, isTooLarge }: DecodedFields, endsStream: boolean): void {
    // RFC 9113 §8.1.
    if (!endsStream) throw streamError('trailers-unfinished')
    if (stream.isTunnel) throw streamError('content-unexpected')
    if (isTooLarge) throw streamError('fields-too-large')
    stream.contentEnded(readTrailers(fields))
    this.#forgetIfRefused(stream)
  }

  /** Answers a request that nobody else gets to see. It is charged like a reset, for it costs as much. */
  #refuse(streamId: number, fields: Fields, why: keyof typeof REFUSALS, endsStream: boolean): void {
    const status = REFUSALS[why]
    this.#onRefusal(refusedRequest(fields, status, why))
    const allow = why === 'method-not-served' ? ['allow', ALLOWED_METHODS] : []
    this.answer(streamId, [':status', String(status), 'content-length', '0', 'date', this.#date.now(), ...allow])
    if (!endsStream) this.output.frames.rstStream(streamId, ErrorCode.noError)
    this.closedStreams.add(streamId, endsStream ? 'ended' : 'reset-sent')
    this.budgets.charge('resets')
  }

  /**
   * The response is whole, so the rest of the request is of no use (RFC 9113 §8.1). A client that is refused is expected to
   * see so for itself, and told only after a while: curl 7.88 reports a reset that comes with the response, and not the
   * response. Of one that succeeds it takes no notice, and would wait for ever.
   */
  #declineRest(stream: ServerStream): void {
    this.output.frames.rstStream(stream.id, ErrorCode.noError)
    stream.state.reset()
    stream.closing = 'reset-sent'
  }

  #endRefused(stream: ServerStream): void {
    this.reset(stream, ErrorCode.noError)
    this.#endIfDrained()
  }

  /**
   * The client has ended a request whose refusal it has already. It is sent something, for curl 7.88 does not look whether its
   * stream has ended before a frame comes.
   */
  #forgetIfRefused(stream: ServerStream): void {
    if (stream.refusedAt === undefined) return
    this.forget(stream, 'ended')
    this.output.frames.ping(REFUSAL_PING, 0, Flag.none)
    this.output.schedule()
    this.#endIfDrained()
  }

  /** After a round trip: what the client had sent by now is served, and nothing beyond (RFC 9113 §6.8). */
  #finishDrain(): void {
    this.#drain = { stage: 'final', since: this.sweptAt }
    this.output.frames.goaway(this.#lastServedId, ErrorCode.noError, '')
    this.output.schedule()
    this.#endIfDrained()
  }

  #endIfDrained(): void {
    if (this.#drain.stage === 'final' && this.streams.size === 0) this.end(undefined)
  }
}

function ignore(): void {}

/** What a request seems to say although it was refused. */
function refusedRequest(fields: Fields, status: number, why: string): RefusedRequest {
  const first = (name: string): string | undefined => {
    const at = fields.findIndex((text, index) => index % 2 === 0 && text === name)
    return at < 0 ? undefined : fields[at + 1]
  }
  const seen = { method: first(':method'), authority: first(':authority') ?? first('host'), target: first(':path') }
  return { ...cutGlimpse(seen), version: '2', status, bytes: 0, durationMs: 0, why }
}

/** RFC 9113 §6.5.2; RFC 8441 §3; RFC 9218 §2.1. */
function serverSettings(limits: Http2Limits): [number, number][] {
  return [
    [SettingId.maxConcurrentStreams, limits.maxConcurrentStreams],
    [SettingId.maxHeaderListSize, limits.maxHeaderListBytes],
    [SettingId.enableConnectProtocol, 1],
    [SettingId.noRfc7540Priorities, 1],
  ]
}
