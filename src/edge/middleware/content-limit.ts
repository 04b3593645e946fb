import type { ErrorAnswers } from '../error-answers.ts'
import { respondWith } from '../exchange/answer.ts'
import {
  type Exchange,
  type Fields,
  type Outcome,
  type RequestReceiver,
  type ResponseHead,
  UNKNOWN_LENGTH,
} from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import type { Middleware } from './middleware.ts'
import type { PolicyTools } from './policy.ts'

const CONTENT_TOO_LARGE = 413
const WHY = 'body-too-large'

/** What is on the page of a refusal. */
type RefusalFacts = { readonly errorAnswers: ErrorAnswers; readonly requestId: string }

/**
 * Answers 413 to requests with more content than so many bytes (RFC 9110 §15.5.14): at once where it is announced, else once
 * more than that has come; then what has begun as a response is broken off.
 */
export function contentLimit(
  maxBytes: number,
  { refuse, errorAnswers }: Pick<PolicyTools, 'refuse' | 'errorAnswers'>,
): Middleware {
  return (next) => (exchange, facts) => {
    if (exchange.contentLength > maxBytes) return refuse(exchange, facts, { status: CONTENT_TOO_LARGE, why: WHY })
    // What follows an upgrade is no content, over HTTP/2 neither, where its stream has no length.
    const isMeasured = exchange.contentLength !== UNKNOWN_LENGTH || exchange.request.upgrade !== undefined
    if (isMeasured) return next(exchange, facts)
    next(new LimitedExchange(exchange, maxBytes, { errorAnswers, requestId: facts.requestId }), facts)
  }
}

class LimitedExchange extends WrappedExchange implements RequestReceiver {
  readonly #maxBytes: number
  readonly #refusal: RefusalFacts
  /** undefined once it has been told the end. */
  #receiver: RequestReceiver | undefined
  #bytes = 0
  #hasResponded = false
  #isExceeded = false

  constructor(inner: Exchange, maxBytes: number, refusal: RefusalFacts) {
    super(inner)
    this.#maxBytes = maxBytes
    this.#refusal = refusal
  }

  override receive(receiver: RequestReceiver): void {
    this.#receiver = receiver
    this.inner.receive(this)
  }

  override inform(head: ResponseHead): void {
    if (!this.#isExceeded) this.inner.inform(head)
  }

  override respond(head: ResponseHead, contentLength: number): void {
    if (this.#isExceeded) return
    this.#hasResponded = true
    this.inner.respond(head, contentLength)
  }

  override write(piece: Buffer): boolean {
    return this.#isExceeded || this.inner.write(piece)
  }

  override end(trailers?: Fields): void {
    if (!this.#isExceeded) this.inner.end(trailers)
  }

  override abort(): void {
    if (!this.#isExceeded) this.inner.abort()
  }

  onContent(piece: Buffer): boolean {
    this.#bytes += piece.length
    if (this.#bytes <= this.#maxBytes) return this.#receiver?.onContent(piece) ?? true
    if (!this.#isExceeded) this.#exceed()
    return true
  }

  onContentEnd(trailers: Fields): void {
    this.#receiver?.onContentEnd(trailers)
  }

  onDrain(): void {
    this.#receiver?.onDrain()
  }

  onEnd(outcome: Outcome): void {
    const receiver = this.#receiver
    this.#receiver = undefined
    const isTooMuch = this.#bytes > this.#maxBytes && outcome.result === 'aborted'
    receiver?.onEnd(isTooMuch ? { ...outcome, why: WHY } : outcome)
  }

  #exceed(): void {
    if (this.#hasResponded) {
      this.inner.abort()
      return
    }
    this.#isExceeded = true
    const { errorAnswers, requestId } = this.#refusal
    const page = errorAnswers(CONTENT_TOO_LARGE, this.request, requestId)
    respondWith(this.inner, page)
    this.onEnd({ result: 'aborted', status: CONTENT_TOO_LARGE, bytes: Buffer.byteLength(page.text), why: WHY })
  }
}
