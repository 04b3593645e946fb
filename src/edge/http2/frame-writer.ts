import type { Fields } from '../exchange/exchange.ts'
import { BATCH_ROOM_BYTES, giveRoomBack, takeRoom } from './batch-rooms.ts'
import type { ContentQueue } from './content-queue.ts'
import { DEFAULT_MAX_FRAME_BYTES, Flag, FRAME_HEADER_BYTES, FrameType, PING_BYTES, PREFACE } from './frame.ts'
import { type HpackEncoder, maxEncodedBytes } from './hpack/encoder.ts'

export type Setting = readonly [id: number, value: number]

/** Room for one small response. Grows to what the connection sends at a time. */
const MIN_ROOM_BYTES = 1024
/** From here on it is the room of a batch. */
const MAX_SMALL_ROOM_BYTES = 8 * 1024

const NO_BUFFER = Buffer.alloc(0)

/**
 * Writes frames of all streams one after another (RFC 9113 §4.1, §6), to be sent as one piece: that is what makes
 * HTTP/2 cheap.
 */
export class FrameWriter {
  /** RFC 9113 §6.5.2: SETTINGS_MAX_FRAME_SIZE of the peer. More than the default would only delay other streams. */
  readonly #maxFrameBytes = DEFAULT_MAX_FRAME_BYTES
  #out: Buffer = NO_BUFFER
  #at = 0
  #roomBytes = MIN_ROOM_BYTES
  #controlBytes = 0
  /** Where the last frame begins if it is DATA or a whole field block, and so may become the last of its stream. */
  #lastAt = -1
  #lastStreamId = 0

  /** Octets that were written since `take`. */
  get pendingBytes(): number {
    return this.#at
  }

  /** Those of them that are no messages, but answers and orders of the connection. */
  get controlBytes(): number {
    return this.#controlBytes
  }

  /** Hands over what was written. Who has no more use for it may give it to `giveRoomBack`. */
  take(): Buffer {
    const bytes = this.#out.subarray(0, this.#at)
    // A connection that sends much at a time need not grow its buffer step by step each time.
    this.#roomBytes = Math.max(MIN_ROOM_BYTES, 2 ** Math.ceil(Math.log2(this.#at)))
    this.#out = NO_BUFFER
    this.#at = 0
    this.#controlBytes = 0
    this.#lastAt = -1
    return bytes
  }

