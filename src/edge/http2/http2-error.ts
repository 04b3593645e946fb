import { CastellanError, type Facts } from '../../errors.ts'
import { ErrorCode } from './error-code.ts'

const { protocolError, flowControlError, frameSizeError, streamClosed, enhanceYourCalm } = ErrorCode

/** What can be wrong: the code that the peer is told (RFC 9113 §7) and a sentence for the log. */
const ERRORS = {
  /** §3.4. */
  'preface-invalid': [protocolError, 'The connection does not begin with the preface of HTTP/2.'],
  /** §3.4. */
  'preface-missing': [protocolError, 'The preface of HTTP/2 did not come in time.'],
  /** §3.4. */
  'settings-missing': [protocolError, 'The first frame is not SETTINGS.'],
  /** §4.2. */
  'frame-size-invalid': [frameSizeError, 'A frame has a length that its type does not allow.'],
  /** §4.2. */
  'frame-too-large': [frameSizeError, 'A frame is larger than SETTINGS_MAX_FRAME_SIZE allows.'],
  /** §6. */
  'frame-stream-missing': [protocolError, 'A frame that belongs to a stream names none.'],
  /** §6. */
  'frame-stream-unexpected': [protocolError, 'A frame that belongs to the connection names a stream.'],
  /** §6.1, §6.2. */
  'padding-too-long': [protocolError, 'A frame has more padding than room.'],
  /** §4.3, §6.10. */
  'continuation-missing': [protocolError, 'Another frame stands within a field block.'],
  /** §6.10. */
  'continuation-unexpected': [protocolError, 'A CONTINUATION continues no field block.'],
  /** §5.1. */
  'stream-idle': [protocolError, 'A frame came for a stream that nobody has opened.'],
  /** §5.1. */
  'stream-closed': [streamClosed, 'A frame came for a stream that its sender has ended.'],
  /** §5.1.1. */
  'stream-id-invalid': [protocolError, 'A stream is opened with an identifier that is not free.'],
  /** §5.1.2, §8.7. */
  'stream-refused': [ErrorCode.refusedStream, 'More streams are opened than SETTINGS_MAX_CONCURRENT_STREAMS allows.'],
  /** §6.5.2, RFC 8441 §3, RFC 9218 §2.1. */
  'setting-invalid': [protocolError, 'A setting has a value that it cannot have.'],
  /** §6.5.2. */
  'setting-window-invalid': [flowControlError, 'SETTINGS_INITIAL_WINDOW_SIZE is above 2^31-1.'],
  /** §6.5.3. */
  'settings-timeout': [ErrorCode.settingsTimeout, 'Our SETTINGS were not acknowledged in time.'],
  /** §6.5.3. */
  'settings-ack-unexpected': [protocolError, 'SETTINGS are acknowledged that were not sent.'],
  /** §8.4. */
  'push-refused': [protocolError, 'PUSH_PROMISE came, although nobody may push.'],
  /** §6.9. */
  'window-increment-zero': [protocolError, 'A WINDOW_UPDATE has an increment of 0.'],
  /** §6.9.1, §6.9.2. */
  'window-too-large': [flowControlError, 'A flow-control window is raised above 2^31-1.'],
  /** §6.9. */
  'window-exceeded': [flowControlError, 'DATA goes beyond the flow-control window.'],
  /** §4.3. */
  'field-block-invalid': [ErrorCode.compressionError, 'A field block cannot be decompressed.'],
  /** RFC 9218 §7.1. */
  'priority-update-invalid': [protocolError, 'A PRIORITY_UPDATE is for no stream that can have a priority.'],
  /** The rest are malformed messages (§8.1.1). §8.2.1. */
  'field-name-invalid': [protocolError, 'A field name has characters that it cannot have.'],
  /** §8.2.1. */
  'field-value-invalid': [protocolError, 'A field value has characters that it cannot have.'],
  /** §8.2.2. */
  'field-connection-specific': [protocolError, 'A field speaks of the connection.'],
  /** §8.3. */
  'pseudo-field-invalid': [protocolError, 'A pseudo-header field is unknown or not allowed here.'],
  /** §8.3. */
  'pseudo-field-late': [protocolError, 'A pseudo-header field stands after a regular one.'],
  /** §8.3. */
  'pseudo-field-repeated': [protocolError, 'A pseudo-header field is repeated.'],
  /** §8.3.1, §8.3.2. */
  'pseudo-field-missing': [protocolError, 'A pseudo-header field is missing.'],
  /** §8.3.1. */
  'method-invalid': [protocolError, 'The method is no token.'],
  /** §8.3.1. */
  'scheme-invalid': [protocolError, 'The scheme is neither http nor https.'],
  /** §8.3.1. */
  'path-invalid': [protocolError, 'The path is not in origin-form.'],
  /** §8.3.1. */
  'authority-invalid': [protocolError, 'The authority is missing or not a host with a port.'],
  /** §8.3.1. */
  'host-conflict': [protocolError, 'Host differs from :authority.'],
  /** §8.3.2, §8.6. */
  'status-invalid': [protocolError, 'The status is none that a response over HTTP/2 can have.'],
  /** RFC 9110 §8.6. */
  'content-length-invalid': [protocolError, 'Content-Length is repeated or not a number.'],
  /** §8.1.1. */
  'content-length-conflict': [protocolError, 'The content differs from Content-Length.'],
  /** §8.1. */
  'content-unexpected': [protocolError, 'Content came where there can be none.'],
  /** §8.1. */
  'trailers-unfinished': [protocolError, 'The message goes on after its trailers.'],
  /** RFC 9110 §15.2. */
  'interim-flood': [enhanceYourCalm, 'There are too many interim responses.'],
  /** RFC 9113 §10.5.1. */
  'fields-too-large': [enhanceYourCalm, 'The fields are larger than the limit.'],
  /** The rest are limits of our own (§10.5). */
  'continuation-flood': [enhanceYourCalm, 'A field block has too many frames or octets.'],
  'field-block-timeout': [enhanceYourCalm, 'A field block was not finished in time.'],
  'frame-timeout': [enhanceYourCalm, 'A frame was not finished in time.'],
  'reset-flood': [enhanceYourCalm, 'Too many streams end in a reset.'],
  'settings-flood': [enhanceYourCalm, 'There are too many SETTINGS.'],
  'ping-flood': [enhanceYourCalm, 'There are too many PINGs.'],
  'empty-frame-flood': [enhanceYourCalm, 'There are too many frames without content.'],
  'priority-flood': [enhanceYourCalm, 'There are too many priorities.'],
  'window-update-flood': [enhanceYourCalm, 'There are too many WINDOW_UPDATEs for what is sent.'],
  'unknown-frame-flood': [enhanceYourCalm, 'There are too many frames of unknown types.'],
  'control-queue-full': [enhanceYourCalm, 'The peer does not read the answers that it asks for.'],
  'write-stalled': [ErrorCode.cancel, 'The peer does not take what it asked for.'],
  /** RFC 9113 §6.7. */
  'ping-timeout': [ErrorCode.noError, 'A PING was not acknowledged in time.'],
  'socket-closed': [ErrorCode.cancel, 'The connection was closed.'],
  'socket-failed': [ErrorCode.cancel, 'The connection failed.'],
  'internal-error': [ErrorCode.internalError, 'Something failed on our side.'],
} as const satisfies Record<string, readonly [ErrorCode, string]>

export type Http2ErrorCode = keyof typeof ERRORS

/**
 * An error condition (RFC 9113 §5.4) of one stream, which ends by RST_STREAM, or of the connection, which ends by
 * GOAWAY.
 */
export class Http2Error extends CastellanError {
  declare readonly code: Http2ErrorCode
  readonly scope: 'stream' | 'connection'
  /** What RST_STREAM or GOAWAY tells the peer. */
  readonly errorCode: ErrorCode

  constructor(scope: 'stream' | 'connection', code: Http2ErrorCode, facts: Facts = {}, cause?: unknown) {
    super(code, ERRORS[code][1], facts, cause === undefined ? {} : { cause })
    this.scope = scope
    this.errorCode = ERRORS[code][0]
  }
}

export function streamError(code: Http2ErrorCode, facts?: Facts): Http2Error {
  return new Http2Error('stream', code, facts)
}

export function connectionError(code: Http2ErrorCode, facts?: Facts): Http2Error {
  return new Http2Error('connection', code, facts)
}
