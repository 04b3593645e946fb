import { type Fields, NO_FIELDS } from '../exchange/exchange.ts'
import { ChunkedDecoder } from './chunked-decoder.ts'
import { CHUNKED, type Framing, UNTIL_CLOSE } from './framing.ts'
import type { MessageLimits } from './limits.ts'

/** Takes the content of a message as it is read. */
export interface ContentSink {
  onContent(piece: Buffer): void
  onContentEnd(trailers: Fields): void
}

/** Reads the content of one message after another on a connection, each in its own framing. */
export class ContentReader {
  readonly #limits: MessageLimits
  /** Bytes still to come; Infinity until the connection closes. Not used while content is chunked. */
  #left = 0
  #isChunked = false
  #chunks: ChunkedDecoder | undefined

  constructor(limits: MessageLimits) {
    this.#limits = limits
  }

  /** Makes ready for a message. Its end is told to a sink only by `read` and `close`, so not where it has no content. */
  begin(framing: Framing): void {
    this.#isChunked = framing === CHUNKED
    if (this.#isChunked) {
      this.#chunks ??= new ChunkedDecoder(this.#limits)
      this.#chunks.begin()
    } else this.#left = framing === UNTIL_CLOSE ? Number.POSITIVE_INFINITY : framing
  }

  /** All of the content has been read. */
  get isComplete(): boolean {
    return this.#isChunked ? this.#chunks!.isComplete : this.#left === 0
  }

  /** Bytes still to come: Infinity where that is not known. */
  get left(): number {
    return this.#isChunked ? Number.POSITIVE_INFINITY : this.#left
  }

  /** Gives the sink what there is from `at` on, and says where what follows the content begins. Throws Refusal. */
  read(bytes: Buffer, at: number, sink: ContentSink): number {
    if (this.#isChunked) return this.#chunks!.read(bytes, at, sink)
    const end = Math.min(bytes.length, at + this.#left)
    this.#left -= end - at
    sink.onContent(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    if (this.#left === 0) sink.onContentEnd(NO_FIELDS)
    return end
  }

  /** The connection has closed. Says whether the content was whole, which is told to the sink where it ends this way. */
  close(sink: ContentSink): boolean {
    if (this.isComplete) return true
    if (this.#isChunked || this.#left !== Number.POSITIVE_INFINITY) return false
    this.#left = 0
    sink.onContentEnd(NO_FIELDS)
    return true
  }
}
