import { withoutNames } from '../fields.ts'
import type { Exchange, Fields, ResponseHead } from './exchange.ts'
import { WrappedExchange } from './wrapped-exchange.ts'

/**
 * The same exchange, on whose final response these fields are, whatever its source, in place of any of their names that it
 * has already.
 */
export function withOwnFields(exchange: Exchange, fields: Fields): Exchange {
  return new ExchangeWithOwnFields(exchange, fields)
}

class ExchangeWithOwnFields extends WrappedExchange {
  readonly #fields: Fields

  constructor(inner: Exchange, fields: Fields) {
    super(inner)
    this.#fields = fields
  }

  override respond(head: ResponseHead, contentLength: number): void {
    // A 101 is the other protocol's business already (RFC 6797 §7.2 and its like speak of HTTP responses).
    if (head.status === 101) return this.inner.respond(head, contentLength)
    const names = new Set(this.#fields.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
    this.inner.respond({ ...head, fields: [...withoutNames(head.fields, names), ...this.#fields] }, contentLength)
  }
}
