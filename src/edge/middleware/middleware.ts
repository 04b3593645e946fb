import type { ErrorAnswers } from '../error-answers.ts'
import { answer } from '../exchange/answer.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Origin } from '../forwarding.ts'
import type { Host } from '../host.ts'
import type { RequestRecord } from '../recorder.ts'
import type { RouteSnapshot, SiteSnapshot } from '../snapshot.ts'

/** What is known of a request that a site takes. */
export type RequestFacts = {
  readonly host: Host
  readonly origin: Origin
  readonly site: SiteSnapshot
  /** Of the site's routes, the one that takes it. */
  readonly route: RouteSnapshot | undefined
  readonly requestId: string
  readonly record: RequestRecord
}

/** What becomes of a request from here on. */
export type Handler = (exchange: Exchange, facts: RequestFacts) => void

/**
 * One thing that a site does to its requests or responses besides answering them. Everything that does not depend on the
 * request is settled when it is given its `next`, which happens once; then each request goes through the handler that it
 * returned. That either answers, or calls `next`, perhaps with an exchange of its own around the one that it got.
 */
export type Middleware = (next: Handler) => Handler

/** Answers with the page for a status of our own making; `why` is the word for it in the access log. */
export type Refuse = (exchange: Exchange, facts: RequestFacts, refusal: OwnRefusal) => void

export type OwnRefusal = {
  readonly status: number
  readonly why: string
  /** Besides Date and those of the page. */
  readonly fields?: readonly string[]
}

export function refuseWith(errorAnswers: ErrorAnswers): Refuse {
  return (exchange, { record, requestId }, { status, why, fields = [] }) => {
    record.why = why
    const page = errorAnswers(status, exchange.request, requestId)
    answer(exchange, { ...page, fields: [...page.fields, ...fields] }, record)
  }
}

/** One handler: the first of these middlewares, around the next, and so on, around what finally answers. */
export function chain(middlewares: readonly Middleware[], last: Handler): Handler {
  return middlewares.reduceRight((next, middleware) => middleware(next), last)
}
