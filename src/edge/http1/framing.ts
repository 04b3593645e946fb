import type { ControlFields } from './control-fields.ts'
import { refuse } from './refusal.ts'

/** How the content of a message is delimited (RFC 9112 §6.3): its length in bytes, or one of the two below. */
export type Framing = number

/** The chunked transfer coding (RFC 9112 §7.1). */
export const CHUNKED = -1
/** All that comes until the connection closes; responses only. */
export const UNTIL_CLOSE = -2

export type Http1Version = '1.0' | '1.1'

/** How the content of a request is delimited: 0 where it has none. Throws Refusal. */
export function requestFraming(control: Readonly<ControlFields>, version: Http1Version): Framing {
  if (control.transferEncoding !== undefined) return transferEncodingFraming(control, version)
  return control.contentLength === undefined ? 0 : parseContentLength(control.contentLength)
}

/** How the content of a response is delimited if it can have any. Throws Refusal. */
export function responseFraming(control: Readonly<ControlFields>, version: Http1Version): Framing {
  if (control.transferEncoding !== undefined) return transferEncodingFraming(control, version)
  return control.contentLength === undefined ? UNTIL_CLOSE : parseContentLength(control.contentLength)
}

/** Whether a response has content at all, whatever its fields say (RFC 9112 §6.3, rule 1). */
export function canHaveContent(method: string, status: number): boolean {
  return method !== 'HEAD' && status >= 200 && status !== 204 && status !== 304
}

/**
 * Only `chunked`, only alone. Other recipients read two of them, a list or a quoted string in other ways, and what they
 * disagree on is where the next message begins.
 */
function transferEncodingFraming(
  { transferEncoding, contentLength }: Readonly<ControlFields>,
  version: Http1Version,
): Framing {
  if (version === '1.0') throw refuse('transfer-encoding-of-http-1.0')
  if (contentLength !== undefined) throw refuse('framing-ambiguous')
  const coding = transferEncoding!.toLowerCase()
  if (coding === 'chunked') return CHUNKED
  throw refuse(OTHER_CODINGS.test(coding) ? 'transfer-encoding-unsupported' : 'transfer-encoding-invalid')
}

/** Well-formed, and final chunked once: such content could be read by somebody who knew the other codings. */
const OTHER_CODINGS = /^(?:(?!chunked\b)[a-z0-9-]+[ \t]*,[ \t]*)+chunked$/

/** `1*DIGIT` (RFC 9110 §8.6): no sign, no list, no white space within. */
const DIGITS = /^[0-9]{1,16}$/

function parseContentLength(value: string): number {
  if (!DIGITS.test(value)) throw refuse('content-length-invalid')
  const length = Number(value)
  if (!Number.isSafeInteger(length)) throw refuse('content-length-invalid')
  return length
}
