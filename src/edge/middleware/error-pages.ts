import type { ErrorAnswers } from '../error-answers.ts'
import { respondWith } from '../exchange/answer.ts'
import type { Exchange, Fields, ResponseHead } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'
import { fieldValue } from '../fields.ts'
import type { Middleware } from './middleware.ts'

/** Gives the pages for these statuses of the application in place of what it answers; its content is not passed on. */
export function interceptErrors(statuses: readonly number[], errorAnswers: ErrorAnswers): Middleware {
  const intercepted = new Set(statuses)
  return (next) => (exchange, facts) =>
    next(
      new InterceptedExchange(exchange, intercepted, (status) =>
        errorAnswers(status, exchange.request, facts.requestId),
      ),
      facts,
    )
}

class InterceptedExchange extends WrappedExchange {
  readonly #statuses: ReadonlySet<number>
  readonly #answer: (status: number) => ReturnType<ErrorAnswers>
  /** The page is given: what else comes is the application's. */
  #isReplaced = false

  constructor(inner: Exchange, statuses: ReadonlySet<number>, answer: (status: number) => ReturnType<ErrorAnswers>) {
    super(inner)
    this.#statuses = statuses
    this.#answer = answer
  }

  override respond(head: ResponseHead, contentLength: number): void {
    if (this.#isReplaced) return
    if (!this.#statuses.has(head.status)) return this.inner.respond(head, contentLength)
    this.#isReplaced = true
    const page = this.#answer(head.status)
    respondWith(this.inner, { ...page, fields: [...page.fields, ...kept(head.fields)] })
  }

  override write(piece: Buffer): boolean {
    return this.#isReplaced || this.inner.write(piece)
  }

  override end(trailers?: Fields): void {
    if (!this.#isReplaced) this.inner.end(trailers)
  }

  override abort(): void {
    if (!this.#isReplaced) this.inner.abort()
  }
}

/** What tells the client more than the status does, and not how the content is: RFC 9110 §10.2.3, §11.6.1, §10.2.1. */
const KEPT = ['Retry-After', 'WWW-Authenticate', 'Allow']

function kept(fields: Fields): string[] {
  return KEPT.flatMap((name) => {
    const value = fieldValue(fields, name.toLowerCase())
    return value === undefined ? [] : [name, value]
  })
}
