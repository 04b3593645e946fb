import { DEFAULT_WINDOW_BYTES } from './frame.ts'
import type { FrameWriter } from './frame-writer.ts'
import { connectionError, streamError } from './http2-error.ts'
import type { Http2Limits } from './limits.ts'
import { ReceiveWindow } from './receive-window.ts'
import type { Http2Stream } from './stream.ts'

/**
 * When the window of the connection is given back: on receipt, so that no stream waits for another; or when the content
 * was taken, so that one connection never holds more than its window.
 */
export type ConnectionCredit = 'on-receipt' | 'on-consumption'

/** Keeps the account of the content that comes (RFC 9113 §5.2, §6.9), and gives the peer its windows back. */
export class ContentReceiver {
  readonly #frames: FrameWriter
  readonly #maxStreamWindowBytes: number
  readonly #credit: ConnectionCredit
  readonly #window: ReceiveWindow

  constructor(frames: FrameWriter, limits: Http2Limits, credit: ConnectionCredit) {
    this.#frames = frames
    this.#maxStreamWindowBytes = limits.maxStreamWindowBytes
    this.#credit = credit
    this.#window = new ReceiveWindow(DEFAULT_WINDOW_BYTES, limits.connectionWindowBytes)
  }

  /** Opens the window of the connection, which no setting can (RFC 9113 §6.9.2). */
  open(bytes: number): void {
    const increment = this.#window.openTo(bytes)
    if (increment > 0) this.#frames.windowUpdate(0, increment)
  }

  /** DATA of this length begins, padding included. It counts whatever becomes of it (RFC 9113 §6.9). */
  begin(bytes: number): void {
    if (!this.#window.receive(bytes)) throw connectionError('window-exceeded')
  }

  /** The same for the stream, if it takes it. */
  beginStream(stream: Http2Stream, bytes: number): void {
    if (!stream.receiveWindow(this.#maxStreamWindowBytes).receive(bytes)) throw streamError('window-exceeded')
  }

  /** Octets of the connection that no stream takes. */
  discard(bytes: number): void {
    this.#giveBack(bytes)
  }

  /** Octets that the stream has; `isTaken` if it wants more of them. */
  take(stream: Http2Stream, bytes: number, isTaken: boolean): void {
    if (!isTaken) stream.isPaused = true
    if (this.#credit === 'on-receipt') this.#giveBack(bytes)
    if (stream.isPaused) stream.heldBytes += bytes
    else this.#consume(stream, bytes)
  }

  /** The stream wants more. */
  resume(stream: Http2Stream): void {
    if (!stream.isPaused) return
    const bytes = stream.heldBytes
    stream.isPaused = false
    stream.heldBytes = 0
    this.#consume(stream, bytes)
  }

  /** The stream is over; what it held is nobody's concern any more. */
  forget(stream: Http2Stream): void {
    if (this.#credit === 'on-consumption') this.#giveBack(stream.heldBytes)
    stream.heldBytes = 0
  }

  #consume(stream: Http2Stream, bytes: number): void {
    if (this.#credit === 'on-consumption') this.#giveBack(bytes)
    const increment = stream.receiveWindow(this.#maxStreamWindowBytes).consume(bytes)
    if (increment > 0 && stream.state.canReceive) this.#frames.windowUpdate(stream.id, increment)
  }

  #giveBack(bytes: number): void {
    const increment = this.#window.consume(bytes)
    if (increment > 0) this.#frames.windowUpdate(0, increment)
  }
}
