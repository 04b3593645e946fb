import { http } from '../../system/http.ts'
import { type ResponseHead, UNKNOWN_LENGTH } from '../exchange/exchange.ts'
import { type ControlFields, isPersistent } from './control-fields.ts'
import { canHaveContent, type Framing, type Http1Version, responseFraming } from './framing.ts'
import type { HeaderSections } from './header-sections.ts'
import { refuse } from './refusal.ts'

/** A response as far as its head tells. */
export type ParsedResponse = {
  readonly head: ResponseHead
  readonly framing: Framing
  /** The length announced, of content that need not come (HEAD, 304); UNKNOWN_LENGTH where none is. */
  readonly contentLength: number
  /** The upstream would take another request on this connection (RFC 9112 §9.3). */
  readonly isPersistent: boolean
  /** The protocol of a 101 (RFC 9110 §7.8). */
  readonly upgrade: string | undefined
}

/** RFC 9112 §4. The reason phrase may be empty, and the space before it is then often left out. */
const STATUS_LINE = /^(HTTP\/1\.[01]) ([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?$/

type StatusLine = {
  readonly version: Http1Version
  readonly status: number
  /** undefined where it is the usual one. */
  readonly reason: string | undefined
  /** Where what follows the line begins. */
  readonly end: number
}

/** Of nearly every response: to see that it is this one takes a tenth of what the expression takes. */
const OK_LINE = 'HTTP/1.1 200 OK\r\n'
const OK: StatusLine = { version: '1.1', status: 200, reason: undefined, end: OK_LINE.length }

/** Reads the head of a response to a request with this method, as HeadReader gives it. Throws Refusal. */
export function parseResponseHead(text: string, method: string, sections: HeaderSections): ParsedResponse {
  const { version, status, reason, end } = text.startsWith(OK_LINE) ? OK : parseStatusLine(text)
  const { fields, control } = sections.read(text, end)
  return {
    head: { status, reason, fields },
    ...readFraming(control, version, method, status),
    isPersistent: isPersistent(control, version),
    upgrade: control.upgrade,
  }
}

function parseStatusLine(text: string): StatusLine {
  const lineEnd = text.indexOf('\r\n')
  const match = STATUS_LINE.exec(text.slice(0, lineEnd))
  if (match === null) throw refuse('status-line-malformed')
  const version = match[1] === 'HTTP/1.1' ? '1.1' : '1.0'
  const status = Number(match[2])
  if (status < 100 || status > 599) throw refuse('status-invalid')
  const reason = match[3] === http.STATUS_CODES[status] ? undefined : (match[3] ?? '')
  return { version, status, reason, end: lineEnd + 2 }
}

function readFraming(
  control: Readonly<ControlFields>,
  version: Http1Version,
  method: string,
  status: number,
): Pick<ParsedResponse, 'framing' | 'contentLength'> {
  // Some send lengths and codings with 204 and 1xx, where they mean nothing (RFC 9112 §6.3).
  if (status < 200 || status === 204) return { framing: 0, contentLength: 0 }
  const framing = responseFraming(control, version)
  return { framing: canHaveContent(method, status) ? framing : 0, contentLength: Math.max(framing, UNKNOWN_LENGTH) }
}
