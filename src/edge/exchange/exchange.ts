import type { ClientProof } from '../tls/client-certificate.ts'
import type { TlsFacts } from '../tls/tls-facts.ts'

/**
 * One request and its response, whichever version of HTTP carries it on either side. Pieces of content are pushed, not
 * pulled: each hop is a direct call with a buffer, where streams would cost more than everything else that a proxy does.
 *
 * ```
 *  client ▶ codec ── Exchange ──▶ dispatch ▶ forward ── UpstreamExchange ──▶ codec ▶ upstream
 *                 ◀ RequestReceiver                  ◀ ResponseReceiver
 * ```
 *
 * Rules of every push, both ways: a piece belongs to whoever received it, and its bytes change no more. `false` means
 * "enough for now": what is under way may still come, but no more is read until `resume()`, or written until `onDrain()`.
 * No receiver is called from within the method that it was passed to, and none after its last event.
 */

/** Field lines as they came, each byte a character (latin1): name, value, name, value. Order, case and duplicates are kept. */
export type Fields = readonly string[]

export const NO_FIELDS: Fields = []

/** A content length that its sender did not announce: the content ends when it ends. */
export const UNKNOWN_LENGTH = -1

export type RequestHead = {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Host and, where given, port: the Host field, or what RFC 9112 §3.2.2 and RFC 9113 §8.3.1 put in its place. */
  readonly authority: string
  /** Path and query (origin-form), or `*` of an OPTIONS request. */
  readonly target: string
  readonly version: '1.0' | '1.1' | '2'
  /** Without Host and pseudo-header fields; with everything else that came, hop-by-hop fields included. */
  readonly fields: Fields
  /** The protocol for which the client asks to leave HTTP (RFC 9110 §7.8, RFC 8441 §4): `websocket`. */
  readonly upgrade: string | undefined
  /** The client reads trailers (`TE: trailers`, RFC 9110 §10.1.4). */
  readonly takesTrailers: boolean
}

export type ResponseHead = {
  readonly status: number
  /** HTTP/1.1's reason phrase as it came; undefined for the usual one. */
  readonly reason?: string | undefined
  readonly fields: Fields
}

/** Who is at the other end of the connection that a request came on. */
export type ClientFacts = {
  /** An IP address without brackets; IPv4 as such even on a dual-stack socket. */
  readonly address: string
  /** undefined on a Unix socket. */
  readonly port: number | undefined
  /** Where the client reached us; empty on a Unix socket. */
  readonly localAddress: string
  /** The port at which the client reached us; undefined on a Unix socket. */
  readonly localPort: number | undefined
  /** The names on the certificate that this client was shown; undefined without TLS. */
  readonly certificateNames: readonly string[] | undefined
  /** The client sent no server name and got the fallback's certificate. */
  readonly usesFallback: boolean
  /** What it was asked for in TLS and has shown; undefined where nothing but the usual was asked. */
  readonly proof?: ClientProof | undefined
  /** undefined without TLS, and where there is no access log to tell it. */
  readonly tls: TlsFacts | undefined
}

/** How an exchange ended. */
export type Outcome = {
  /** `complete` when the whole response is with the client. */
  readonly result: 'complete' | 'aborted'
  /** 0 if the client was told none. */
  readonly status: number
  /** Of the response's content. */
  readonly bytes: number
  /** The rule that the client broke, or what it did, where that ended it or made it end otherwise. */
  readonly why: string | undefined
}

/**
 * The client's side, implemented by the codec in front. Whoever handles it calls `receive` at once and, in the end, either
 * `end` or `abort`. Both are remembered, so calls after the client has gone do nothing.
 */
