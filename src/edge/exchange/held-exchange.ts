import type { Exchange, Fields, Outcome, RequestReceiver } from './exchange.ts'
import { WrappedExchange } from './wrapped-exchange.ts'

/**
 * An exchange whose handling waits for something else: its content is held back meanwhile, and comes once somebody
 * receives it. What came of it before the client was told to pause is kept, at most one read of the socket.
 */
export class HeldExchange extends WrappedExchange implements RequestReceiver {
  readonly #onGone: (outcome: Outcome) => void
  #receiver: RequestReceiver | undefined
  #held: Buffer[] = []
  #trailers: Fields | undefined
  #outcome: Outcome | undefined
  #isFlowing = false

  /** `onGone` is told if the client goes away before somebody receives it. Then nobody need handle it. */
  constructor(inner: Exchange, onGone: (outcome: Outcome) => void) {
    super(inner)
    this.#onGone = onGone
    inner.receive(this)
  }

  override receive(receiver: RequestReceiver): void {
    this.#receiver = receiver
    process.nextTick(() => this.#release(receiver))
  }

  /** What is held comes first, and then whatever its receiver has asked for. */
  override resume(): void {
    if (this.#isFlowing) this.inner.resume()
  }

  onContent(piece: Buffer): boolean {
    if (this.#isFlowing) return this.#receiver!.onContent(piece)
    this.#held.push(piece)
    return false
  }

  onContentEnd(trailers: Fields): void {
    if (this.#isFlowing) this.#receiver!.onContentEnd(trailers)
    else this.#trailers = trailers
  }

  onDrain(): void {
    this.#receiver?.onDrain()
  }

  onEnd(outcome: Outcome): void {
    this.#outcome = outcome
    this.#held = []
    if (this.#receiver === undefined) this.#onGone(outcome)
    else if (this.#isFlowing) this.#receiver.onEnd(outcome)
  }

  #release(receiver: RequestReceiver): void {
    if (this.#outcome !== undefined) return receiver.onEnd(this.#outcome)
    this.#isFlowing = true
    const held = this.#held
    this.#held = []
    let takesMore = true
    for (const piece of held) {
      takesMore = receiver.onContent(piece) && takesMore
      // Whoever receives it may have ended it.
      if (this.#outcome !== undefined) return
    }
    if (this.#trailers !== undefined) receiver.onContentEnd(this.#trailers)
    else if (takesMore) this.inner.resume()
  }
}
