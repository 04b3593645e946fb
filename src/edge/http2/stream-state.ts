import { streamError } from './http2-error.ts'

/**
 * RFC 9113 §5.1, without the reserved states: nobody may push to us, and we push to nobody.
 *
 * ```
 *                    +--------+
 *                    |  idle  |
 *                    +--------+
 *                        | send H / recv H
 *             recv ES    v     send ES
 *        ,-----------+--------+-----------.
 *        v           |  open  |           v
 *   +----------+     +--------+     +----------+
 *   |   half-  |         |          |   half-  |
 *   |  closed  |         | send R / |  closed  |
 *   | (remote) |         | recv R   | (local)  |
 *   +----------+         v          +----------+
 *        | send ES   +--------+   recv ES |
 *        `---------->| closed |<----------'
 *          send R /  +--------+  send R /
 *          recv R                 recv R
 * ```
 */
const State = { idle: 0, open: 1, halfClosedRemote: 2, halfClosedLocal: 3, closed: 4 } as const
type State = (typeof State)[keyof typeof State]

/**
 * The state of one stream, as we see it. Each method is an event of the diagram. What a peer may not send is an error
 * of the stream; what we may not send is a mistake of ours, and asked for beforehand (`canSend`).
 */
export class StreamState {
  #state: State = State.idle

  /** Nothing more is to be sent or received. */
  get isClosed(): boolean {
    return this.#state === State.closed
  }

  /** Whether we may send DATA, or HEADERS. */
  get canSend(): boolean {
    return this.#state === State.open || this.#state === State.halfClosedRemote
  }

  /** Whether the peer may send DATA, or trailers. */
  get canReceive(): boolean {
    return this.#state === State.open || this.#state === State.halfClosedLocal
  }

  /** HEADERS were sent or received that open the stream. */
  open(): void {
    if (this.#state !== State.idle) throw new TypeError('a stream is opened once')
    this.#state = State.open
  }

  /** A frame came that a peer may send before its END_STREAM only: DATA or HEADERS. */
  receive(): void {
    if (!this.canReceive) throw streamError('stream-closed')
  }

  /** END_STREAM came, after the frame that bears it was received. */
  receiveEnd(): void {
    this.#state = this.#state === State.open ? State.halfClosedRemote : State.closed
  }

  /** END_STREAM is sent. */
  sendEnd(): void {
    this.#state = this.#state === State.open ? State.halfClosedLocal : State.closed
  }

  /** RST_STREAM was sent or received. */
  reset(): void {
    this.#state = State.closed
  }
}
