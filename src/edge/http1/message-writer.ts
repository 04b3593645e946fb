import type { Socket } from 'node:net'
import type { Fields } from '../exchange/exchange.ts'
import type { Sweep } from '../sweep.ts'
import { formatFieldSection } from './field-section.ts'
import { copyBytes } from './read-buffer.ts'

/** Up to this, what is written within a tick becomes one buffer; beyond, copying would cost more than several buffers do. */
const MAX_COPIED_BYTES = 16 * 1024
/** With this much there is no waiting for the end of the tick. One read of TLS gives four records of 16 KiB, for one write. */
const MAX_GATHERED_BYTES = 64 * 1024
/**
 * What may wait for the peer: one read of an upstream. TLS holds as much once more, encrypted, so that a client which stops
 * reading costs 210 KiB in all; with twice as much it was 333, for about 8% less CPU in a download.
 */
const HIGH_WATER_BYTES = 64 * 1024

const CHUNK_END = '\r\n'
/** RFC 9112 §7.1. */
const LAST_CHUNK = '0\r\n\r\n'

/**
 * Writes messages to a connection. What is written within a tick leaves in one write, so that a head and the first of its
 * content share a segment and a TLS record: a write costs more than all that is done to a small message otherwise.
 */
export class MessageWriter {
  readonly #socket: Socket
  readonly #sweep: Sweep
  readonly #onWritten: () => void
  #parts: (string | Buffer)[] = []
  #bytes = 0
  #isFlushDue = false
  /** Writes that the system has not taken yet. */
  #underWay = 0
  #progressAt = 0

  /** `onWritten` is told, from the event loop, that the system has taken all that had left by then. */
  constructor(socket: Socket, sweep: Sweep, onWritten: () => void) {
    this.#socket = socket
    this.#sweep = sweep
    this.#onWritten = onWritten
  }

  /** The system has taken everything. */
  get isIdle(): boolean {
    return this.#underWay === 0 && this.#bytes === 0
  }

  /** Enough waits for the peer. */
  get isFull(): boolean {
    return this.#bytes + this.#socket.writableLength >= HIGH_WATER_BYTES
  }

  /** How long the peer has taken nothing of what waits for it, in milliseconds. */
  stalledFor(now: number): number {
    return this.#underWay === 0 ? 0 : now - this.#progressAt
  }

  /** Part of a head: latin1. */
  text(text: string): void {
    this.#parts.push(text)
    this.#bytes += text.length
    this.#flushSoon()
  }

  /** Content as it is. */
  content(piece: Buffer): void {
    this.#parts.push(piece)
    this.#bytes += piece.length
    if (this.#bytes >= MAX_GATHERED_BYTES) this.flush()
    else this.#flushSoon()
  }

  /** Content as a chunk (RFC 9112 §7.1). An empty one would end the message, so it is left out. */
  chunk(piece: Buffer): void {
    if (piece.length === 0) return
    this.#parts.push(`${piece.length.toString(16)}\r\n`, piece, CHUNK_END)
    this.#bytes += piece.length + 12
    if (this.#bytes >= MAX_GATHERED_BYTES) this.flush()
    else this.#flushSoon()
  }

  lastChunk(trailers: Fields): void {
    this.text(trailers.length === 0 ? LAST_CHUNK : `0\r\n${formatFieldSection(trailers)}\r\n`)
  }

  /** Hands everything to the socket, now rather than at the end of the tick. */
  flush(): void {
    const parts = this.#parts
    if (parts.length === 0) return
    const bytes = this.#bytes
    this.#parts = []
    this.#bytes = 0
    if (this.#underWay === 0) this.#progressAt = this.#sweep.now
    this.#underWay++
    if (parts.length === 1) this.#write(parts[0]!)
    else if (bytes <= MAX_COPIED_BYTES) this.#write(gather(parts, bytes))
    else this.#writeSeparately(parts)
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    process.nextTick(flushDue, this)
  }

  /** To be called only by the tick that was asked for. */
  flushDue(): void {
    this.#isFlushDue = false
    this.flush()
  }

  #write(part: string | Buffer): void {
    if (typeof part === 'string') this.#socket.write(part, 'latin1', this.#written)
    else this.#socket.write(part, this.#written)
  }

  #writeSeparately(parts: readonly (string | Buffer)[]): void {
    this.#socket.cork()
    const last = parts.length - 1
    for (let index = 0; index < last; index++) this.#socket.write(parts[index]!, 'latin1')
    this.#write(parts[last]!)
    this.#socket.uncork()
  }

  readonly #written = (error?: Error | null): void => {
    // The socket closes after an error, and whoever owns it hears of that.
    if (error) return
    this.#underWay--
    this.#progressAt = this.#sweep.now
    this.#onWritten()
  }
}

function flushDue(writer: MessageWriter): void {
  writer.flushDue()
}

/** `atMost` bytes is what there is, or a little less. */
function gather(parts: readonly (string | Buffer)[], atMost: number): Buffer {
  const buffer = Buffer.allocUnsafe(atMost)
  let at = 0
  for (const part of parts) {
    if (typeof part === 'string') at += buffer.write(part, at, 'latin1')
    else {
      copyBytes(part, buffer, at)
      at += part.length
    }
  }
  return at === atMost ? buffer : buffer.subarray(0, at)
}
