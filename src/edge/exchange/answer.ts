import type { Exchange, Fields, Outcome, RequestReceiver } from './exchange.ts'

/** A response of our own making. */
export type Answer = {
  readonly status: number
  /** Without Content-Length. */
  readonly fields: Fields
  /** Text as UTF-8, or bytes; empty for none. */
  readonly text: string | Buffer
}

/** Answers an exchange that nobody else handles: its content is of no use, and `record` is told how it ended. */
export function answer(exchange: Exchange, what: Answer, record: Pick<RequestReceiver, 'onEnd'>): void {
  exchange.receive(new Unread(record))
  respondWith(exchange, what)
}

/** Gives the response to an exchange that has its receiver. */
export function respondWith(exchange: Exchange, { status, fields, text }: Answer): void {
  const content = typeof text === 'string' ? Buffer.from(text) : text
  exchange.respond({ status, fields }, content.length)
  if (content.length > 0) exchange.write(content)
  exchange.end()
}

/** Takes content that nobody wants. */
class Unread implements RequestReceiver {
  readonly #record: Pick<RequestReceiver, 'onEnd'>

  constructor(record: Pick<RequestReceiver, 'onEnd'>) {
    this.#record = record
  }

  onContent(): boolean {
    return true
  }

  onContentEnd(): void {}

  onDrain(): void {}

  onEnd(outcome: Outcome): void {
    this.#record.onEnd(outcome)
  }
}
