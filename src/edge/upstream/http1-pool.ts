import type { OnReadOpts, Socket } from 'node:net'
import { UPSTREAM_DEADLINES, type UpstreamDeadlines } from '../http1/deadlines.ts'
import { RESPONSE_LIMITS } from '../http1/limits.ts'
import { UpstreamConnection, type UpstreamConnectionOptions } from '../http1/upstream-connection.ts'
import type { Sweep } from '../sweep.ts'
import { type Borrower, type Lease, MAX_AGE_MS, type UpstreamPool } from './pool.ts'

export type Http1PoolOptions = {
  readonly connect: (onread: OnReadOpts) => Socket
  readonly sweep: Sweep
  readonly onThrow: (error: unknown) => void
  readonly deadlines?: UpstreamDeadlines
  /** Told whenever the last connection has closed. */
  readonly onEmpty?: () => void
}

/**
 * Idle connections kept to one upstream by one worker. As many as requests under way at a busy time: beyond 32, those of 128
 * clients were opened and closed all the time.
 */
const MAX_IDLE_CONNECTIONS = 256

/** The HTTP/1.1 connections of one worker to one upstream: one request at a time on each. */
export class Http1Pool implements UpstreamPool {
  readonly #options: Http1PoolOptions
  /** The one that was used last is used next, so that those that are not needed grow old. */
  readonly #idle: UpstreamConnection[] = []
  readonly #waiting = new Map<UpstreamConnection, Borrower>()
  readonly #open = new Set<UpstreamConnection>()
  readonly #connectionOptions: UpstreamConnectionOptions
  hasAnswered = false
  #isClosed = false

  constructor(options: Http1PoolOptions) {
    const { sweep, connect, onThrow, deadlines = UPSTREAM_DEADLINES } = options
    this.#options = options
    this.#connectionOptions = {
      sweep,
      connect,
      onThrow,
      deadlines,
      limits: RESPONSE_LIMITS,
      onReady: (connection) => this.#onReady(connection),
      onFree: (connection) => this.#onFree(connection),
      onClosed: (connection, cause) => this.#onClosed(connection, cause),
    }
  }

  /** Gives an idle connection at once, or a new one when it is established; the latter always if it `mustBeFresh`. */
  lease(borrower: Borrower, mustBeFresh: boolean): Lease | undefined {
    const idle = mustBeFresh ? undefined : this.#takeIdle()
    if (idle !== undefined) {
      borrower.onConnection(idle)
      return undefined
    }
    const connection = new UpstreamConnection(this.#connectionOptions)
    this.#open.add(connection)
    this.#waiting.set(connection, borrower)
    return { cancel: () => this.#cancel(connection) }
  }

  /** Closes what is idle and, once it is free, the rest. */
  close(): void {
    this.#isClosed = true
    for (const connection of this.#idle.splice(0)) connection.drop()
  }

  /** Closes all of them. */
  destroy(): void {
    this.close()
    for (const connection of this.#open) connection.drop()
  }

  #takeIdle(): UpstreamConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined || (connection.isFree && !this.#isOld(connection))) return connection
      connection.drop()
    }
  }

  #isOld({ openedAt }: UpstreamConnection): boolean {
    return this.#options.sweep.now - openedAt > MAX_AGE_MS
  }

  #onReady(connection: UpstreamConnection): void {
    const borrower = this.#waiting.get(connection)
    this.#waiting.delete(connection)
    borrower?.onConnection(connection)
  }

  #onFree(connection: UpstreamConnection): void {
    if (this.#isClosed || this.#isOld(connection) || this.#idle.length >= MAX_IDLE_CONNECTIONS) connection.drop()
    else this.#idle.push(connection)
  }

  #onClosed(connection: UpstreamConnection, cause: unknown): void {
    this.#open.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) this.#idle.splice(at, 1)
    const borrower = this.#waiting.get(connection)
    this.#waiting.delete(connection)
    borrower?.onUnreachable(cause)
    if (this.#open.size === 0) this.#options.onEmpty?.()
  }

  #cancel(connection: UpstreamConnection): void {
    if (this.#waiting.delete(connection)) connection.drop()
  }
}
