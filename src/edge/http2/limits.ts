const KIB = 1024
const MIB = 1024 * KIB

/** What may come so often: `burst` at once, and `perSecond` for ever. */
export type Rate = { readonly burst: number; readonly perSecond: number }

/** The limits of one connection, for both roles; each with the reason for its default. */
export type Http2Limits = {
  /** Requests under way at a time (SETTINGS_MAX_CONCURRENT_STREAMS). 100 as in HAProxy; nginx allows 128. */
  readonly maxConcurrentStreams: number
  /**
   * Requests that one connection carries before it is drained, so that memory which it has gathered goes. nginx: 1,000.
   */
  readonly maxRequests: number
  /** A decoded field section, each field with 32 octets more (RFC 9113 §6.5.2). nginx has 32 KiB too, Go 1 MiB. */
  readonly maxHeaderListBytes: number
  /** The fields of it, each crumb of a cookie counted (CVE-2026-49975): nginx 1,000, HAProxy 101. */
  readonly maxFields: number
  /** CONTINUATION frames of a field block, empty ones too (CVE-2024-27316 and others). As in nghttp2. */
  readonly maxContinuations: number
  /** The octets of a field block as it is sent: twice what it may become, for not all senders compress well. */
  readonly maxBlockBytes: number
  /** Settings in one frame; there are 9. As in nghttp2. */
  readonly maxSettings: number
  /** The window of one stream, once it has proved that it flows; every stream begins with 64 KiB. */
  readonly maxStreamWindowBytes: number
  /** The window of the whole connection. */
  readonly connectionWindowBytes: number
  /** Content that waits on one stream before its source is told to pause: as much as is read from a socket at once. */
  readonly maxQueuedBytes: number
  /** Answers to control frames that wait for a peer that does not read. */
  readonly maxControlBytes: number
  /** Interim responses before the final one. Go allows 5, by size now. */
  readonly maxInterimResponses: number

  /**
   * Streams that end in a reset, theirs (CVE-2023-44487) and those that they make us do (CVE-2025-8671). Node: 1,000,
   * 33/s.
   */
  readonly resets: Rate
  /** SETTINGS and their acknowledgments (CVE-2019-9515). Clients send one or two in all. */
  readonly settings: Rate
  /**
   * PINGs and their acknowledgments (CVE-2019-9512). Each DATA frame that we send earns one more, for gRPC measures a
   * connection with one in each round trip.
   */
  readonly pings: Rate
  /** DATA without content and without END_STREAM (CVE-2019-9518). Nobody needs them. */
  readonly emptyFrames: Rate
  /**
   * PRIORITY and PRIORITY_UPDATE frames (CVE-2019-9513). Each request earns two more, for browsers send one with each.
   */
  readonly priorities: Rate
  /**
   * WINDOW_UPDATE frames. Each DATA frame that we send earns two more, and each KiB one, for eager receivers send as
   * many.
   */
  readonly windowUpdates: Rate
  /**
   * Frames of unknown types. Each request earns one more, for some clients send one with each, to keep servers honest.
   */
  readonly unknownFrames: Rate

  /** From the beginning to the whole preface and the first SETTINGS. */
  readonly prefaceMs: number
  /** To the acknowledgment of our SETTINGS (RFC 9113 §6.5.3). */
  readonly settingsAckMs: number
  /** From the first octet of a frame other than DATA to its last, and from HEADERS to the end of its block. */
  readonly fieldBlockMs: number
  /** A connection without streams. nginx: 60 s. */
  readonly idleMs: number
  /** A stream, or the connection, that does not take what is sent: `MIN_PROGRESS_BYTES` at least in each such time. */
  readonly writeStallMs: number
  /** A pause in a request's content, while nothing is answered yet. */
  readonly contentPauseMs: number
  /** From when on content must have come at a minimum rate on average. */
  readonly contentGraceMs: number
  /** Octets a second. */
  readonly contentMinRate: number
  /** From the first GOAWAY to the second, if the client does not acknowledge the PING between (RFC 9113 §6.8). */
  readonly drainMs: number
  /**
   * From a refusal to RST_STREAM, while a client goes on sending the request that was refused; a second less at times, for
   * the sweep is no more exact than that.
   */
  readonly declineMs: number
  /** Octets of such a request that are taken and dropped in that time. */
  readonly declineBytes: number
  /** Time for the last frames to reach a peer that is still sending. */
  readonly lingerMs: number
}

const SHARED: Http2Limits = {
  maxConcurrentStreams: 100,
  maxRequests: 10_000,
  maxHeaderListBytes: 32 * KIB,
  maxFields: 100,
  maxContinuations: 8,
  maxBlockBytes: 64 * KIB,
  maxSettings: 32,
  maxStreamWindowBytes: 192 * KIB,
  connectionWindowBytes: MIB,
  maxQueuedBytes: 64 * KIB,
  maxControlBytes: 64 * KIB,
  maxInterimResponses: 16,
  resets: { burst: 200, perSecond: 20 },
  settings: { burst: 200, perSecond: 50 },
  pings: { burst: 200, perSecond: 50 },
  emptyFrames: { burst: 200, perSecond: 50 },
  priorities: { burst: 200, perSecond: 50 },
  windowUpdates: { burst: 1000, perSecond: 50 },
  unknownFrames: { burst: 200, perSecond: 50 },
  prefaceMs: 10_000,
  settingsAckMs: 10_000,
  fieldBlockMs: 10_000,
  idleMs: 75_000,
  writeStallMs: 60_000,
  contentPauseMs: 30_000,
  contentGraceMs: 10_000,
  contentMinRate: 240,
  drainMs: 1000,
  // Both as over HTTP/1.1.
  declineMs: 5000,
  declineBytes: MIB,
  lingerMs: 1000,
}

/** Towards clients. */
export const SERVER_LIMITS: Http2Limits = SHARED

/**
 * Towards upstreams. A response that nobody takes holds its window and its queue towards the client: 192 KiB, so that a
 * thousand slow clients stay below 256 KiB each. The window of the connection is given back on receipt, for the streams
 * belong to different clients, who must not wait for each other.
 */
export const UPSTREAM_LIMITS: Http2Limits = {
  ...SHARED,
  // Many clients share it, and most upstreams allow less.
  maxConcurrentStreams: 1000,
  maxRequests: Number.POSITIVE_INFINITY,
  maxHeaderListBytes: 64 * KIB,
  maxFields: 256,
  maxBlockBytes: 128 * KIB,
  maxStreamWindowBytes: 128 * KIB,
  connectionWindowBytes: 4 * MIB,
}
