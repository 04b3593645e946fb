import { answer } from '../exchange/answer.ts'
import type { HttpDate } from '../http-date.ts'
import type { Middleware } from './middleware.ts'
import { originAt, PERMANENT_REDIRECT, redirect } from './redirect.ts'

/** Sends visitors of a site's other names to its first, on the same scheme and port. */
export function canonical(name: string, date: HttpDate): Middleware {
  return (next) => (exchange, facts) => {
    const { host, origin, record } = facts
    if (host.name === name) return next(exchange, facts)
    const to = originAt(origin.scheme, name, host.port)
    answer(exchange, redirect(exchange.request.target, to, PERMANENT_REDIRECT, date.now()), record)
  }
}