export interface Exchange {
  readonly request: RequestHead
  readonly client: ClientFacts
  /** Bytes of content that the request has: 0 where it has none, UNKNOWN_LENGTH where it was not announced. */
  readonly contentLength: number
  /** The client holds its content back until it is told to go on (`Expect: 100-continue`, RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean
  /** Names who takes the content and what else happens; the content begins to come after this call has returned. */
  receive(receiver: RequestReceiver): void
  /** More content may come, after `onContent` gave false. */
  resume(): void
  /** An informational response (RFC 9110 §15.2), 100 included; dropped where the client's version has none. */
  inform(head: ResponseHead): void
  /**
   * The final response's head. `contentLength` is what framing rests on; to HEAD and with 304 it tells what it would be, and
   * nothing is written. Content-Length and hop-by-hop fields are the codec's own and must not be among the fields. 101 to a
   * request that asked for an upgrade turns what follows, both ways, into that protocol's bytes, until each side ends its
   * own; over HTTP/2 it is sent as 200 (RFC 8441 §5). Where a client of HTTP/1.1 offered several protocols, `Upgrade` is among
   * the fields of the 101 and says which one it is.
   */
  respond(head: ResponseHead, contentLength: number): void
  /** A piece of the response's content. False: no more before `onDrain`. */
  write(piece: Buffer): boolean
  /** The response is whole. Trailers are dropped where the client does not take them. */
  end(trailers?: Fields): void
  /**
   * The response cannot be finished. The client can tell: HTTP/1.1 closes without a last chunk or short of the announced
   * length, HTTP/2 resets the stream. It never sees a clean end.
   */
  abort(): void
}

/** What a client does after its request's head. */
export interface RequestReceiver {
  /** A piece of the content. False: no more before `resume()`. */
  onContent(piece: Buffer): boolean
  /**
   * The content is whole. Called also, after `receive`, where there is none; but of a request that asks for an upgrade only
   * once the client has ended its side of that protocol.
   */
  onContentEnd(trailers: Fields): void
  /** The client has taken enough for more to be written. */
  onDrain(): void
  /**
   * The last event: the response is with the client, or the client has gone, cancelled, sent what its framing forbids or
   * was given up. What is still under way for it upstream should be cancelled at once.
   */
  onEnd(outcome: Outcome): void
}

/** What an upstream is asked, by whichever version of HTTP. */
export type UpstreamRequest = Pick<
  RequestHead,
  'method' | 'scheme' | 'authority' | 'target' | 'upgrade' | 'takesTrailers'
> & {
  /** Without Host, Content-Length and hop-by-hop fields, which are the codec's own. */
  readonly fields: Fields
  /** 0 where there is no content, UNKNOWN_LENGTH where it ends when it ends. */
  readonly contentLength: number
}

/** The upstream's side, implemented by the codec towards the upstream. */
export interface UpstreamExchange {
  /** A piece of the request's content. False: no more before `onDrain`. */
  write(piece: Buffer): boolean
  /** The request is whole. */
  end(trailers?: Fields): void
  /** More content may come, after `onContent` gave false. */
  resume(): void
  /** Nobody waits for the response any more. No further event comes. */
  abort(): void
}

/** What an upstream answers. */
export interface ResponseReceiver {
  /** An informational response other than 101. */
  onInform(head: ResponseHead): void
  /**
   * The final response, or 101 where an upgrade was asked for: then what follows, both ways, is that protocol's.
   * `contentLength` is UNKNOWN_LENGTH where content ends when it ends.
   */
  onResponse(head: ResponseHead, contentLength: number): void
  /** A piece of the content. False: no more before `resume()`. */
  onContent(piece: Buffer): boolean
  /** The last event: the response is whole. The request may not be yet; the rest of it is of no use then. */
  onContentEnd(trailers: Fields): void
  /** The upstream has taken enough for more to be written. */
  onDrain(): void
  /** The last event: there is no response, or no more of it. */
  onFailure(failure: ExchangeFailure): void
}

/** Why an upstream's response did not come, or not whole. */
export type ExchangeFailure = {
  /** A stable word for logs and tests: `upstream-closed`, `response-malformed`, … */
  readonly code: string
  /** In words for an operator. */
  readonly message: string
  /** Nothing of this request was processed, for certain: it may be sent again whatever its method (RFC 9113 §8.7). */
  readonly isUnprocessed: boolean
  readonly cause?: unknown
}
