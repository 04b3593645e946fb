/** How a stream was closed: by END_STREAM of both sides, by the peer's RST_STREAM, or by ours. */
export type Closing = 'ended' | 'reset-received' | 'reset-sent'

/**
 * More than are usually under way at once: what the peer had sent before it learnt of an end belongs to one of these.
 */
const MAX_REMEMBERED = 128

/**
 * The streams that were closed last. It matters for what still comes on them: after our RST_STREAM it is to be
 * expected, after the peer's own end it is an error (RFC 9113 §5.1). Those that we have reset are kept apart, so that
 * they are not forgotten over the many that end as they should.
 */
export class ClosedStreams {
  readonly #reset = new Recent()
  readonly #ended = new Recent()
  readonly #resetReceived = new Recent()

  add(streamId: number, closing: Closing): void {
    if (closing === 'reset-sent') this.#reset.add(streamId)
    else if (closing === 'ended') this.#ended.add(streamId)
    else this.#resetReceived.add(streamId)
  }

  /** undefined for a stream that was never open, or closed long ago. */
  find(streamId: number): Closing | undefined {
    if (this.#reset.has(streamId)) return 'reset-sent'
    if (this.#ended.has(streamId)) return 'ended'
    return this.#resetReceived.has(streamId) ? 'reset-received' : undefined
  }
}

/** The last identifiers that were added. */
class Recent {
  readonly #ids: number[] = []
  #next = 0

  add(streamId: number): void {
    this.#ids[this.#next] = streamId
    this.#next = (this.#next + 1) % MAX_REMEMBERED
  }

  has(streamId: number): boolean {
    return this.#ids.includes(streamId)
  }
}
