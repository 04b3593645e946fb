import { withoutNames } from '../fields.ts'
import type { ClientFacts, Exchange, Fields, RequestHead, RequestReceiver, ResponseHead } from './exchange.ts'

/**
 * The same exchange, on whose final response these fields are, whatever its source, in place of any of their names that it
 * has already.
 */
export function withOwnFields(exchange: Exchange, fields: Fields): Exchange {
  return new ExchangeWithOwnFields(exchange, fields)
}

class ExchangeWithOwnFields implements Exchange {
  readonly #inner: Exchange
  readonly #fields: Fields

  constructor(inner: Exchange, fields: Fields) {
    this.#inner = inner
    this.#fields = fields
  }

  get request(): RequestHead {
    return this.#inner.request
  }

  get client(): ClientFacts {
    return this.#inner.client
  }

  get contentLength(): number {
    return this.#inner.contentLength
  }

  get expectsContinue(): boolean {
    return this.#inner.expectsContinue
  }

  receive(receiver: RequestReceiver): void {
    this.#inner.receive(receiver)
  }

  resume(): void {
    this.#inner.resume()
  }

  inform(head: ResponseHead): void {
    this.#inner.inform(head)
  }

  respond(head: ResponseHead, contentLength: number): void {
    // A 101 is the other protocol's business already (RFC 6797 §7.2 and its like speak of HTTP responses).
    if (head.status === 101) return this.#inner.respond(head, contentLength)
    const names = new Set(this.#fields.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
    this.#inner.respond({ ...head, fields: [...withoutNames(head.fields, names), ...this.#fields] }, contentLength)
  }

  write(piece: Buffer): boolean {
    return this.#inner.write(piece)
  }

  end(trailers?: Fields): void {
    this.#inner.end(trailers)
  }

  abort(): void {
    this.#inner.abort()
  }
}
