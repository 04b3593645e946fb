import { type Exchange, type Fields, NO_FIELDS, type Outcome, type RequestReceiver } from './exchange.ts'
import { WrappedExchange } from './wrapped-exchange.ts'

/**
 * An exchange whose handling waits for something else: its content is held back meanwhile, and comes once somebody
 * receives it. What came of it before the client was told to pause is kept, at most one read of the socket.
 */
export class HeldExchange extends WrappedExchange implements RequestReceiver {
  readonly #onGone: () => void
  #receiver: RequestReceiver | undefined
  #held: Buffer[] = []
  #trailers: Fields | undefined
  #outcome: Outcome | undefined
  #isFlowing = false

  /** `onGone` is told if the client goes away while it is held. Then nobody need handle it. */
  constructor(inner: Exchange, onGone: () => void) {
    super(inner)
    this.#onGone = onGone
    inner.receive(this)
  }

  /** How it ended, if the client has gone already. */
  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  override receive(receiver: RequestReceiver): void {
    this.#receiver = receiver
    process.nextTick(() => this.#release(receiver))
  }

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
    if (this.#receiver === undefined) this.#onGone()
    else if (this.#isFlowing) this.#receiver.onEnd(outcome)
  }

  #release(receiver: RequestReceiver): void {
    this.#isFlowing = true
    if (this.#outcome !== undefined) return receiver.onEnd(this.#outcome)
    const held = this.#held
    this.#held = []
    let takesMore = true
    for (const piece of held) takesMore = receiver.onContent(piece) && takesMore
    if (this.#trailers !== undefined) receiver.onContentEnd(this.#trailers ?? NO_FIELDS)
    else if (takesMore) this.inner.resume()
  }
}
