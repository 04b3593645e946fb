import type { Endpoints } from '../endpoints.ts'
import type { ResponseReceiver, UpstreamExchange, UpstreamRequest } from '../exchange/exchange.ts'

/** A connection that takes a request now, by whichever version of HTTP. */
export interface UpstreamLine {
  readonly httpVersion: '1.1' | '2'
  /** A request has been sent on it before, so the upstream may have closed it by now without our knowing. */
  readonly isUsed: boolean
  /** Nothing is told to the receiver before this has returned. */
  send(request: UpstreamRequest, receiver: ResponseReceiver): UpstreamExchange
}

/** Whoever wants to send a request. One of the two is called, once, and perhaps before `lease` has returned. */
export interface Borrower {
  /** Whom the request is of. */
  readonly client: Endpoints
  onConnection(line: UpstreamLine): void
  onUnreachable(cause: unknown): void
}

/** A connection that is being waited for. */
export interface Lease {
  /** It is not wanted any more. Nothing is called after this. */
  cancel(): void
}

/** The connections of one worker to one upstream: kept alive, and used again. */
export interface UpstreamPool {
  /** It has given a response, so it speaks what we take it to speak. */
  hasAnswered: boolean
  /** Gives a connection at once, or as soon as there is one. If it `mustBeFresh`, it is none that may be dying. */
  lease(borrower: Borrower, mustBeFresh: boolean): Lease | undefined
  /** Closes what is idle and, once it is free, the rest. */
  close(): void
}

/** So that a name which leads elsewhere by now is followed, however busy its connections are. */
export const MAX_AGE_MS = 10 * 60_000
