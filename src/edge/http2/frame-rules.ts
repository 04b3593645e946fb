import { DEFAULT_MAX_FRAME_BYTES, Flag, FrameType, PING_BYTES } from './frame.ts'
import { connectionError } from './http2-error.ts'

/** What the header of a frame must be for its type, before its payload is looked at. */
type FrameRule = {
  readonly name: string
  /** Whether it belongs to a stream, to the connection, or to either. */
  readonly place: 'stream' | 'connection' | 'either'
  /**
   * Whether the payload can have this length. A frame that is shorter than its own fields is checked where they are
   * read.
   */
  readonly hasLength: (bytes: number, flags: number) => boolean
}

const anyLength = (): boolean => true

/** RFC 9113 §6, in its order, and RFC 9218 §7.1. A wrong length of PRIORITY is an error of its stream alone (§6.3). */
const RULES: readonly (FrameRule | undefined)[] = (() => {
  const rules: (FrameRule | undefined)[] = []
  rules[FrameType.data] = { name: 'DATA', place: 'stream', hasLength: anyLength }
  rules[FrameType.headers] = { name: 'HEADERS', place: 'stream', hasLength: anyLength }
  rules[FrameType.priority] = { name: 'PRIORITY', place: 'stream', hasLength: anyLength }
  rules[FrameType.rstStream] = { name: 'RST_STREAM', place: 'stream', hasLength: (bytes) => bytes === 4 }
  rules[FrameType.settings] = {
    name: 'SETTINGS',
    place: 'connection',
    hasLength: (bytes, flags) => ((flags & Flag.ack) === 0 ? bytes % 6 === 0 : bytes === 0),
  }
  rules[FrameType.pushPromise] = { name: 'PUSH_PROMISE', place: 'stream', hasLength: anyLength }
  rules[FrameType.ping] = { name: 'PING', place: 'connection', hasLength: (bytes) => bytes === PING_BYTES }
  rules[FrameType.goaway] = { name: 'GOAWAY', place: 'connection', hasLength: (bytes) => bytes >= 8 }
  rules[FrameType.windowUpdate] = { name: 'WINDOW_UPDATE', place: 'either', hasLength: (bytes) => bytes === 4 }
  rules[FrameType.continuation] = { name: 'CONTINUATION', place: 'stream', hasLength: anyLength }
  rules[FrameType.priorityUpdate] = { name: 'PRIORITY_UPDATE', place: 'connection', hasLength: (bytes) => bytes >= 4 }
  return rules
})()

/**
 * Checks a frame's header. Whatever is wrong with it is an error of the connection: RFC 9113 §4.2 allows an error of
 * the stream for too long a DATA frame, but a peer that does not know our limit is in doubt altogether.
 */
export function checkFrameHeader(type: number, flags: number, streamId: number, length: number): void {
  if (length > DEFAULT_MAX_FRAME_BYTES) throw connectionError('frame-too-large', { type: frameName(type), length })
  const rule = RULES[type]
  if (rule === undefined) return
  if (streamId === 0 && rule.place === 'stream') throw connectionError('frame-stream-missing', { type: rule.name })
  if (streamId !== 0 && rule.place === 'connection')
    throw connectionError('frame-stream-unexpected', { type: rule.name, streamId })
  if (!rule.hasLength(length, flags)) throw connectionError('frame-size-invalid', { type: rule.name, length })
}

/** As the RFC writes it, or its number where nobody knows it. */
export function frameName(type: number): string {
  return RULES[type]?.name ?? `0x${type.toString(16)}`
}
