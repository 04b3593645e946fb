import type { Exchange, RequestHead } from './exchange.ts'
import { WrappedExchange } from './wrapped-exchange.ts'

/** The same exchange, whose request has another target. */
export function withTarget(exchange: Exchange, target: string): Exchange {
  return new RetargetedExchange(exchange, { ...exchange.request, target })
}

class RetargetedExchange extends WrappedExchange {
  readonly #request: RequestHead

  constructor(inner: Exchange, request: RequestHead) {
    super(inner)
    this.#request = request
  }

  override get request(): RequestHead {
    return this.#request
  }
}
