import { Duplex } from 'node:stream'

/** A socket without a network: the test is the other end. */
export class MemorySocket extends Duplex {
  /** What was written to it since the last `takeWritten`. */
  readonly #written: Buffer[] = []
  #isReading = true
  #pending: (() => void) | undefined

  constructor() {
    super({ highWaterMark: 16_384 })
  }

  /** Bytes from the other end. */
  feed(bytes: Buffer): void {
    if (!this.destroyed) this.push(bytes)
  }

  /** The other end sends no more. */
  hangUp(): void {
    this.push(null)
  }

  takeWritten(): Buffer {
    return Buffer.concat(this.#written.splice(0))
  }

  /** The other end reads no more: what is written is under way for ever. */
  stopReading(): void {
    this.#isReading = false
  }

  startReading(): void {
    this.#isReading = true
    this.#pending?.()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    const deliver = (): void => {
      this.#pending = undefined
      // Whoever wrote it uses its buffer again once it has left.
      this.#written.push(Buffer.from(chunk))
      callback()
    }
    if (this.#isReading) deliver()
    else this.#pending = deliver
  }
}
