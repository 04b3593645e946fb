import type { Fields } from '../exchange/exchange.ts'
import { MAX_BATCH_BYTES } from './batch-rooms.ts'
import { DEFAULT_MAX_FRAME_BYTES, DEFAULT_WINDOW_BYTES, FRAME_HEADER_BYTES, MAX_WINDOW_BYTES } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import type { HpackEncoder } from './hpack/encoder.ts'
import { connectionError, streamError } from './http2-error.ts'
import { ProgressWatch } from './progress-watch.ts'
import { SendSchedule } from './send-schedule.ts'
import { type Http2Stream, MIN_PROGRESS_BYTES } from './stream.ts'

/** What is left of a batch is not worth a frame of its own. */
const MIN_FRAME_ROOM_BYTES = 1024

/** A source goes on when no more than this waits, so that there is something to send while it fetches more. */
const DRAINED_BYTES = 16 * 1024

/** Sends the content of all streams, within their windows and that of the connection (RFC 9113 §5.2). */
export class ContentSender<S extends Http2Stream> {
  readonly #frames: FrameWriter
  readonly #encoder: HpackEncoder
  readonly #maxQueuedBytes: number
  readonly #schedule = new SendSchedule<S>()
  readonly #onEndSent: (stream: S) => void
  #window = DEFAULT_WINDOW_BYTES
  #sentBytes = 0
  #fullFrames = 0
  readonly #stall = new ProgressWatch()
  #drained: S[] = []

  /** `onEndSent` is told of each stream whose END_STREAM was written. */
  constructor(frames: FrameWriter, encoder: HpackEncoder, maxQueuedBytes: number, onEndSent: (stream: S) => void) {
    this.#frames = frames
    this.#encoder = encoder
    this.#maxQueuedBytes = maxQueuedBytes
    this.#onEndSent = onEndSent
  }

  /**
   * Takes a piece of a stream's content. What cannot be written now waits; nothing is written now if `mustWait`. False
   * if so much waits that the source should pause.
   */
  send(stream: S, piece: Buffer, mustWait: boolean): boolean {
    const overtakes = stream.queue.bytes === 0 && this.#schedule.isEmpty
    const sent = overtakes && !mustWait && stream.id > 0 ? this.#sendNow(stream, piece) : 0
    if (sent < piece.length) {
      stream.queue.push(sent === 0 ? piece : piece.subarray(sent))
      if (stream.state.canSend && stream.sendWindow > 0) this.#schedule.add(stream)
    }
    const limit = mustWait || this.#room < MIN_FRAME_ROOM_BYTES ? DRAINED_BYTES : this.#maxQueuedBytes
    if (stream.queue.bytes < limit) return true
    stream.owesDrain = true
    return false
  }

  /** Nothing more will come for the stream; it ends when the last of its queue is sent. */
  end(stream: S, trailers: Fields | undefined): void {
    stream.isEnding = true
    stream.trailers = trailers
    if (stream.queue.bytes === 0 && stream.id > 0) this.#writeEnd(stream)
  }

  /** The stream was opened; what waited for that may go. */
  start(stream: S): void {
    if (stream.queue.bytes > 0 && stream.sendWindow > 0) this.#schedule.add(stream)
    if (stream.queue.bytes === 0 && stream.isEnding) this.#writeEnd(stream)
  }

  /** Drops what waits. */
  forget(stream: S): void {
    this.#schedule.remove(stream)
    stream.queue.clear()
    stream.owesDrain = false
  }

  /** Writes what may go, up to a batch. */
  fill(): void {
    while (this.#window > 0) {
      const room = this.#room
      const stream = room < MIN_FRAME_ROOM_BYTES ? undefined : this.#schedule.next()
      if (stream === undefined) return
      this.#sendQueued(stream, room)
    }
  }

