/** How long a client may take, in milliseconds unless said otherwise. They are exact to a second or two. */
export type ServerDeadlines = {
  /** A connection without a request. */
  readonly idleMs: number
  /** From the first byte of a request to the end of its head, however steadily it comes. */
  readonly headMs: number
  /** Between two pieces of content that somebody waits for. */
  readonly contentPauseMs: number
  /** After this, content must have come at `contentBytesPerSecond` on the whole. */
  readonly contentGraceMs: number
  readonly contentBytesPerSecond: number
  /** While something waits to be sent, without any of it being taken. */
  readonly writeStallMs: number
  /** Without a byte in either direction of another protocol (WebSocket). */
  readonly tunnelIdleMs: number
  /** The same, once one of its two sides has ended; and of a response to a client that has ended its side. */
  readonly halfClosedMs: number
  /** For the rest of content whose response is out already, and for the client to close after a last response. */
  readonly lingerMs: number
  /** Bytes that are read and dropped in that time. */
  readonly lingerBytes: number
}

export const SERVER_DEADLINES: ServerDeadlines = {
  // As in nginx; longer than the 60 s of most balancers in front, so that it is they who close.
  idleMs: 75_000,
  // nginx 60 s, HAProxy's advice 10 s.
  headMs: 10_000,
  // As in nginx's neighbours; mobile networks are silent for some seconds when they change cells.
  contentPauseMs: 30_000,
  contentGraceMs: 10_000,
  // Apache's mod_reqtimeout asks for 500 B/s; a modem gives 6000.
  contentBytesPerSecond: 240,
  // As in nginx.
  writeStallMs: 60_000,
  // Most applications ping once a minute or more often, but not all do.
  tunnelIdleMs: 60 * 60_000,
  halfClosedMs: 60_000,
  // nginx lingers for 5 s without bytes and 30 s in all.
  lingerMs: 5_000,
  lingerBytes: 1024 * 1024,
}

/** How long an upstream may take, in milliseconds; exact to a second or two. */
export type UpstreamDeadlines = {
  /** To establish a connection, TLS included. */
  readonly connectMs: number
  /** From the end of the request to the response's head. */
  readonly headMs: number
  /** Between two pieces of a response that somebody waits for. */
  readonly contentPauseMs: number
  /** A connection without a request. */
  readonly freeMs: number
}

export const UPSTREAM_DEADLINES: UpstreamDeadlines = {
  // nginx waits 60 s, Caddy 3 s.
  connectMs: 5_000,
  // As in nginx.
  headMs: 60_000,
  // Long enough for event streams that send a comment every minute or so.
  contentPauseMs: 5 * 60_000,
  // Shorter than the 60 s after which most servers close, so that a request rarely meets a dying connection.
  freeMs: 50_000,
}
