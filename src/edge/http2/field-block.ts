import { Flag, FrameType } from './frame.ts'
import { type DecodedFields, HpackDecoder } from './hpack/decoder.ts'
import { HpackError } from './hpack/hpack-error.ts'
import { connectionError, Http2Error } from './http2-error.ts'
import type { Http2Limits } from './limits.ts'

/**
 * The size of the table that we decode with, which is what both sides begin with. More would cost memory and gain
 * little.
 */
const MAX_TABLE_BYTES = 4096

/** A field section that has come as a whole, in one frame or more. */
export type FieldSection = {
  readonly streamId: number
  readonly fields: DecodedFields
  readonly endsStream: boolean
}

/**
 * Puts field blocks together and decodes them (RFC 9113 §4.3). Whatever is wrong with one is an error of the
 * connection.
 */
export class FieldBlockReader {
  readonly #limits: Http2Limits
  readonly #decoder: HpackDecoder
  /** A block that has begun and not ended. */
  #open: OpenBlock | undefined

  constructor(limits: Http2Limits) {
    this.#limits = limits
    this.#decoder = new HpackDecoder({
      maxTableBytes: MAX_TABLE_BYTES,
      maxListBytes: limits.maxHeaderListBytes,
      maxFields: limits.maxFields,
    })
  }

  /** A frame begins. Within a block there is nothing but CONTINUATION of the same stream (RFC 9113 §6.10). */
  checkFrame(type: number, streamId: number): void {
    if (this.#open !== undefined) {
      if (type !== FrameType.continuation || streamId !== this.#open.streamId)
        throw connectionError('continuation-missing')
      this.#open.countContinuation()
    } else if (type === FrameType.continuation) throw connectionError('continuation-unexpected')
  }

  /** The payload of a HEADERS frame (RFC 9113 §6.2). undefined if its block is continued. */
  readHeaders(
    flags: number,
    streamId: number,
    bytes: Buffer,
    from: number,
    to: number,
    now: number,
  ): FieldSection | undefined {
    const { start, end } = headersFragment(flags, bytes, from, to)
    const endsStream = (flags & Flag.endStream) !== 0
    if ((flags & Flag.endHeaders) !== 0)
      return { streamId, fields: this.#decode(bytes.subarray(start, end)), endsStream }
    this.#open = new OpenBlock(streamId, endsStream, now, this.#limits)
    this.#open.add(bytes, start, end)
    return undefined
  }

  /** The payload of a CONTINUATION frame (RFC 9113 §6.10). undefined if its block goes on. */
  readContinuation(flags: number, bytes: Buffer, start: number, end: number): FieldSection | undefined {
    const block = this.#open!
    block.add(bytes, start, end)
    if ((flags & Flag.endHeaders) === 0) return undefined
    this.#open = undefined
    return { streamId: block.streamId, fields: this.#decode(block.whole()), endsStream: block.endsStream }
  }

  /** Whether a block takes too long to end. */
  isOverdue(now: number): boolean {
    return this.#open !== undefined && now - this.#open.since >= this.#limits.fieldBlockMs
  }

  #decode(block: Buffer): DecodedFields {
    try {
      return this.#decoder.decode(block)
    } catch (error) {
      if (!(error instanceof HpackError)) throw error
      throw new Http2Error('connection', 'field-block-invalid', { ...error.facts, reason: error.code }, error)
    }
  }
}

/** Leaves out padding and priority (RFC 9113 §6.2). */
function headersFragment(flags: number, bytes: Buffer, start: number, end: number): { start: number; end: number } {
  let padding = 0
  if ((flags & Flag.padded) !== 0) {
    if (start === end) throw connectionError('frame-size-invalid', { type: 'HEADERS', length: 0 })
    padding = bytes[start++]!
  }
  if ((flags & Flag.priority) !== 0) start += 5
  if (start > end) throw connectionError('frame-size-invalid', { type: 'HEADERS' })
  if (padding > end - start) throw connectionError('padding-too-long', { type: 'HEADERS' })
  return { start, end: end - padding }
}

/** A field block that is spread over frames, while it comes. */
class OpenBlock {
  readonly streamId: number
  readonly endsStream: boolean
  /** When it began, in milliseconds of the sweep's clock. */
  readonly since: number
  readonly #limits: Http2Limits
  readonly #fragments: Buffer[] = []
  #bytes = 0
  #continuations = 0

  constructor(streamId: number, endsStream: boolean, since: number, limits: Http2Limits) {
    this.streamId = streamId
    this.endsStream = endsStream
    this.since = since
    this.#limits = limits
  }

  /** A CONTINUATION begins. */
  countContinuation(): void {
    if (++this.#continuations > this.#limits.maxContinuations) throw connectionError('continuation-flood')
  }

  /** Takes a copy of a fragment. */
  add(bytes: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#bytes > this.#limits.maxBlockBytes) throw connectionError('continuation-flood', { bytes: this.#bytes })
    this.#fragments.push(Buffer.from(bytes.subarray(start, end)))
  }

  whole(): Buffer {
    return Buffer.concat(this.#fragments, this.#bytes)
  }
}
