/** Bounds on one message of a peer. Buffers grow with what has arrived, never with a length that was announced. */
export type MessageLimits = {
  /** Bytes of the request line or status line, without its CRLF. */
  readonly startLineBytes: number
  /** Bytes of the field section, line ends included. */
  readonly fieldBytes: number
  readonly fieldCount: number
  /** Bytes of a line that begins a chunk, without its CRLF. */
  readonly chunkLineBytes: number
  /** Bytes of all chunk extensions of one message. */
  readonly chunkExtensionBytes: number
  readonly trailerBytes: number
  readonly trailerCount: number
}

/** RFC 9112 §3 asks for at least 8000; nginx allows 8 KiB, Node 16 KiB for all of the head. */
const START_LINE_BYTES = 8 * 1024
/** HAProxy allows 16 KiB, nginx four lines of 8 KiB, Go 1 MB. */
const REQUEST_FIELD_BYTES = 32 * 1024
/** HAProxy allows 101, nginx 1000; browsers send some twenty. */
const REQUEST_FIELDS = 100
/** Applications are trusted further than clients, and set long cookies and policies. */
const RESPONSE_FIELD_BYTES = 64 * 1024
const RESPONSE_FIELDS = 256
/** Sixteen hexadecimal digits and what an extension may sensibly say. Extensions are rare, and always were an attacker's. */
const CHUNK_LINE_BYTES = 256
/** What extensions cost is nothing but work (CVE-2024-22019: an endless one). */
const CHUNK_EXTENSION_BYTES = 16 * 1024
/** A checksum, a signature, a status: trailers are short. */
const TRAILER_BYTES = 8 * 1024
const TRAILERS = 32

const CONTENT_LIMITS = {
  chunkLineBytes: CHUNK_LINE_BYTES,
  chunkExtensionBytes: CHUNK_EXTENSION_BYTES,
  trailerBytes: TRAILER_BYTES,
  trailerCount: TRAILERS,
}

export const REQUEST_LIMITS: MessageLimits = {
  startLineBytes: START_LINE_BYTES,
  fieldBytes: REQUEST_FIELD_BYTES,
  fieldCount: REQUEST_FIELDS,
  ...CONTENT_LIMITS,
}

export const RESPONSE_LIMITS: MessageLimits = {
  startLineBytes: START_LINE_BYTES,
  fieldBytes: RESPONSE_FIELD_BYTES,
  fieldCount: RESPONSE_FIELDS,
  ...CONTENT_LIMITS,
}
