/** RFC 9113 §6, and RFC 9218 §7.1. */
export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
  priorityUpdate: 0x10,
} as const

/** One bit means the one or the other, by the type of its frame. */
export const Flag = { none: 0, ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

/** RFC 9113 §3.4: what a client sends first, before its SETTINGS. */
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** RFC 9113 §4.1. */
export const FRAME_HEADER_BYTES = 9

/**
 * RFC 9113 §4.2: what both sides take before any setting, and what we take always: a frame is held until it is whole.
 */
export const DEFAULT_MAX_FRAME_BYTES = 16_384

/** RFC 9113 §6.9.2: the window of a stream, and that of the connection, before anything else is said. */
export const DEFAULT_WINDOW_BYTES = 65_535

/** RFC 9113 §6.9.1. */
export const MAX_WINDOW_BYTES = 2 ** 31 - 1

/** RFC 9113 §5.1.1: identifiers have 31 bits. */
export const MAX_STREAM_ID = 2 ** 31 - 1

export const PING_BYTES = 8

/** The 31 bits of an identifier or an increment; the bit before them is reserved and ignored (RFC 9113 §4.1). */
export function readUInt31(bytes: Buffer, at: number): number {
  return ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
