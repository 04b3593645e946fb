import { type Fields, NO_FIELDS } from '../exchange/exchange.ts'
import { keepFields, withoutNames } from '../fields.ts'
import type { ContentSink } from './content-reader.ts'
import { parseFieldSection } from './field-section.ts'
import { HeadReader } from './head-reader.ts'
import type { MessageLimits } from './limits.ts'
import { refuse } from './refusal.ts'

const CR = 0x0d
const LF = 0x0a
const TAB = 0x09
const SPACE = 0x20
const SEMICOLON = 0x3b

/** What the next byte belongs to, in the order of RFC 9112 §7.1. Every byte that is not listed is an error. */
const State = {
  FirstSizeDigit: 0,
  Size: 1,
  Extension: 2,
  SizeLf: 3,
  Data: 4,
  DataCr: 5,
  DataLf: 6,
  /** After the last chunk: a field line, or the empty line that ends the content. */
  TrailerStart: 7,
  TrailerSection: 8,
  EndLf: 9,
  Complete: 10,
  /** RFC 9112 §7.1.1: BWS, after a size and before an extension. */
  SpaceAfterSize: 11,
} as const
type State = (typeof State)[keyof typeof State]

/** Reads content in the chunked transfer coding, however it is cut into pieces. Chunk extensions are checked and dropped. */
export class ChunkedDecoder {
  readonly #limits: MessageLimits
  readonly #trailers: HeadReader
  #state: State = State.FirstSizeDigit
  #size = 0
  /** Of the line that begins a chunk, so far. */
  #lineBytes = 0
  #extensionBytes = 0

  constructor(limits: MessageLimits) {
    this.#limits = limits
    this.#trailers = new HeadReader({
      maxBytes: limits.trailerBytes,
      maxFirstLineBytes: Number.POSITIVE_INFINITY,
      maxEmptyLines: 0,
      tooLarge: 'trailers-too-large',
      firstLineTooLong: 'trailers-too-large',
      malformed: 'field-name-invalid',
    })
  }

  /** Makes ready for the next message. */
  begin(): void {
    this.#state = State.FirstSizeDigit
    this.#size = 0
    this.#lineBytes = 0
    this.#extensionBytes = 0
  }

  get isComplete(): boolean {
    return this.#state === State.Complete
  }

  /** Gives the sink what there is from `at` on, and says where the rest begins, which is beyond the content. Throws Refusal. */
  read(bytes: Buffer, from: number, sink: ContentSink): number {
    let at = from
    while (at < bytes.length && this.#state !== State.Complete) {
      switch (this.#state) {
        case State.Data:
          at = this.#readData(bytes, at, sink)
          break
        case State.TrailerStart:
          this.#state = bytes[at] === CR ? State.EndLf : State.TrailerSection
          if (this.#state === State.EndLf) at++
          break
        case State.TrailerSection:
          at = this.#readTrailers(bytes, at, sink)
          break
        case State.EndLf:
          if (bytes[at++] !== LF) throw refuse('carriage-return-bare')
          this.#end(NO_FIELDS, sink)
          break
        default:
          this.#readLineByte(bytes[at++]!)
      }
    }
    return at
  }

  #readData(bytes: Buffer, at: number, sink: ContentSink): number {
    const end = Math.min(bytes.length, at + this.#size)
    this.#size -= end - at
    if (this.#size === 0) this.#state = State.DataCr
    sink.onContent(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    return end
  }

  #readLineByte(byte: number): void {
    switch (this.#state) {
      case State.FirstSizeDigit:
        this.#size = this.#digit(byte)
        this.#lineBytes = 1
        this.#state = State.Size
        break
      case State.Size:
        this.#readSize(byte)
        break
      case State.SpaceAfterSize:
        if (byte === SEMICOLON) this.#state = State.Extension
        else if (byte !== SPACE && byte !== TAB) throw refuse('chunk-size-invalid')
        this.#countLineByte()
        break
      case State.Extension:
        this.#readExtension(byte)
        break
      case State.SizeLf:
        if (byte !== LF) throw refuse('chunk-line-end-invalid')
        this.#state = this.#size === 0 ? State.TrailerStart : State.Data
        break
      case State.DataCr:
        if (byte !== CR) throw refuse('chunk-end-invalid')
        this.#state = State.DataLf
        break
      case State.DataLf:
        if (byte !== LF) throw refuse('chunk-end-invalid')
        this.#state = State.FirstSizeDigit
        break
    }
  }

  #readSize(byte: number): void {
    if (byte === CR) this.#state = State.SizeLf
    else if (byte === SEMICOLON) this.#state = State.Extension
    else if (byte === SPACE || byte === TAB) this.#state = State.SpaceAfterSize
    else {
      this.#size = this.#size * 16 + this.#digit(byte)
      if (!Number.isSafeInteger(this.#size)) throw refuse('chunk-size-too-large')
    }
    this.#countLineByte()
  }

  #digit(byte: number): number {
    if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
    const letter = byte | 0x20
    if (letter >= 0x61 && letter <= 0x66) return letter - 0x57
    throw refuse(byte === LF ? 'chunk-line-end-invalid' : 'chunk-size-invalid')
  }

  #readExtension(byte: number): void {
    if (byte === CR) this.#state = State.SizeLf
    else if (byte === LF) throw refuse('chunk-line-end-invalid')
    else if ((byte < 0x20 && byte !== TAB) || byte === 0x7f) throw refuse('chunk-extension-invalid')
    this.#countLineByte()
    if (++this.#extensionBytes > this.#limits.chunkExtensionBytes) throw refuse('chunk-extensions-excessive')
  }

  #countLineByte(): void {
    if (++this.#lineBytes > this.#limits.chunkLineBytes) throw refuse('chunk-line-too-long')
  }

  #readTrailers(bytes: Buffer, at: number, sink: ContentSink): number {
    const text = this.#trailers.read(bytes, at)
    if (text === undefined) return bytes.length
    const fields = parseFieldSection(text, 0, this.#limits.trailerCount, 'trailers-too-many')
    this.#end(withoutRulingFields(fields), sink)
    return this.#trailers.next
  }

  #end(trailers: Fields, sink: ContentSink): void {
    this.#state = State.Complete
    sink.onContentEnd(trailers)
  }
}

/** What must not come so late (RFC 9110 §6.5.1): framing and routing were decided long ago, and so was who may do this. */
const TOO_LATE = new Set([
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'cache-control', 'location', 'max-forwards'],
  ...['content-encoding', 'content-type', 'content-range', 'trailer'],
])

function withoutRulingFields(fields: Fields): Fields {
  return withoutNames(
    keepFields(fields, (role) => role === 'end-to-end' || role === 'date'),
    TOO_LATE,
  )
}
