import type { Socket } from 'node:net'
import type { ResponseReceiver, UpstreamExchange, UpstreamRequest } from '../exchange/exchange.ts'
import type { Http2Error } from '../http2/http2-error.ts'
import { UPSTREAM_LIMITS } from '../http2/limits.ts'
import { Http2UpstreamConnection, type ResponseDeadlines } from '../http2/upstream-connection.ts'
import type { Sweep, Swept } from '../sweep.ts'
import type { UpstreamLine } from './pool.ts'

export type Http2LineOptions = {
  /** Begins to connect, with TLS where that is wanted. */
  readonly connect: () => Socket
  readonly sweep: Sweep
  readonly connectMs: number
  readonly deadlines: ResponseDeadlines
  readonly idleMs?: number
  /** Told whenever requests can be sent, after none could. */
  readonly onAvailable: (line: Http2Line) => void
  /** Told once; `cause` where it never became ready. */
  readonly onClosed: (line: Http2Line, cause: unknown) => void
  readonly onThrow: (error: unknown) => void
}

/** Less than the 60 s after which most servers close, so that a request rarely meets a dying connection. */
const IDLE_MS = 50_000

/** A connection on which many requests are under way at a time, from its opening on. */
export class Http2Line implements UpstreamLine, Swept {
  readonly httpVersion = '2'
  readonly openedAt: number
  readonly #options: Http2LineOptions
  readonly #socket: Socket
  #connection: Http2UpstreamConnection | undefined
  /** The upstream's SETTINGS are here, so it does speak HTTP/2, and says how many requests it takes. */
  #isReady = false
  #isClosed = false
  #requests = 0
  #error: unknown

  constructor(options: Http2LineOptions) {
    this.#options = options
    this.#socket = options.connect()
    // First of all, for the time stands still while the sweep has no members.
    options.sweep.add(this)
    this.openedAt = options.sweep.now
    const socket = this.#socket
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => this.#onConnect())
    socket.on('error', (error) => {
      this.#error ??= error
      socket.destroy()
    })
    socket.once('close', () => {
      if (this.#connection === undefined) this.#onClose()
    })
  }

  get isUsed(): boolean {
    return this.#requests > 0
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** How many requests can be sent at once. */
  get availableStreams(): number {
    return this.#isReady ? this.#connection!.availableStreams : 0
  }

  /** It will take requests, now or later. */
  get isUsable(): boolean {
    return this.#connection?.isUsable ?? !this.#isClosed
  }

  send(request: UpstreamRequest, receiver: ResponseReceiver): UpstreamExchange {
    this.#requests++
    return this.#connection!.request(request, receiver)
  }

  /** Takes no more requests, and closes when those that are under way have ended. */
  drain(): void {
    if (this.#connection === undefined) this.#socket.destroy()
    else this.#connection.drain()
  }

  /** Closes it at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  sweep(now: number): void {
    const { connectMs } = this.#options
    if (this.#isReady || now - this.openedAt <= connectMs) return
    this.#error ??= Object.assign(new Error(`no connection within ${connectMs / 1000} s`), { code: 'ETIMEDOUT' })
    this.#socket.destroy()
  }

  #onConnect(): void {
    if (this.#socket.destroyed) return
    const { sweep, deadlines, idleMs = IDLE_MS, onAvailable } = this.#options
    this.#connection = new Http2UpstreamConnection({
      socket: this.#socket,
      sweep,
      limits: { ...UPSTREAM_LIMITS, idleMs },
      deadlines,
      onAvailable: () => {
        this.#isReady = true
        sweep.delete(this)
        onAvailable(this)
      },
      onClose: (error) => this.#onEnd(error),
    })
  }

  #onEnd(error: Http2Error | undefined): void {
    this.#error ??= error
    if (error?.code === 'internal-error') this.#options.onThrow(error.cause)
    this.#onClose()
  }

  #onClose(): void {
    this.#isClosed = true
    this.#options.sweep.delete(this)
    this.#options.onClosed(this, this.#isReady ? undefined : (this.#error ?? new Error('it closed the connection')))
  }
}
