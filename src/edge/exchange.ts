import type { Duplex, Readable } from 'node:stream'

/** Field lines as they came: name, value, name, value. Order, case and duplicates are kept. */
export type Fields = readonly string[]

export type RequestHead = {
  readonly method: string
  readonly scheme: 'http' | 'https'
  /** Host and, where given, port: the Host field, or what RFC 9112 §3.2.2 and RFC 9113 §8.3.1 put in its place. */
  readonly authority: string
  /** Path and query (origin-form), or `*` of an OPTIONS request. */
  readonly target: string
  readonly version: '1.0' | '1.1' | '2'
  readonly fields: Fields
  /** The client asks to leave HTTP for this protocol on the same connection (RFC 9110 §7.8). */
  readonly upgrade: string | undefined
}

export type ResponseHead = { readonly status: number; readonly reason?: string; readonly fields: Fields }

/** Who is at the other end of the connection that a request came on. */
export type ClientFacts = {
  /** An IP address without brackets; IPv4 as such even on a dual-stack socket. */
  readonly address: string
  /** The port at which the client reached us; undefined on a Unix socket. */
  readonly localPort: number | undefined
  /** The names on the certificate that this client was shown; undefined without TLS. */
  readonly certificateNames: readonly string[] | undefined
  /** The client sent no server name and got the fallback's certificate. */
  readonly usesFallback: boolean
}

/** How an exchange ended: `complete` when the whole response is with the client, `aborted` otherwise. */
export type Outcome = { readonly result: 'complete' | 'aborted'; readonly status: number; readonly bytes: number }

/**
 * One request and its response, whichever version of HTTP carries it. Bodies are streams with backpressure: a client that
 * does not read stops the upstream, and the other way round.
 */
export interface Exchange {
  readonly request: RequestHead
  readonly client: ClientFacts
  /** undefined where the request has no body. */
  readonly body: Readable | undefined
  /** A field for the response whatever its source, in place of any field of that name that the upstream sends. */
  setField(name: string, value: string): void
  /**
   * Sends the final response. Its body may be cut short: if the stream is destroyed, the client can tell (HTTP/1.1: no last
   * chunk and the connection closes; HTTP/2: RST_STREAM), for it never sees a clean end.
   */
  respond(head: ResponseHead, body?: Readable | string): void
  /** Answers 101 and hands over the connection, with what the client has already sent on it. Only if an upgrade was asked. */
  switchProtocols(head: ResponseHead): Duplex
  /** The listener is called once, when the response is with the client or the client has gone away. */
  onEnd(listener: (outcome: Outcome) => void): void
}
