import { ControlError } from './protocol.ts'

const NEWLINE = 0x0a

/** Cuts what comes into lines, and keeps no more of an unfinished one than a line may have. */
export class LineReader {
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The lines that end in this chunk, without their ends. Throws ControlError `control-line-too-long`. */
  push(chunk: Buffer): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end))
      lines.push(Buffer.concat(this.#parts).toString('utf8'))
      this.#parts = []
      this.#bytes = 0
      start = end + 1
    }
    this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(part: Buffer): void {
    this.#bytes += part.length
    if (this.#bytes > this.#maxBytes)
      throw new ControlError('control-line-too-long', `A line is longer than ${this.#maxBytes} bytes.`)
    if (part.length > 0) this.#parts.push(part)
  }
}
