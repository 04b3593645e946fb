import { DEFAULT_MAX_FRAME_BYTES, DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES } from './frame.ts'
import { connectionError } from './http2-error.ts'

/** RFC 9113 §6.5.2; RFC 8441 §3; RFC 9218 §2.1. */
export const SettingId = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
  noRfc7540Priorities: 0x9,
} as const

const MAX_FRAME_SIZE_LIMIT = 2 ** 24 - 1

/** What the peer has asked for, or the initial values. What we make no use of is checked and not kept. */
export class PeerSettings {
  headerTableSize = 4096
  /** RFC 9113 §6.5.2: without a limit until one is set. */
  maxConcurrentStreams = Number.POSITIVE_INFINITY
  initialWindowSize = DEFAULT_WINDOW_BYTES
  /** RFC 8441 §3: requests may ask to leave HTTP. */
  enablesConnectProtocol = false
  readonly #peer: 'client' | 'server'

  constructor(peer: 'client' | 'server') {
    this.#peer = peer
  }

  /** Takes the payload of a SETTINGS frame; the last value of each setting counts (RFC 9113 §6.5). */
  apply(bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) this.#set(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))
  }

  #set(id: number, value: number): void {
    switch (id) {
      case SettingId.headerTableSize:
        this.headerTableSize = value
        break
      case SettingId.enablePush:
        // A server cannot be pushed to, and must not say that it can.
        if (value > (this.#peer === 'server' ? 0 : 1)) throw connectionError('setting-invalid', { id, value })
        break
      case SettingId.maxConcurrentStreams:
        this.maxConcurrentStreams = value
        break
      case SettingId.initialWindowSize:
        if (value > MAX_WINDOW_BYTES) throw connectionError('setting-window-invalid', { value })
        this.initialWindowSize = value
        break
      case SettingId.maxFrameSize:
        if (value < DEFAULT_MAX_FRAME_BYTES || value > MAX_FRAME_SIZE_LIMIT)
          throw connectionError('setting-invalid', { id, value })
        break
      case SettingId.enableConnectProtocol:
        // RFC 8441 §3: it may not be taken back.
        if (value > 1 || (this.enablesConnectProtocol && value === 0))
          throw connectionError('setting-invalid', { id, value })
        this.enablesConnectProtocol = value === 1
        break
      case SettingId.noRfc7540Priorities:
        if (value > 1) throw connectionError('setting-invalid', { id, value })
        break
      default:
      // RFC 9113 §6.5.2: unknown ones are ignored.
    }
  }
}
