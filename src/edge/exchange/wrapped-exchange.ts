import type { ClientFacts, Exchange, Fields, RequestHead, RequestReceiver, ResponseHead } from './exchange.ts'

/** An exchange that is another one, but for what a subclass does otherwise. */
export abstract class WrappedExchange implements Exchange {
  protected readonly inner: Exchange

  constructor(inner: Exchange) {
    this.inner = inner
  }

  get request(): RequestHead {
    return this.inner.request
  }

  get client(): ClientFacts {
    return this.inner.client
  }

  get contentLength(): number {
    return this.inner.contentLength
  }

  get expectsContinue(): boolean {
    return this.inner.expectsContinue
  }

  receive(receiver: RequestReceiver): void {
    this.inner.receive(receiver)
  }

  resume(): void {
    this.inner.resume()
  }

  inform(head: ResponseHead): void {
    this.inner.inform(head)
  }

  respond(head: ResponseHead, contentLength: number): void {
    this.inner.respond(head, contentLength)
  }

  write(piece: Buffer): boolean {
    return this.inner.write(piece)
  }

  end(trailers?: Fields): void {
    this.inner.end(trailers)
  }

  abort(): void {
    this.inner.abort()
  }
}
