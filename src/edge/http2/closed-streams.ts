/** How a stream was closed: by END_STREAM of both sides, by the peer's RST_STREAM, or by ours. */
export type Closing = 'ended' | 'reset-received' | 'reset-sent'

/**
 * As many as can be under way at once: whatever the peer had sent before it learnt of our reset belongs to one of these.
 * What comes for an older one is taken for a mistake.
 */
const MAX_REMEMBERED = 128

/**
 * The streams that were closed last. It matters for what still comes on them: after our RST_STREAM it is to be expected,
 * after the peer's own end it is an error (RFC 9113 §5.1).
 */
export class ClosedStreams {
  readonly #ids: number[] = []
  readonly #closings: Closing[] = []
  #next = 0

  add(streamId: number, closing: Closing): void {
    this.#ids[this.#next] = streamId
    this.#closings[this.#next] = closing
    this.#next = (this.#next + 1) % MAX_REMEMBERED
  }

  /** undefined for a stream that was never open, or closed long ago. */
  find(streamId: number): Closing | undefined {
    const at = this.#ids.lastIndexOf(streamId)
    return at < 0 ? undefined : this.#closings[at]
  }
}
