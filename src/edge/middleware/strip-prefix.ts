import type { Exchange, RequestHead } from '../exchange/exchange.ts'
import { WrappedExchange } from '../exchange/wrapped-exchange.ts'

/** The same exchange, whose request has another target. */
export function withTarget(exchange: Exchange, target: string): Exchange {
  return new RetargetedExchange(exchange, { ...exchange.request, target })
}

/** A target without the first of its path, which is known to begin with the prefix, whatever the case. */
export function stripped(target: string, prefix: string): string {
  const rest = target.slice(prefix.length)
  return rest.startsWith('/') ? rest : `/${rest}`
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