  /** RFC 9113 §3.4: what a client begins with. */
  preface(): void {
    this.#reserve(PREFACE.length)
    PREFACE.copy(this.#out, this.#at)
    this.#at += PREFACE.length
  }

  /** A piece of content as one DATA frame: `piece` from `start` up to `end`, which is within a frame's size. */
  data(streamId: number, piece: Buffer, start: number, end: number): void {
    this.#reserve(FRAME_HEADER_BYTES + end - start)
    this.#lastAt = this.#at
    this.#lastStreamId = streamId
    this.#header(FrameType.data, Flag.none, streamId, end - start)
    piece.copy(this.#out, this.#at, start, end)
    this.#at += end - start
  }

  /** The next `bytes` of what waits, as one DATA frame. */
  queuedData(streamId: number, queue: ContentQueue, bytes: number): void {
    this.#reserve(FRAME_HEADER_BYTES + bytes)
    this.#lastAt = this.#at
    this.#lastStreamId = streamId
    this.#header(FrameType.data, Flag.none, streamId, bytes)
    queue.takeInto(this.#out, this.#at, bytes)
    this.#at += bytes
  }

  /** Ends a stream: by a flag of its last frame if that is here and the last of all, else by an empty DATA frame. */
  endStream(streamId: number): void {
    if (this.#lastAt < 0 || this.#lastStreamId !== streamId) this.data(streamId, NO_BUFFER, 0, 0)
    this.#out[this.#lastAt + 4]! |= Flag.endStream
  }

  /** A field section, in as many frames as it takes (RFC 9113 §4.3, §6.2, §6.10). */
  headers(streamId: number, encoder: HpackEncoder, pseudo: Fields, fields: Fields, endsStream: boolean): void {
    this.#reserve(FRAME_HEADER_BYTES)
    const start = this.#at
    let end = encoder.encode(pseudo, fields, this.#out, start + FRAME_HEADER_BYTES)
    if (end < 0) {
      this.#reserve(FRAME_HEADER_BYTES + maxEncodedBytes(pseudo, fields))
      end = encoder.encode(pseudo, fields, this.#out, start + FRAME_HEADER_BYTES)
    }
    const flags = endsStream ? Flag.endStream : Flag.none
    const bytes = end - start - FRAME_HEADER_BYTES
    if (bytes > this.#maxFrameBytes) return this.#splitBlock(streamId, flags, bytes)
    this.#lastAt = start
    this.#lastStreamId = streamId
    this.#header(FrameType.headers, flags | Flag.endHeaders, streamId, bytes)
    this.#at = end
  }

  /** RFC 9113 §6.5. */
  settings(settings: readonly Setting[]): void {
    this.#control(FrameType.settings, Flag.none, 0, settings.length * 6)
    for (const [id, value] of settings) {
      this.#at = this.#out.writeUInt16BE(id, this.#at)
      this.#at = this.#out.writeUInt32BE(value, this.#at)
    }
  }

  settingsAck(): void {
    this.#control(FrameType.settings, Flag.ack, 0, 0)
  }

  /** RFC 9113 §6.7: the first 8 octets of `bytes` from `start` on. */
  ping(bytes: Buffer, start: number, flags: number): void {
    this.#control(FrameType.ping, flags, 0, PING_BYTES)
    bytes.copy(this.#out, this.#at, start, start + PING_BYTES)
    this.#at += PING_BYTES
  }

  /** RFC 9113 §6.8. The text is for whoever debugs the peer. */
  goaway(lastStreamId: number, errorCode: number, text: string): void {
    this.#control(FrameType.goaway, Flag.none, 0, 8 + text.length)
    this.#at = this.#out.writeUInt32BE(lastStreamId, this.#at)
    this.#at = this.#out.writeUInt32BE(errorCode, this.#at)
    this.#at += this.#out.write(text, this.#at, 'latin1')
  }

  /** RFC 9113 §6.4. */
  rstStream(streamId: number, errorCode: number): void {
    this.#control(FrameType.rstStream, Flag.none, streamId, 4)
    this.#at = this.#out.writeUInt32BE(errorCode, this.#at)
  }

  /** RFC 9113 §6.9. */
  windowUpdate(streamId: number, increment: number): void {
    this.#control(FrameType.windowUpdate, Flag.none, streamId, 4)
    this.#at = this.#out.writeUInt32BE(increment, this.#at)
  }

  #control(type: number, flags: number, streamId: number, length: number): void {
    this.#reserve(FRAME_HEADER_BYTES + length)
    this.#controlBytes += FRAME_HEADER_BYTES + length
    this.#header(type, flags, streamId, length)
  }

  #header(type: number, flags: number, streamId: number, length: number): void {
    const out = this.#out
    const at = this.#at
    out[at] = length >>> 16
    out[at + 1] = length >>> 8
    out[at + 2] = length
    out[at + 3] = type
    out[at + 4] = flags
    out[at + 5] = streamId >>> 24
    out[at + 6] = streamId >>> 16
    out[at + 7] = streamId >>> 8
    out[at + 8] = streamId
    this.#at = at + FRAME_HEADER_BYTES
  }

  /** The block was written as if it fitted into one frame. */
  #splitBlock(streamId: number, flags: number, bytes: number): void {
    const block = Buffer.from(this.#out.subarray(this.#at + FRAME_HEADER_BYTES, this.#at + FRAME_HEADER_BYTES + bytes))
    this.#reserve(bytes + FRAME_HEADER_BYTES * Math.ceil(bytes / this.#maxFrameBytes))
    for (let start = 0; start < bytes; start += this.#maxFrameBytes) {
      const end = Math.min(bytes, start + this.#maxFrameBytes)
      const type = start === 0 ? FrameType.headers : FrameType.continuation
      this.#header(type, (start === 0 ? flags : 0) | (end === bytes ? Flag.endHeaders : 0), streamId, end - start)
      block.copy(this.#out, this.#at, start, end)
      this.#at += end - start
    }
    this.#lastAt = -1
  }

  /** Makes room for so many octets more. */
  #reserve(bytes: number): void {
    const needed = this.#at + bytes
    if (needed <= this.#out.length) return
    const smaller = this.#out
    this.#out = roomFor(needed, Math.max(this.#roomBytes, smaller.length * 2))
    smaller.copy(this.#out, 0, 0, this.#at)
    giveRoomBack(smaller)
  }
}

/** `wanted` is what will be needed, most likely. */
function roomFor(needed: number, wanted: number): Buffer {
  if (needed > BATCH_ROOM_BYTES) return Buffer.allocUnsafe(Math.max(needed, wanted))
  return Math.max(needed, wanted) > MAX_SMALL_ROOM_BYTES ? takeRoom() : Buffer.allocUnsafe(Math.max(needed, wanted))
}
