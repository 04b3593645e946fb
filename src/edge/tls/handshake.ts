import type { Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import { type Alert, alertRecord } from '../client-hello/alert.ts'
import type { ClientHello } from '../client-hello/client-hello.ts'
import { ClientHelloReader, type HelloReading } from '../client-hello/reader.ts'

/** What to do with a client, now that it is known what it asks for. */
export type Decision =
  | { readonly type: 'serve'; readonly context: SecureContext; readonly protocols: readonly string[] }
  | { readonly type: 'refuse'; readonly alert: Alert; readonly reason: string }

export type HandshakeOptions = {
  readonly helloTimeoutMs: number
  readonly handshakeTimeoutMs: number
  readonly decide: (hello: ClientHello) => Decision
  /** TLS is established; the socket has read nothing of what follows. */
  readonly onSecure: (socket: TLSSocket, hello: ClientHello) => void
  /** There will be no connection; the reason is for the log. */
  readonly onFailure: (reason: string) => void
}

/** Time for a refusal to reach a client that is still sending, so that no reset overtakes it. */
const LINGER_MS = 1_000

const PLAIN_HTTP_ANSWER =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n' +
  'This port speaks HTTPS: use https:// in the address.\n'

/**
 * One connection from its first byte to the end of the TLS handshake. The ClientHello is read before TLS starts, and put
 * back untouched: that is the one way in which each client can get its own certificate and, with it, the right staple.
 */
export class Handshake {
  readonly #socket: Socket
  readonly #options: HandshakeOptions
  readonly #reader = new ClientHelloReader()
  #timer: NodeJS.Timeout
  #isOver = false

  constructor(socket: Socket, options: HandshakeOptions) {
    this.#socket = socket
    this.#options = options
    const { helloTimeoutMs } = options
    this.#timer = setTimeout(() => this.abort(`no ClientHello within ${helloTimeoutMs} ms`), helloTimeoutMs)
    socket.on('error', this.#onGone)
    socket.on('close', this.#onGone)
    socket.on('readable', this.#onReadable)
  }

  /** Ends it without a word. */
  abort(reason: string): void {
    this.#fail(reason)
    this.#socket.destroy()
  }

  readonly #onGone = (): void => this.abort('the client has gone')

  readonly #onReadable = (): void => {
    const bytes: Buffer | null = this.#socket.read()
    if (bytes === null) return
    const reading = this.#reader.push(bytes)
    if (reading.status === 'incomplete') return
    this.#socket.off('readable', this.#onReadable)
    this.#proceed(reading)
  }

  #proceed(reading: Exclude<HelloReading, { status: 'incomplete' }>): void {
    switch (reading.status) {
      case 'plain-http':
        return this.#refuse(Buffer.from(PLAIN_HTTP_ANSWER), 'the client speaks HTTP without TLS')
      case 'refused':
        return this.#refuse(
          reading.alert && alertRecord(reading.alert),
          `the ClientHello is not usable: ${reading.reason}`,
        )
      case 'complete':
        return this.#decide(reading.hello)
      default:
        reading satisfies never
    }
  }

  #decide(hello: ClientHello): void {
    const decision = this.#options.decide(hello)
    if (decision.type === 'refuse') this.#refuse(alertRecord(decision.alert), decision.reason)
    else this.#startTls(hello, decision.context, decision.protocols)
  }

  #startTls(hello: ClientHello, secureContext: SecureContext, protocols: readonly string[]): void {
    this.#socket.unshift(this.#reader.received)
    const socket = new TLSSocket(this.#socket, { isServer: true, secureContext, ALPNProtocols: [...protocols] })
    clearTimeout(this.#timer)
    const { handshakeTimeoutMs } = this.#options
    this.#timer = setTimeout(() => this.abort(`no handshake within ${handshakeTimeoutMs} ms`), handshakeTimeoutMs)
    // Without a tls.Server around it, a TLSSocket reports what OpenSSL finds wrong only here.
    socket.on('_tlsError', (error: Error) => {
      this.#fail(error.message)
      socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.once('secure', () => {
      if (!this.#end()) return
      // Only a tls.Server clears this, and node:http2 waits for it before it reads.
      Object.assign(socket, { secureConnecting: false })
      this.#socket.off('close', this.#onGone)
      this.#options.onSecure(socket, hello)
    })
  }

  #refuse(answer: Buffer | undefined, reason: string): void {
    this.#fail(reason)
    if (answer === undefined) {
      this.#socket.destroy()
      return
    }
    this.#socket.end(answer)
    this.#socket.resume()
    const linger = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    this.#socket.once('close', () => clearTimeout(linger))
  }

  #fail(reason: string): void {
    if (this.#end()) this.#options.onFailure(reason)
  }

  /** Says whether it was not over yet. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    clearTimeout(this.#timer)
    return true
  }
}
