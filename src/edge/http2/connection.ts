import type { Fields } from '../exchange/exchange.ts'
import { ClosedStreams, type Closing } from './closed-streams.ts'
import { ContentQueue } from './content-queue.ts'
import { type ConnectionCredit, ContentReceiver } from './content-receiver.ts'
import { ContentSender } from './content-sender.ts'
import type { ErrorCode } from './error-code.ts'
import { FieldBlockReader, type FieldSection } from './field-block.ts'
import { Flag, FrameType, readUInt31 } from './frame.ts'
import type { Setting } from './frame-writer.ts'
import type { DecodedFields } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { connectionError, Http2Error, streamError } from './http2-error.ts'
import type { Http2Stream } from './stream.ts'
import { StreamTable } from './stream-table.ts'
import { Http2Transport, type TransportOptions } from './transport.ts'

/** What makes the one role differ from the other before anything is said. */
export type RoleFacts = {
  readonly peer: 'client' | 'server'
  readonly settings: readonly Setting[]
  readonly credit: ConnectionCredit
}

/** What is gathered for a receiver that takes no more, before it goes on to it. */
const MIN_GATHERED_BYTES = 4096

/** Octets of content that earn a peer one WINDOW_UPDATE, and how many a DATA frame does: of the stream, and of all. */
const BYTES_PER_WINDOW_UPDATE = 1024
const WINDOW_UPDATES_PER_FRAME = 2

/**
 * An HTTP/2 connection (RFC 9113), as far as both roles have it in common: streams, their content and their errors.
 * What frames mean for a request is for the roles.
 */
export abstract class Http2Connection<S extends Http2Stream> extends Http2Transport<S> {
  protected readonly sender: ContentSender<S>
  protected readonly closedStreams = new ClosedStreams()
  /** Those that are under way: not closed, or with last frames that have not left the socket. */
  protected readonly streams = new StreamTable<S>()
  /** When the last stream ended, or the connection began. */
  protected idleSince: number
  readonly #onStreamError: (error: Http2Error) => void
  readonly #receiver: ContentReceiver
  readonly #encoder = new HpackEncoder()
  readonly #blocks: FieldBlockReader
  /** Takes the content of the DATA frame that is being read. */
  #dataStream: S | undefined
  #hasContent = false
  /** How much of what was sent has earned the peer its answers. */
  #earnedBytes = 0
  #earnedFrames = 0

