import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { tls } from '../../system/tls.ts'
import { type Alert, alertRecord } from '../client-hello/alert.ts'
import type { ClientHello } from '../client-hello/client-hello.ts'
import { ClientHelloReader, type HelloReading } from '../client-hello/reader.ts'
import { closeLingering } from './lingering-close.ts'
import { attachStaple } from './staple.ts'

/** What to do with a client, now that it is known what it asks for. */
export type Decision =
  | {
      readonly type: 'serve'
      readonly context: SecureContext
      readonly protocols: readonly string[]
      /** The certificate's OCSP response, DER, for a client that asked for it. */
      readonly staple: Buffer | undefined
      /** TLS is established, so long after the connection came; the socket has read nothing of what follows. */
      readonly onSecure: (socket: TLSSocket, handshakeMs: number) => void
    }
  | { readonly type: 'refuse'; readonly alert: Alert; readonly reason: string }

export type HandshakeOptions = {
  /** For the whole ClientHello, from the first moment. */
  readonly helloTimeoutMs: number
  /** For all of it, the ClientHello included. */
  readonly handshakeTimeoutMs: number
  /** A promise where something has to be fetched first. */
  readonly decide: (hello: ClientHello) => Decision | Promise<Decision>
  /** It is over; told once. A failure says why there is no connection, in words for the log. */
  readonly onOver: (failure: string | undefined) => void
  /** Something that was called from here threw, and the connection is closed. */
  readonly onThrow: (error: unknown) => void
}

const PLAIN_HTTP_ANSWER = Buffer.from(
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n' +
    'This port speaks HTTPS: use https:// in the address.\n',
)

/**
 * One connection from its first byte to the end of the TLS handshake. The ClientHello is read before TLS starts, and put
 * back untouched: that is the one way in which each client can get its own certificate and, with it, the right staple.
 */
export class Handshake {
  readonly #socket: Socket
  readonly #options: HandshakeOptions
  /** undefined once the hello is read: a connection that lasts does not hold on to it. */
  #reader: ClientHelloReader | undefined = new ClientHelloReader()
  readonly #helloTimer: NodeJS.Timeout
  readonly #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()
  #isOver = false

  constructor(socket: Socket, options: HandshakeOptions) {
    this.#socket = socket
    this.#options = options
    const { helloTimeoutMs, handshakeTimeoutMs } = options
    this.#helloTimer = setTimeout(() => this.abort(`no ClientHello within ${helloTimeoutMs} ms`), helloTimeoutMs)
    this.#timer = setTimeout(() => this.abort(`no handshake within ${handshakeTimeoutMs} ms`), handshakeTimeoutMs)
    socket.on('error', this.#onGone)
    socket.on('close', this.#onGone)
    socket.on('readable', this.#onReadable)
  }

  /** Ends it without a word. */
  abort(reason: string): void {
    this.#socket.destroy()
    this.#end(reason)
  }

  readonly #onGone = (): void => this.abort('the client has gone')

  readonly #onReadable = (): void => this.#guard(() => this.#readHello())

  /** What goes wrong with one connection costs that one, not the process. */
  #guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.abort('an error in the program')
      this.#options.onThrow(error)
    }
  }

  #readHello(): void {
    const bytes: Buffer | null = this.#socket.read()
    if (bytes === null || this.#reader === undefined) return
    const reading = this.#reader.push(bytes)
    if (reading.status === 'incomplete') return
    const { received } = this.#reader
    this.#reader = undefined
    this.#socket.off('readable', this.#onReadable)
    clearTimeout(this.#helloTimer)
    this.#proceed(reading, received)
  }

  #proceed(reading: Exclude<HelloReading, { status: 'incomplete' }>, received: Buffer): void {
    switch (reading.status) {
      case 'plain-http':
        return this.#refuse(PLAIN_HTTP_ANSWER, 'the client speaks HTTP without TLS')
      case 'refused': {
        const reason = `the ClientHello is not usable: ${reading.reason}`
        return reading.alert === undefined ? this.abort(reason) : this.#refuse(alertRecord(reading.alert), reason)
      }
      case 'complete':
        return this.#decide(reading.hello, received)
      default:
        reading satisfies never
    }
  }

  #decide(hello: ClientHello, received: Buffer): void {
    const decision = this.#options.decide(hello)
    if (!(decision instanceof Promise)) return this.#carryOut(decision, received)
    decision.then(
      (decided) => this.#guard(() => this.#carryOut(decided, received)),
      (error) =>
        this.#guard(() => {
          throw error
        }),
    )
  }

  #carryOut(decision: Decision, received: Buffer): void {
    if (this.#isOver) return
    if (decision.type === 'refuse') return this.#refuse(alertRecord(decision.alert), decision.reason)
    const { context, protocols, staple, onSecure } = decision
    this.#socket.unshift(received)
    const socket = new tls.TLSSocket(this.#socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [...protocols],
    })
    if (staple !== undefined) attachStaple(socket, staple)
    this.#watch(socket)
    socket.once('secure', () => this.#guard(() => this.#established(socket, onSecure)))
  }

  #watch(socket: TLSSocket): void {
    // Without a tls.Server around it, a TLSSocket reports what OpenSSL finds wrong only here.
    socket.on('_tlsError', (error: Error & { reason?: string }) => {
      this.#end(error.reason ?? error.message)
      socket.destroy()
    })
    socket.on('error', () => socket.destroy())
  }

  #established(socket: TLSSocket, onSecure: (socket: TLSSocket, handshakeMs: number) => void): void {
    if (this.#isOver) return
    // Only a tls.Server clears this, and node:http2 waits for it before it reads.
    Object.assign(socket, { secureConnecting: false })
    this.#socket.off('close', this.#onGone)
    this.#end(undefined)
    onSecure(socket, performance.now() - this.#startedAt)
  }

  #refuse(answer: Buffer, reason: string): void {
    closeLingering(this.#socket, answer)
    this.#end(reason)
  }

  #end(failure: string | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#helloTimer)
    clearTimeout(this.#timer)
    this.#options.onOver(failure)
  }
}
