import type { Exchange } from '../exchange.ts'

const PREFIX = '/.well-known/acme-challenge/'

/** RFC 8555 §8.3: what port 80 answers while a CA validates a name. Only what was published; nothing is echoed. */
export class Http01Answers {
  readonly #keyAuthorizations = new Map<string, string>()

  publish(token: string, keyAuthorization: string): void {
    this.#keyAuthorizations.set(token, keyAuthorization)
  }

  withdraw(token: string): void {
    this.#keyAuthorizations.delete(token)
  }

  /** Answers if this is a validation request, ahead of any redirect or site. Says whether it did. */
  handle(exchange: Exchange): boolean {
    const { target } = exchange.request
    if (!target.startsWith(PREFIX)) return false
    const keyAuthorization = this.#keyAuthorizations.get(target.slice(PREFIX.length))
    if (keyAuthorization === undefined) respondPlainly(exchange, 404, 'No such challenge is pending here.\n')
    else respondPlainly(exchange, 200, keyAuthorization)
    return true
  }
}

function respondPlainly(exchange: Exchange, status: number, text: string): void {
  const fields = ['Content-Type', 'application/octet-stream', 'Content-Length', String(Buffer.byteLength(text))]
  exchange.respond({ status, fields: [...fields, 'Cache-Control', 'no-store'] }, text)
}