  constructor(options: TransportOptions, { peer, settings, credit }: RoleFacts) {
    super(options, peer, settings)
    const { limits } = options
    const { frames } = this.output
    this.idleSince = this.sweptAt
    this.#onStreamError = options.onStreamError
    this.#blocks = new FieldBlockReader(limits)
    this.sender = new ContentSender(frames, this.#encoder, limits.maxQueuedBytes, (stream) => this.onEndSent(stream))
    this.#receiver = new ContentReceiver(frames, limits, credit)
    this.#receiver.open(limits.connectionWindowBytes)
  }

  /** A field section is there. They come in the order of the frames. */
  protected abstract onHeaders(streamId: number, section: DecodedFields, endsStream: boolean): void
  /** Content for a stream that can receive. False: enough for now. */
  protected abstract onContent(stream: S, piece: Buffer): boolean
  /** END_STREAM came with DATA. */
  protected abstract onContentEnd(stream: S): void
  /** END_STREAM was written. */
  protected abstract onEndSent(stream: S): void
  /** The last frame of a stream that is still here has left the socket. */
  protected abstract onEndDelivered(stream: S): void
  /** The peer has reset a stream, which is closed now. */
  protected abstract onResetReceived(stream: S, errorCode: number): void
  /** The stream was closed by an error, its own or the connection's. */
  protected abstract onStreamFailed(stream: S, error: Http2Error): void
  /** The source of a stream may go on. */
  protected abstract onDrained(stream: S): void
  /** RFC 9218 §7.1. */
  protected abstract onPriorityUpdate(streamId: number, value: string): void
  /** Whether nobody has used this identifier yet. */
  protected abstract isIdle(streamId: number): boolean
  protected abstract sweepStream(stream: S, now: number): void
  protected abstract sweepConnection(now: number): void

  // What streams ask of their connection.

  /** Sends a field section: a response's or request's head, or an interim response. */
  sendHeaders(stream: S, pseudo: Fields, fields: Fields): void {
    this.output.frames.headers(stream.id, this.#encoder, pseudo, fields, false)
    this.output.schedule()
  }

  /** Sends a field section that is a whole response, for a stream that is not kept. */
  protected answer(streamId: number, fields: Fields): void {
    this.output.frames.headers(streamId, this.#encoder, fields, [], true)
    this.output.schedule()
  }

  /** Sends a piece of content, now or later. False: no more before `onDrained`. */
  sendContent(stream: S, piece: Buffer): boolean {
    this.output.schedule()
    return this.sender.send(stream, piece, this.output.isBlocked)
  }

  /** Ends what is sent. */
  endContent(stream: S, trailers: Fields | undefined): void {
    this.output.schedule()
    this.sender.end(stream, trailers)
  }

  /** The stream's receiver takes more. */
  resumeContent(stream: S): void {
    if (this.isEnded || stream.state.isClosed) return
    this.#receiver.resume(stream)
    this.output.schedule()
    this.guard(() => this.#pushGathered(stream))
  }

  /** Resets a stream (RFC 9113 §5.4.2) and forgets it. */
  reset(stream: S, errorCode: ErrorCode): void {
    this.output.frames.rstStream(stream.id, errorCode)
    this.output.schedule()
    this.forget(stream, 'reset-sent')
  }

  /** The stream is closed, and nothing more is sent on it. */
  protected forget(stream: S, closing: Closing): void {
    stream.state.reset()
    stream.closing = closing
    stream.gathered = undefined
    this.sender.forget(stream)
    this.#receiver.forget(stream)
    if (!this.streams.delete(stream.id)) return
    this.closedStreams.add(stream.id, closing)
    if (this.streams.size === 0) this.idleSince = this.sweptAt
  }

  protected onOver(error: Http2Error): void {
    for (const stream of this.streams.values()) {
      this.forget(stream, 'reset-sent')
      this.onStreamFailed(stream, error)
    }
  }

  /** An error of a stream costs that stream; any other goes on. */
  #resetOnError(streamId: number, error: unknown): void {
    if (!(error instanceof Http2Error) || error.scope === 'connection') throw error
    this.#failStream(streamId, error)
  }

  /**
   * Resets a stream for what its peer did; with too many of them, the peer makes us work for nothing (CVE-2025-8671).
   */
  #failStream(streamId: number, error: Http2Error): void {
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      this.output.frames.rstStream(streamId, error.errorCode)
      this.closedStreams.add(streamId, 'reset-sent')
    } else {
      this.reset(stream, error.errorCode)
      this.onStreamFailed(stream, error)
    }
    this.output.schedule()
    this.#onStreamError(error)
    this.budgets.charge('resets')
  }

  // Frames.

  protected beginFrame(type: number, streamId: number, length: number): void {
    this.#blocks.checkFrame(type, streamId)
    if (type === FrameType.data) this.#beginData(streamId, length)
  }

  protected readFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    try {
      switch (type) {
        case FrameType.headers:
          return this.#readSection(this.#blocks.readHeaders(flags, streamId, bytes, start, end, this.sweptAt))
        case FrameType.continuation:
          return this.#readSection(this.#blocks.readContinuation(flags, bytes, start, end))
        case FrameType.windowUpdate:
          return this.#readWindowUpdate(streamId, readUInt31(bytes, start))
        case FrameType.rstStream:
          return this.#readRstStream(streamId, bytes.readUInt32BE(start))
        case FrameType.priority:
          return this.#readPriority(streamId, end - start)
        case FrameType.priorityUpdate:
          this.budgets.charge('priorities')
          return this.onPriorityUpdate(readUInt31(bytes, start), bytes.toString('latin1', start + 4, end))
        default:
          // RFC 9113 §5.5.
          this.budgets.charge('unknownFrames')
      }
    } catch (error) {
      this.#resetOnError(streamId, error)
    }
  }

