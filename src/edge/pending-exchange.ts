import type { Duplex, Readable, Writable } from 'node:stream'
import type { ClientFacts, Exchange, Outcome, RequestHead, ResponseHead } from './exchange.ts'

/**
 * What the two versions of HTTP have in common while a request is being answered: fields of our own, the count of bytes,
 * and the one moment at which it ends.
 */
export abstract class PendingExchange implements Exchange {
  readonly request: RequestHead
  readonly client: ClientFacts
  readonly body: Readable | undefined
  #ownFields: string[] = []
  #status = 0
  #bytes = 0
  #onEnd: ((outcome: Outcome) => void)[] = []

  constructor(request: RequestHead, client: ClientFacts, body: Readable | undefined) {
    this.request = request
    this.client = client
    this.body = body
  }

  setField(name: string, value: string): void {
    this.#ownFields.push(name, value)
  }

  onEnd(listener: (outcome: Outcome) => void): void {
    this.#onEnd.push(listener)
  }

  respond({ status, reason, fields }: ResponseHead, body?: Readable | string): void {
    this.#status = status
    const sink = this.writeHead({ status, reason: reason ?? '', fields: this.#withOwnFields(fields) })
    if (body === undefined) sink.end()
    else if (typeof body === 'string') this.#sendText(body, sink)
    else this.#sendStream(body, sink)
  }

  switchProtocols(head: ResponseHead): Duplex {
    this.#status = head.status
    return this.takeConnection(head)
  }

  /** Sends the head and gives the stream that takes the body. */
  protected abstract writeHead(head: Required<ResponseHead>): Writable

  /** Breaks the response off so that the client can tell. */
  protected abstract abort(): void

  protected abstract takeConnection(head: ResponseHead): Duplex

  /** To be called when the response's carrier has closed; `isComplete` if all of it was handed to the transport. */
  protected ended(isComplete: boolean): void {
    const outcome = { result: isComplete ? 'complete' : 'aborted', status: this.#status, bytes: this.#bytes } as const
    for (const listener of this.#onEnd) listener(outcome)
    this.#onEnd = []
  }

  #withOwnFields(fields: ResponseHead['fields']): string[] {
    const own = this.#ownFields
    if (own.length === 0) return [...fields]
    const replaced = new Set(own.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
    return [...fields.filter((_, at) => !replaced.has(fields[at - (at % 2)]!.toLowerCase())), ...own]
  }

  #sendText(body: string, sink: Writable): void {
    const isBodiless = this.request.method === 'HEAD'
    if (!isBodiless) this.#bytes += Buffer.byteLength(body)
    sink.end(isBodiless ? undefined : body)
  }

  /** A body that breaks off breaks the response off too; a client that goes away ends the body at its source. */
  #sendStream(body: Readable, sink: Writable): void {
    body.on('data', (piece: Buffer) => {
      this.#bytes += piece.length
    })
    body.once('error', () => this.abort())
    body.once('close', () => {
      if (!body.readableEnded) this.abort()
    })
    sink.once('close', () => body.destroy())
    body.pipe(sink)
  }
}
