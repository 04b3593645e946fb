import { Flag, FRAME_HEADER_BYTES, FrameType, PREFACE, readUInt31 } from './frame.ts'
import { checkFrameHeader } from './frame-rules.ts'
import { connectionError } from './http2-error.ts'

/** What is made of the frames. Whatever it throws goes to whoever pushed the bytes. */
export interface FrameHandler {
  /** A frame begins; its payload follows if this returns. */
  onFrameHeader(type: number, flags: number, streamId: number, length: number): void
  /**
   * The whole payload of a frame other than DATA: `bytes` from `start` up to `end`. They are valid during the call
   * only.
   */
  onPayload(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void
  /** A piece of the content of the DATA frame that has begun. It belongs to the handler. */
  onData(piece: Buffer): void
  /** Octets of the DATA frame that are no content: the padding and its length. */
  onPadding(bytes: number): void
  /** The DATA frame that has begun is over. */
  onDataEnd(flags: number): void
}

/** What is read next. */
const State = { preface: 0, header: 1, payload: 2, padLength: 3, data: 4, padding: 5, stopped: 6 } as const
type State = (typeof State)[keyof typeof State]

/**
 * A piece of content keeps the whole buffer that it was read into. If it is no larger part of that than this, it is
 * copied, so that what waits for a slow receiver takes memory in proportion to its own size.
 */
const MIN_SHARE_KEPT = 1 / 4

const NOTHING = Buffer.alloc(0)

/**
 * Cuts the bytes of a connection into frames (RFC 9113 §4.1), however they are split. DATA is passed on as it arrives;
 * other frames are held until they are whole, in memory that grows with what has arrived.
 */
export class FrameReader {
  readonly #handler: FrameHandler
  #state: State
  /** What has arrived of the preface, or of a frame's header or payload that came in parts. */
  #stash: Buffer = NOTHING
  #stashed = 0
  #type = 0
  #flags = 0
  #streamId = 0
  #framesBegun = 0
  /** Octets of the payload, or of the content of a DATA frame, that are still to come. */
  #left = 0
  #paddingLeft = 0

  /** A server expects the preface first; a client does not get one. */
  constructor(handler: FrameHandler, { expectsPreface }: { readonly expectsPreface: boolean }) {
    this.#handler = handler
    this.#state = expectsPreface ? State.preface : State.header
  }

  /** Whether a frame other than DATA has come in part. */
  get isWithinFrame(): boolean {
    return this.#state === State.payload || (this.#state === State.header && this.#stashed > 0)
  }

  /** How many frames have begun. */
  get framesBegun(): number {
    return this.#framesBegun
  }

  /** Takes what has arrived. The chunk must not change any more: pieces of content are parts of it. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && this.#state !== State.stopped) at = this.#read(chunk, at)
  }

  /** Reads nothing any more, also of the chunk at hand. */
  stop(): void {
    this.#state = State.stopped
    this.#stash = NOTHING
  }

