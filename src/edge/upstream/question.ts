import type { Endpoints } from '../endpoints.ts'
import {
  type ExchangeFailure,
  type ResponseHead,
  type ResponseReceiver,
  UNKNOWN_LENGTH,
  type UpstreamExchange,
  type UpstreamRequest,
} from '../exchange/exchange.ts'
import type { PeerSnapshot } from '../snapshot.ts'
import type { UpstreamConnections } from './connections.ts'
import type { Borrower, Lease, UpstreamLine, UpstreamPool } from './pool.ts'
import { failureError, UpstreamError, unreachableError, wasCutOff } from './upstream-error.ts'
import { formatUpstream } from './upstream-name.ts'

/** What came of a question: the whole answer, or why there is none. */
export type Reply =
  | { readonly type: 'answer'; readonly head: ResponseHead; readonly content: Buffer }
  | { readonly type: 'failure'; readonly error: UpstreamError }

export type QuestionOptions = {
  readonly connections: UpstreamConnections
  /** Without content, and idempotent. */
  readonly request: Omit<UpstreamRequest, 'contentLength' | 'upgrade' | 'takesTrailers'>
  /** On whose behalf it is asked. */
  readonly client: Endpoints
  /** Whether the content of an answer is wanted; else its head is told of at once. */
  readonly wantsContent: (status: number) => boolean
  /** An answer with more content is a failure. */
  readonly maxBytes: number
  /** Told once, perhaps before `askUpstream` has returned. */
  readonly tell: (reply: Reply) => void
}

/**
 * Asks a service something on the way to serving a request, over the same connections as applications. A connection that
 * turns out to be dead is tried once more, on a fresh one. After `cancel` nobody is told.
 */
export function askUpstream(upstream: PeerSnapshot, options: QuestionOptions): { readonly cancel: () => void } {
  const question = new Question(upstream, options)
  question.send(false)
  return { cancel: () => question.cancel() }
}

class Question implements Borrower, ResponseReceiver {
  readonly client: Endpoints
  readonly #upstream: PeerSnapshot
  readonly #options: QuestionOptions
  readonly #pool: UpstreamPool
  #lease: Lease | undefined
  #exchange: UpstreamExchange | undefined
  #sendings = 0
  #isReused = false
  #isTold = false
  #head: ResponseHead | undefined
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(upstream: PeerSnapshot, options: QuestionOptions) {
    this.#upstream = upstream
    this.#options = options
    this.client = options.client
    this.#pool = options.connections.toPeer(upstream)
  }

  send(mustBeFresh: boolean): void {
    this.#sendings++
    this.#exchange = undefined
    const lease = this.#pool.lease(this, mustBeFresh)
    // What was called meanwhile may have been a failure that is sent again already.
    if (lease !== undefined) this.#lease = lease
  }

  cancel(): void {
    this.#isTold = true
    this.#lease?.cancel()
    this.#exchange?.abort()
  }

  onConnection(line: UpstreamLine): void {
    this.#lease = undefined
    this.#isReused = line.isUsed
    const request = { ...this.#options.request, contentLength: 0, upgrade: undefined, takesTrailers: false }
    this.#exchange = line.send(request, this)
    this.#exchange.end()
  }

  onUnreachable(cause: unknown): void {
    this.#lease = undefined
    if (this.#isTold) return
    if (wasCutOff(cause) && this.#sendings === 1) return this.send(true)
    this.#fail(unreachableError(this.#upstream, cause))
  }

  onInform(): void {}

  onResponse(head: ResponseHead, contentLength: number): void {
    this.#pool.hasAnswered = true
    this.#head = head
    if (!this.#options.wantsContent(head.status)) this.#tell({ type: 'answer', head, content: Buffer.alloc(0) })
    if (contentLength !== UNKNOWN_LENGTH && contentLength > this.#options.maxBytes) this.#tooMuch()
  }

  /** What nobody wants is taken all the same, within the same bound, so that the connection can be used again. */
  onContent(piece: Buffer): boolean {
    this.#bytes += piece.length
    if (this.#bytes > this.#options.maxBytes) this.#tooMuch()
    else if (!this.#isTold) this.#pieces.push(piece)
    return true
  }

  onContentEnd(): void {
    this.#exchange = undefined
    this.#tell({ type: 'answer', head: this.#head!, content: Buffer.concat(this.#pieces) })
  }

  onDrain(): void {}

  onFailure(failure: ExchangeFailure): void {
    this.#exchange = undefined
    if (this.#isTold) return
    const isStale = this.#isReused && failure.code === 'upstream-closed' && this.#head === undefined
    if ((isStale || failure.isUnprocessed) && this.#sendings === 1) return this.send(true)
    this.#fail(failureError(this.#upstream, failure, this.#pool.hasAnswered))
  }

  #tooMuch(): void {
    this.#exchange?.abort()
    this.#exchange = undefined
    const upstream = formatUpstream(this.#upstream.address)
    const message = `${upstream} gave no usable response: it is larger than ${this.#options.maxBytes} bytes.`
    this.#fail(new UpstreamError('upstream-broken', message, { upstream, cause: 'response-too-large' }))
  }

  #fail(error: UpstreamError): void {
    this.#tell({ type: 'failure', error })
  }

  #tell(reply: Reply): void {
    if (this.#isTold) return
    this.#isTold = true
    this.#options.tell(reply)
  }
}