  /** RFC 9113 §4.3: decoded whatever becomes of it, as it changes the state of the decoder. */
  #readSection(section: FieldSection | undefined): void {
    if (section === undefined) return
    const { streamId, fields, endsStream } = section
    const stream = this.streams.get(streamId)
    if (stream?.closing === 'reset-sent') return
    if (stream !== undefined) {
      stream.state.receive()
      this.#pushGathered(stream)
      if (stream.state.isClosed) return
      if (endsStream) this.#receiveEnd(stream)
    }
    this.onHeaders(streamId, fields, endsStream)
  }

  /** RFC 9113 §6.1. */
  #beginData(streamId: number, length: number): void {
    this.#dataStream = undefined
    this.#hasContent = false
    this.#receiver.begin(length)
    try {
      const stream = this.streams.get(streamId)
      if (stream === undefined) return this.#checkUnknown(streamId)
      if (stream.closing === 'reset-sent') return
      stream.state.receive()
      this.#receiver.beginStream(stream, length)
      this.#dataStream = stream
    } catch (error) {
      this.#resetOnError(streamId, error)
    }
  }

  onData(piece: Buffer): void {
    this.#hasContent = true
    this.output.schedule()
    const stream = this.#dataStream
    if (stream === undefined || stream.state.isClosed) return this.#receiver.discard(piece.length)
    const isTaken = stream.isPaused ? this.#gather(stream, piece) : this.#pushContent(stream, piece)
    if (stream.state.isClosed) this.#receiver.discard(piece.length)
    else this.#receiver.take(stream, piece.length, isTaken)
  }

  /**
   * Content for a receiver that has said "enough", but was under way. Octets that come one by one must not become
   * pieces, of which a window would hold too many.
   */
  #gather(stream: S, piece: Buffer): boolean {
    stream.gathered ??= new ContentQueue()
    stream.gathered.push(piece)
    if (stream.gathered.bytes >= MIN_GATHERED_BYTES) this.#pushGathered(stream)
    return false
  }

  #pushGathered(stream: S): void {
    for (let piece = stream.gathered?.shift(); piece !== undefined; piece = stream.gathered?.shift())
      if (!this.#pushContent(stream, piece)) stream.isPaused = true
  }

  #pushContent(stream: S, piece: Buffer): boolean {
    try {
      return this.onContent(stream, piece)
    } catch (error) {
      this.#resetOnError(stream.id, error)
      return true
    }
  }

  onPadding(bytes: number): void {
    this.output.schedule()
    const stream = this.#dataStream
    if (stream === undefined || stream.state.isClosed) this.#receiver.discard(bytes)
    else this.#receiver.take(stream, bytes, true)
  }

  onDataEnd(flags: number): void {
    const endsStream = (flags & Flag.endStream) !== 0
    if (!endsStream && !this.#hasContent) this.budgets.charge('emptyFrames')
    const stream = this.#dataStream
    this.#dataStream = undefined
    if (!endsStream || stream === undefined || stream.state.isClosed) return
    try {
      this.#pushGathered(stream)
      if (stream.state.isClosed) return
      this.#receiveEnd(stream)
      this.onContentEnd(stream)
    } catch (error) {
      this.#resetOnError(stream.id, error)
    }
  }

  #receiveEnd(stream: S): void {
    stream.state.receiveEnd()
    if (stream.state.isClosed) stream.closing = 'ended'
  }

  /** RFC 9113 §6.3: deprecated; nothing is made of it. */
  #readPriority(streamId: number, length: number): void {
    this.budgets.charge('priorities')
    if (length === 5) return
    // RST_STREAM is not for idle streams (§6.4), and of no use for closed ones.
    const failed = this.streams.get(streamId) !== undefined ? streamError : connectionError
    throw failed('frame-size-invalid', { type: 'PRIORITY', length })
  }

  /** RFC 9113 §6.4. */
  #readRstStream(streamId: number, errorCode: number): void {
    const stream = this.streams.get(streamId)
    if (stream === undefined && this.isIdle(streamId)) throw connectionError('stream-idle', { streamId })
    // An upstream may refuse as much as it likes; a client that resets makes us work for nothing (CVE-2023-44487).
    if (this.peer === 'client' || stream === undefined) this.budgets.charge('resets')
    if (stream === undefined) return
    this.forget(stream, 'reset-received')
    this.onResetReceived(stream, errorCode)
  }

  /** RFC 9113 §6.9. */
  #readWindowUpdate(streamId: number, increment: number): void {
    this.earnAnswers()
    this.budgets.charge('windowUpdates')
    this.output.schedule()
    if (streamId === 0) {
      if (increment === 0) throw connectionError('window-increment-zero')
      return this.sender.raise(increment)
    }
    const stream = this.streams.get(streamId)
    if (stream === undefined && this.isIdle(streamId)) throw connectionError('stream-idle', { streamId })
    if (stream === undefined || stream.state.isClosed) return
    if (increment === 0) throw streamError('window-increment-zero')
    this.sender.raiseStream(stream, increment)
  }

  /**
   * What we send gives a right to answers: windows, and the PINGs by which gRPC measures a connection. A frame that a
   * window has cut short gives none, or a window that opens by an octet at a time would earn its own (CVE-2019-9511).
   */
  protected earnAnswers(): void {
    const { sentBytes, fullFrames } = this.sender
    const frames = fullFrames - this.#earnedFrames
    const updates = frames * WINDOW_UPDATES_PER_FRAME + (sentBytes - this.#earnedBytes) / BYTES_PER_WINDOW_UPDATE
    this.#earnedBytes = sentBytes
    this.#earnedFrames = fullFrames
    this.budgets.earn('windowUpdates', updates)
    this.budgets.earn('pings', frames)
  }

  /**
   * A frame came for a stream that is not under way. That is to be expected after our own reset, and may be so after an
   * end that is long ago; otherwise it is an error (RFC 9113 §5.1).
   */
  #checkUnknown(streamId: number): void {
    if (this.isIdle(streamId)) throw connectionError('stream-idle', { streamId })
    const closing = this.closedStreams.find(streamId)
    if (closing !== undefined && closing !== 'reset-sent') throw streamError('stream-closed', { streamId })
  }

  protected applySettings(windowDifference: number): void {
    this.#encoder.setMaxTableBytes(this.peerSettings.headerTableSize)
    if (windowDifference !== 0) this.sender.shiftWindows(this.streams.values(), windowDifference)
  }

  // The output and the sweep.

  onFill(): void {
    this.sender.fill()
  }

  onFlushed(): void {
    for (const stream of this.sender.takeDrained()) this.guard(() => this.onDrained(stream))
  }

  onDelivered(ended: readonly S[]): void {
    // A reset may have come in the meantime.
    for (const stream of ended)
      if (this.streams.get(stream.id) === stream) this.guard(() => this.onEndDelivered(stream))
  }

  protected sweepStreams(now: number): void {
    if (this.#blocks.isOverdue(now)) throw connectionError('field-block-timeout')
    if (this.sender.isStalled(now, this.limits.writeStallMs)) throw connectionError('write-stalled')
    for (const stream of this.streams.values()) {
      if (stream.isStalled(now, this.limits.writeStallMs)) this.#failStream(stream.id, streamError('write-stalled'))
      else this.sweepStream(stream, now)
    }
    this.sweepConnection(now)
  }
}
