import type { Socket } from 'node:net'
import type { ResponseDeadlines } from '../http2/upstream-connection.ts'
import type { Sweep, Swept } from '../sweep.ts'
import { Http2Line } from './http2-line.ts'
import { type Borrower, type Lease, MAX_AGE_MS, type UpstreamPool } from './pool.ts'

export type Http2PoolOptions = {
  readonly connect: () => Socket
  readonly sweep: Sweep
  readonly connectMs: number
  readonly deadlines: ResponseDeadlines
  /** For how long a connection without requests is kept. */
  readonly idleMs?: number
  /** Told whenever the last connection has closed. */
  readonly onEmpty?: () => void
  readonly onThrow: (error: unknown) => void
}

/** What nearly every server allows on a connection (RFC 9113 §6.5.2), of which nothing is known while it is opened. */
const EXPECTED_STREAMS = 100
/** A server that allows 100 requests on each gets as many as one that speaks HTTP/1.1 from a busy proxy. */
const MAX_LINES = 64

/**
 * The HTTP/2 connections of one worker to one upstream: as few as will do. Another one is opened when those that are there
 * take no more requests, and requests beyond the last wait for their turn.
 */
export class Http2Pool implements UpstreamPool, Swept {
  hasAnswered = false
  readonly #options: Http2PoolOptions
  /** In the order in which they were opened: the first with room is taken, so that the others can become idle. */
  readonly #lines = new Set<Http2Line>()
  /** Since when they wait; in that order. */
  readonly #waiting = new Map<Borrower, number>()
  #isClosed = false

  constructor(options: Http2PoolOptions) {
    this.#options = options
  }

  /** A connection that may be dying is none: one that is going away takes no more requests. */
  lease(borrower: Borrower): Lease | undefined {
    const line = this.#waiting.size === 0 ? this.#lineWithRoom() : undefined
    if (line !== undefined) {
      borrower.onConnection(line)
      return undefined
    }
    const { sweep } = this.#options
    if (this.#waiting.size === 0) sweep.add(this)
    this.#waiting.set(borrower, sweep.now)
    this.#openAsNeeded()
    return { cancel: () => this.#leave(borrower) }
  }

  close(): void {
    this.#isClosed = true
    for (const line of this.#lines) line.drain()
  }

  /** Closes all of them. */
  destroy(): void {
    this.#isClosed = true
    for (const line of this.#lines) line.destroy()
  }

  /** Whoever has waited for a connection for as long as one may take to open is told so. */
  sweep(now: number): void {
    const { connectMs } = this.#options
    const message = `it took no more requests for ${connectMs / 1000} s`
    for (const [borrower, since] of this.#waiting) {
      if (now - since <= connectMs) return
      this.#leave(borrower)
      borrower.onUnreachable(Object.assign(new Error(message), { code: 'ETIMEDOUT' }))
    }
  }

  #leave(borrower: Borrower): void {
    if (this.#waiting.delete(borrower) && this.#waiting.size === 0) this.#options.sweep.delete(this)
  }

  #lineWithRoom(): Http2Line | undefined {
    const oldest = this.#options.sweep.now - MAX_AGE_MS
    for (const line of this.#lines) {
      if (line.openedAt < oldest) this.#retire(line)
      else if (line.availableStreams > 0) return line
    }
    return undefined
  }

  /** What is under way on it may take as long as it likes. */
  #retire(line: Http2Line): void {
    if (line.isUsable) line.drain()
  }

  #openAsNeeded(): void {
    const usable = [...this.#lines].filter(({ isUsable }) => isUsable)
    const opening = usable.filter(({ isReady }) => !isReady).length
    if (this.#waiting.size > opening * EXPECTED_STREAMS && usable.length < MAX_LINES) this.#open()
  }

  #open(): void {
    const line = new Http2Line({
      ...this.#options,
      onAvailable: () => this.#serveWaiting(),
      onClosed: (closed, cause) => this.#onClosed(closed, cause),
    })
    this.#lines.add(line)
    if (this.#isClosed) line.destroy()
  }

  #serveWaiting(): void {
    for (const [borrower] of this.#waiting) {
      const line = this.#lineWithRoom()
      if (line === undefined) return this.#openAsNeeded()
      this.#leave(borrower)
      borrower.onConnection(line)
    }
  }

  #onClosed(line: Http2Line, cause: unknown): void {
    this.#lines.delete(line)
    this.#serveOrFail(cause)
    if (this.#lines.size === 0) this.#options.onEmpty?.()
  }

  /** If a connection could not even be opened, and there is no other to wait for, there is nothing to wait for. */
  #serveOrFail(cause: unknown): void {
    if (this.#waiting.size === 0) return
    if (cause === undefined) return this.#openAsNeeded()
    if ([...this.#lines].some(({ isUsable }) => isUsable)) return
    for (const [borrower] of this.#waiting) {
      this.#leave(borrower)
      borrower.onUnreachable(cause)
    }
  }
}
