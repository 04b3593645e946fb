import { answer } from '../exchange/answer.ts'
import type { HttpDate } from '../http-date.ts'
import { chain, type Middleware } from './middleware.ts'
import { originAt, PERMANENT_REDIRECT, redirect } from './redirect.ts'

/** Sends visitors of a site's other names to its first, on the same scheme and port. `own` are around that answer. */
export function canonical(name: string, date: HttpDate, own: readonly Middleware[]): Middleware {
  const redirecting = chain(own, (exchange, { host, origin, record }) => {
    const to = originAt(origin.scheme, name, host.port)
    answer(exchange, redirect(exchange.request.target, to, PERMANENT_REDIRECT, date.now()), record)
  })
  return (next) => (exchange, facts) => (facts.host.name === name ? next : redirecting)(exchange, facts)
}
