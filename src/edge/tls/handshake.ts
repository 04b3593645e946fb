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
      /** It is asked for a certificate. Whatever it shows, TLS is established. */
      readonly asksClient: boolean
      /** TLS is established, so long after the connection came; the socket has read nothing of what follows. */
      readonly onSecure: (socket: TLSSocket, handshakeMs: number) => void
    }
  | { readonly type: 'refuse'; readonly alert: Alert; readonly reason: string }

export type HandshakeOptions = {
  /** For the whole ClientHello, from the first moment. */
  readonly helloTimeoutMs: number
  /** For all of it, the ClientHello included. */
  readonly handshakeTimeoutMs: number
  /** A promise where something has to be fetched first, for which it may be given more time. */
  readonly decide: (hello: ClientHello, handshake: Waiting) => Decision | Promise<Decision>
  /** It is over; told once. A failure says why there is no connection, in words for the log. */
  readonly onOver: (failure: string | undefined) => void
  /** Something that was called from here threw, and the connection is closed. */
  readonly onThrow: (error: unknown) => void
}

/** A handshake whose client waits for a decision. */
export type Waiting = Pick<Handshake, 'prolong' | 'whenOver'>

/** A client that waits has nothing to say before it is answered, but for early data (RFC 8446 §4.2.10), which is for nobody. */
const MAX_WAITING_BYTES = 64 * 1024

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
  #timer: NodeJS.Timeout
  readonly #startedAt = performance.now()
  #isOver = false
  #onOver: (() => void) | undefined

  constructor(socket: Socket, options: HandshakeOptions) {
    this.#socket = socket
    this.#options = options
    const { helloTimeoutMs, handshakeTimeoutMs } = options
    this.#helloTimer = setTimeout(() => this.abort(`no ClientHello within ${helloTimeoutMs} ms`), helloTimeoutMs)
    this.#timer = this.#endAfter(handshakeTimeoutMs)
    socket.on('error', this.#onGone)
    socket.on('close', this.#onGone)
    socket.on('readable', this.#onReadable)
  }

  /** Ends it without a word. */
  abort(reason: string): void {
    this.#socket.destroy()
    this.#end(reason)
  }

  /** Gives it so much time besides the usual, from now on. */
  prolong(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#isOver) this.#timer = this.#endAfter(this.#options.handshakeTimeoutMs + ms)
  }

  /** To be told when it is over, however that comes; the last that is set. */
  whenOver(listener: () => void): void {
    this.#onOver = listener
  }

  #endAfter(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.abort(`no handshake within ${ms} ms`), ms)
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
    const decision = this.#options.decide(hello, this)
    if (!(decision instanceof Promise)) return this.#carryOut(decision, received)
    const stopListening = this.#listenWhileWaiting(received)
    decision.then(
      (decided) => this.#guard(() => this.#carryOut(decided, stopListening())),
      (error) =>
        this.#guard(() => {
          throw error
        }),
    )
  }

  /** Else nobody would notice that the client has gone. What is given ends it, and gives all that has been received. */
  #listenWhileWaiting(hello: Buffer): () => Buffer {
    const received = [hello]
    let size = 0
    const onReadable = (): void => {
      const bytes: Buffer | null = this.#socket.read()
      if (bytes === null) return
      received.push(bytes)
      size += bytes.length
      if (size > MAX_WAITING_BYTES) this.abort('the client sends what nobody asked for')
    }
    this.#socket.on('readable', onReadable).once('end', this.#onGone)
    return () => {
      this.#socket.off('readable', onReadable).off('end', this.#onGone)
      return received.length === 1 ? hello : Buffer.concat(received)
    }
  }

  #carryOut(decision: Decision, received: Buffer): void {
    if (this.#isOver) return
    if (decision.type === 'refuse') return this.#refuse(alertRecord(decision.alert), decision.reason)
    const { context, protocols, staple, asksClient, onSecure } = decision
    this.#socket.unshift(received)
    const socket = new tls.TLSSocket(this.#socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [...protocols],
      ...(asksClient && { requestCert: true, rejectUnauthorized: false }),
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
    this.#onOver?.()
    this.#options.onOver(failure)
  }
}