  /** Takes what it can from `at` on and returns the offset after that. */
  #read(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case State.header:
        return this.#readHeader(chunk, at)
      case State.payload:
        return this.#readPayload(chunk, at)
      case State.data:
        return this.#readData(chunk, at)
      case State.padLength:
        return this.#readPadLength(chunk, at)
      case State.padding:
        return this.#readPadding(chunk, at)
      case State.preface:
        return this.#readPreface(chunk, at)
      default:
        return chunk.length
    }
  }

  #readPreface(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + PREFACE.length - this.#stashed)
    if (chunk.compare(PREFACE, this.#stashed, this.#stashed + end - at, at, end) !== 0)
      throw connectionError('preface-invalid')
    this.#stashed += end - at
    if (this.#stashed === PREFACE.length) this.#expectHeader()
    return end
  }

  #readHeader(chunk: Buffer, at: number): number {
    if (this.#stashed === 0 && chunk.length - at >= FRAME_HEADER_BYTES) {
      this.#begin(chunk, at)
      return this.#beginPayload(chunk, at + FRAME_HEADER_BYTES)
    }
    const end = this.#stashUpTo(FRAME_HEADER_BYTES, chunk, at)
    if (this.#stashed < FRAME_HEADER_BYTES) return end
    const header = this.#stash
    this.#stash = NOTHING
    this.#stashed = 0
    this.#begin(header, 0)
    return this.#beginPayload(chunk, end)
  }

  /** RFC 9113 §4.1. */
  #begin(bytes: Buffer, at: number): void {
    this.#left = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    this.#type = bytes[at + 3]!
    this.#flags = bytes[at + 4]!
    this.#streamId = readUInt31(bytes, at + 5)
    this.#framesBegun++
    checkFrameHeader(this.#type, this.#flags, this.#streamId, this.#left)
    this.#handler.onFrameHeader(this.#type, this.#flags, this.#streamId, this.#left)
  }

  #beginPayload(chunk: Buffer, at: number): number {
    if (this.#state === State.stopped) return chunk.length
    if (this.#type === FrameType.data) return this.#beginData(at)
    const end = at + this.#left
    if (end > chunk.length) {
      this.#state = State.payload
      return at
    }
    this.#handler.onPayload(this.#type, this.#flags, this.#streamId, chunk, at, end)
    return end
  }

  #readPayload(chunk: Buffer, at: number): number {
    const end = this.#stashUpTo(this.#left, chunk, at)
    if (this.#stashed < this.#left) return end
    const payload = this.#stash
    this.#stash = NOTHING
    this.#expectHeader()
    this.#handler.onPayload(this.#type, this.#flags, this.#streamId, payload, 0, this.#left)
    return end
  }

  /** RFC 9113 §6.1. */
  #beginData(at: number): number {
    this.#paddingLeft = 0
    const isPadded = (this.#flags & Flag.padded) !== 0
    if (isPadded && this.#left === 0) throw connectionError('frame-size-invalid', { type: 'DATA', length: 0 })
    if (isPadded) this.#state = State.padLength
    else if (this.#left === 0) this.#endData()
    else this.#state = State.data
    return at
  }

  #readPadLength(chunk: Buffer, at: number): number {
    this.#paddingLeft = chunk[at]!
    this.#left -= 1 + this.#paddingLeft
    if (this.#left < 0) throw connectionError('padding-too-long', { streamId: this.#streamId })
    this.#handler.onPadding(1)
    this.#state = State.data
    if (this.#left === 0) this.#endContent()
    return at + 1
  }

  #readData(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left)
    const piece = chunk.subarray(at, end)
    this.#left -= piece.length
    this.#handler.onData(piece.length < chunk.length * MIN_SHARE_KEPT ? copyOf(piece) : piece)
    if (this.#left === 0 && this.#state !== State.stopped) this.#endContent()
    return end
  }

  #endContent(): void {
    if (this.#paddingLeft > 0) this.#state = State.padding
    else this.#endData()
  }

  #readPadding(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#paddingLeft)
    this.#paddingLeft -= end - at
    this.#handler.onPadding(end - at)
    if (this.#paddingLeft === 0) this.#endData()
    return end
  }

  #endData(): void {
    this.#expectHeader()
    this.#handler.onDataEnd(this.#flags)
  }

  #expectHeader(): void {
    this.#stashed = 0
    this.#state = State.header
  }

  /** Collects until there are `bytes` in the stash; returns the offset after what was taken. */
  #stashUpTo(bytes: number, chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + bytes - this.#stashed)
    const needed = this.#stashed + end - at
    if (needed > this.#stash.length) {
      // Doubled, so that a frame that comes byte by byte is not copied at each; never larger than the frame.
      const larger = Buffer.allocUnsafe(Math.min(bytes, Math.max(needed, this.#stash.length * 2)))
      this.#stash.copy(larger, 0, 0, this.#stashed)
      this.#stash = larger
    }
    chunk.copy(this.#stash, this.#stashed, at, end)
    this.#stashed = needed
    return end
  }
}

/** Not of Node's pool: a slab of it, 64 KiB, lives as long as the smallest piece. */
function copyOf(piece: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(piece.length)
  piece.copy(copy)
  return copy
}