  /** For the content of one more frame of the batch. */
  get #room(): number {
    return MAX_BATCH_BYTES - this.#frames.pendingBytes - FRAME_HEADER_BYTES
  }

  /** Octets of content that were sent on the connection. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  /** DATA frames that were sent on the connection, and that no window has cut short. */
  get fullFrames(): number {
    return this.#fullFrames
  }

  /** The streams whose sources may go on, each once. */
  takeDrained(): readonly S[] {
    const drained = this.#drained
    if (drained.length > 0) this.#drained = []
    return drained
  }

  /** RFC 9113 §6.9: the peer raises the window of the connection. */
  raise(increment: number): void {
    this.#window += increment
    if (this.#window > MAX_WINDOW_BYTES) throw connectionError('window-too-large')
  }

  /** RFC 9113 §6.9: the peer raises the window of a stream. */
  raiseStream(stream: S, increment: number): void {
    if (stream.sendWindow + increment > MAX_WINDOW_BYTES) throw streamError('window-too-large')
    this.#moveWindow(stream, increment)
  }

  /** RFC 9113 §6.9.2: the peer has changed the initial window, and so that of each stream. */
  shiftWindows(streams: Iterable<S>, difference: number): void {
    for (const stream of streams) {
      if (stream.sendWindow + difference > MAX_WINDOW_BYTES) throw connectionError('window-too-large')
      this.#moveWindow(stream, difference)
    }
  }

  /** Whether the peer keeps all streams waiting by the window of the connection. To be asked at each sweep. */
  isStalled(now: number, limitMs: number): boolean {
    const isWaiting = this.#window <= 0 && !this.#schedule.isEmpty
    return this.#stall.isOverdue(now, isWaiting, this.#sentBytes, MIN_PROGRESS_BYTES, limitMs)
  }

  /** Gives a stream another priority. */
  reprioritize(stream: S, priority: S['priority']): void {
    const wasScheduled = stream.isScheduled
    this.#schedule.remove(stream)
    stream.priority = priority
    if (wasScheduled) this.#schedule.add(stream)
  }

  #moveWindow(stream: S, difference: number): void {
    stream.sendWindow += difference
    if (stream.sendWindow <= 0) this.#schedule.remove(stream)
    else if (stream.queue.bytes > 0 && stream.id > 0) this.#schedule.add(stream)
  }

  /** Returns how much of the piece was written. */
  #sendNow(stream: S, piece: Buffer): number {
    let at = 0
    while (at < piece.length) {
      const bytes = Math.min(piece.length - at, DEFAULT_MAX_FRAME_BYTES, stream.sendWindow, this.#window, this.#room)
      if (bytes <= 0) break
      this.#frames.data(stream.id, piece, at, at + bytes)
      at += bytes
      this.#count(stream, bytes)
    }
    return at
  }

  #sendQueued(stream: S, room: number): void {
    const bytes = Math.min(stream.queue.bytes, DEFAULT_MAX_FRAME_BYTES, stream.sendWindow, this.#window, room)
    this.#frames.queuedData(stream.id, stream.queue, bytes)
    this.#count(stream, bytes)
    if (stream.sendWindow <= 0 || stream.queue.bytes === 0) this.#schedule.remove(stream)
    if (stream.queue.bytes === 0 && stream.isEnding) return this.#writeEnd(stream)
    if (!stream.owesDrain || stream.queue.bytes > DRAINED_BYTES) return
    stream.owesDrain = false
    this.#drained.push(stream)
  }

  #count(stream: S, bytes: number): void {
    stream.sendWindow -= bytes
    this.#window -= bytes
    this.#sentBytes += bytes
    if (stream.sendWindow > 0 && this.#window > 0) this.#fullFrames++
    stream.sentBytes += bytes
  }

  #writeEnd(stream: S): void {
    const { trailers } = stream
    if (trailers === undefined || trailers.length === 0) this.#frames.endStream(stream.id)
    else this.#frames.headers(stream.id, this.#encoder, [], trailers, true)
    stream.state.sendEnd()
    this.#onEndSent(stream)
  }
}
