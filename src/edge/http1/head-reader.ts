import { type RefusalCode, refuse } from './refusal.ts'

const CR = 0x0d
const LF = 0x0a
const HEAD_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)
/** Most heads are within it, and a response's content that is looked at in vain costs next to nothing. */
const PROBED_BYTES = 1024
/** As much of a refused head as is looked at for the log. */
const MAX_BEGUN_BYTES = 16 * 1024
/** Room for a head that comes in pieces; it doubles as needed. */
const MIN_ROOM_BYTES = 1024

export type HeadReaderOptions = {
  /** Bytes of the head, with its start line if it has one. */
  readonly maxBytes: number
  /** Bytes of the first line; Infinity where it is like any other. */
  readonly maxFirstLineBytes: number
  /** Empty lines that may come first (RFC 9112 §2.2). */
  readonly maxEmptyLines: number
  readonly tooLarge: RefusalCode
  readonly firstLineTooLong: RefusalCode
  /** For what begins with no visible character. */
  readonly malformed: RefusalCode
}

/**
 * Finds the end of a head, or of a trailer section: lines that end with CRLF, up to an empty one. Bytes that came in one
 * piece are searched where they are, and others are gathered; none is searched twice.
 */
export class HeadReader {
  readonly #options: HeadReaderOptions
  #held = NOTHING
  #length = 0
  #next = 0

  constructor(options: HeadReaderOptions) {
    this.#options = options
  }

  /** Some of a head has come, but not all. */
  get hasBegun(): boolean {
    return this.#length > 0
  }

  /** Where, in the bytes that completed the head, what follows it begins. */
  get next(): number {
    return this.#next
  }

  /** What has come of a head that is not whole, or that `read` refused at `at` of these bytes; latin1. */
  begun(bytes: Buffer = NOTHING, at = 0): string {
    if (this.#length === 0) return bytes.toString('latin1', at, at + MAX_BEGUN_BYTES)
    return this.#held.toString('latin1', 0, Math.min(this.#length, MAX_BEGUN_BYTES))
  }

  /**
   * Reads on from `at`. Gives the lines, each with its CRLF and each byte a character (latin1), without the empty one; or
   * undefined if more must come, and all bytes are taken. Throws Refusal for what can be no head however it goes on.
   */
  read(bytes: Buffer, at: number): string | undefined {
    return (this.#length === 0 ? this.#readProbe(bytes, at) : undefined) ?? this.#readOn(bytes, at)
  }

  /**
   * The common case: a head that is not long and is here as a whole. It becomes text anyway, and in text its end is found at
   * a third of what the search in a Buffer takes.
   */
  #readProbe(bytes: Buffer, at: number): string | undefined {
    const start = this.#skipEmptyLines(bytes, at)
    const probe = bytes.toString('latin1', start, start + PROBED_BYTES)
    const end = probe.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    this.#check(bytes, start, start + end)
    this.#next = start + end + HEAD_END.length
    return probe.slice(0, end + 2)
  }

  #readOn(bytes: Buffer, at: number): string | undefined {
    const heldBefore = this.#length
    const source = heldBefore === 0 ? bytes : this.#hold(bytes, at)
    const start = this.#skipEmptyLines(source, heldBefore === 0 ? at : 0)
    const end = source.indexOf(HEAD_END, Math.max(start, heldBefore - HEAD_END.length + 1))
    if (end < 0) {
      // The last bytes may be most of the end.
      this.#check(source, start, source.length - HEAD_END.length + 1)
      checkLineFeeds(source, Math.max(start, heldBefore))
      if (heldBefore === 0) this.#hold(bytes, at)
      return undefined
    }
    this.#check(source, start, end)
    this.#next = end + HEAD_END.length + (heldBefore === 0 ? 0 : at - heldBefore)
    this.#length = 0
    this.#held = NOTHING
    return source.toString('latin1', start, end + 2)
  }

  #hold(bytes: Buffer, at: number): Buffer {
    const length = this.#length + bytes.length - at
    if (length > this.#held.length) {
      const roomier = Buffer.allocUnsafeSlow(Math.max(MIN_ROOM_BYTES, 2 ** Math.ceil(Math.log2(length))))
      this.#held.copy(roomier, 0, 0, this.#length)
      this.#held = roomier
    }
    bytes.copy(this.#held, this.#length, at)
    this.#length = length
    return this.#held.subarray(0, length)
  }

  #skipEmptyLines(source: Buffer, at: number): number {
    let start = at
    for (let lines = 0; source[start] === CR && source[start + 1] === LF; lines++) {
      if (lines >= this.#options.maxEmptyLines) throw refuse('empty-lines-excessive')
      start += 2
    }
    return start
  }

  #check(source: Buffer, start: number, end: number): void {
    const { maxBytes, maxFirstLineBytes, tooLarge, firstLineTooLong, malformed } = this.#options
    const first = source[start]
    if (first !== undefined && first !== CR && (first <= 0x20 || first >= 0x7f)) throw refuse(malformed)
    if (end - start > maxFirstLineBytes) {
      const lineEnd = source.indexOf('\r\n', start, 'latin1')
      if (lineEnd < 0 || lineEnd - start > maxFirstLineBytes) throw refuse(firstLineTooLong)
    }
    if (end - start > maxBytes) throw refuse(tooLarge)
  }
}

/** Lines that end with a line feed alone have no end that would be found: they are refused, not waited for. */
function checkLineFeeds(source: Buffer, from: number): void {
  for (let at = source.indexOf(LF, from); at >= 0; at = source.indexOf(LF, at + 1))
    if (at === 0 || source[at - 1] !== CR) throw refuse('line-feed-bare')
}
