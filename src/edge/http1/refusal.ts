import { CastellanError } from '../../errors.ts'

/**
 * Every rule by which a message is refused: the status for whoever sent a request that breaks it, and the rule in words that
 * follow "the message". An upstream's response that breaks one is a 502 instead.
 */
const RULES = {
  // The lines of a head.
  'line-feed-bare': [400, 'has a line feed without a carriage return before it (RFC 9112 §2.2)'],
  'carriage-return-bare': [400, 'has a carriage return without a line feed after it (RFC 9112 §2.2)'],
  'empty-lines-excessive': [400, 'begins with too many empty lines (RFC 9112 §2.2)'],
  'head-incomplete-in-time': [408, 'had no complete head in time (RFC 9110 §15.5.9)'],

  // The request line.
  'request-line-malformed': [400, 'does not begin with method, target and version (RFC 9112 §3)'],
  'request-line-too-long': [414, 'has a request line that is too long (RFC 9112 §3)'],
  'method-invalid': [400, 'has a method that is not a token (RFC 9110 §9.1)'],
  'method-not-served': [405, 'asks for a tunnel, and this is no such proxy (RFC 9110 §9.3.6)'],
  'target-invalid': [400, 'has a target in none of the forms that its method can have (RFC 9112 §3.2)'],
  'version-malformed': [400, 'has no HTTP version (RFC 9112 §2.3)'],
  'version-unsupported': [505, 'has a version other than HTTP/1.1 and HTTP/1.0 (RFC 9110 §15.6.6)'],

  // The status line.
  'status-line-malformed': [400, 'does not begin with version, status and reason (RFC 9112 §4)'],
  'status-invalid': [400, 'has a status outside of 100 to 599 (RFC 9110 §15)'],

  // The field section.
  'fields-too-large': [431, 'has a field section that is too large (RFC 6585 §5)'],
  'fields-too-many': [431, 'has too many fields (RFC 6585 §5)'],
  'field-folded': [400, 'has a field line that begins with white space (RFC 9112 §5.2)'],
  'field-colon-missing': [400, 'has a field line without a colon (RFC 9112 §5)'],
  'field-name-spaced': [400, 'has white space between a field name and its colon (RFC 9112 §5.1)'],
  'field-name-invalid': [400, 'has a field name that is not a token (RFC 9110 §5.1)'],
  'field-value-invalid': [400, 'has a control character in a field value (RFC 9110 §5.5)'],

  // Host.
  'host-missing': [400, 'has no Host field (RFC 9112 §3.2)'],
  'host-repeated': [400, 'has more than one Host field (RFC 9112 §3.2)'],
  'host-invalid': [400, 'has a Host that is not a host with or without a port (RFC 9110 §7.2)'],
  'host-contradicted': [400, 'has a Host other than the authority of its target (RFC 9112 §3.2.2)'],

  // Framing.
  'content-length-invalid': [400, 'has a Content-Length that is not a number that can be counted to (RFC 9110 §8.6)'],
  'content-length-repeated': [400, 'has more than one Content-Length (RFC 9112 §6.3)'],
  'framing-ambiguous': [400, 'has both Content-Length and Transfer-Encoding (RFC 9112 §6.3)'],
  'transfer-encoding-repeated': [400, 'has more than one Transfer-Encoding (RFC 9112 §6.1)'],
  'transfer-encoding-invalid': [400, 'has a Transfer-Encoding that does not end with one chunked (RFC 9112 §6.1)'],
  'transfer-encoding-unsupported': [501, 'has a transfer coding besides chunked (RFC 9112 §6.1)'],
  'transfer-encoding-of-http-1.0': [400, 'has a Transfer-Encoding, which HTTP/1.0 has not (RFC 9112 §6.1)'],
  'expectation-unsupported': [417, 'expects something other than 100-continue (RFC 9110 §10.1.1)'],

  // Content.
  'chunk-size-invalid': [400, 'has a chunk whose size is not hexadecimal digits (RFC 9112 §7.1)'],
  'chunk-size-too-large': [400, 'has a chunk whose size cannot be counted to (RFC 9112 §7.1)'],
  'chunk-line-too-long': [400, 'has a chunk extension that is too long (RFC 9112 §7.1.1)'],
  'chunk-extensions-excessive': [400, 'has too many chunk extensions (RFC 9112 §7.1.1)'],
  'chunk-extension-invalid': [400, 'has a control character in a chunk extension (RFC 9112 §7.1.1)'],
  'chunk-line-end-invalid': [400, 'has a chunk line that does not end with CRLF (RFC 9112 §7.1)'],
  'chunk-end-invalid': [400, 'has a chunk that is longer than its size says (RFC 9112 §7.1)'],
  'trailers-too-large': [431, 'has a trailer section that is too large (RFC 6585 §5)'],
  'trailers-too-many': [431, 'has too many trailer fields (RFC 6585 §5)'],
  'content-incomplete-in-time': [408, 'had content that came too slowly (RFC 9110 §15.5.9)'],
} as const satisfies Record<string, readonly [status: number, rule: string]>

export type RefusalCode = keyof typeof RULES

export const REFUSAL_CODES = Object.keys(RULES) as readonly RefusalCode[]

/** A message that cannot be understood in exactly one way. Its connection is closed: where the next one begins is not known. */
export class Refusal extends CastellanError {
  declare readonly code: RefusalCode
  /** The answer to a request. */
  readonly status: number

  /** `message` is the rule, in words that follow "the request" or "the response". */
  constructor(code: RefusalCode) {
    super(code, RULES[code][1])
    this.status = RULES[code][0]
  }
}

export function refuse(code: RefusalCode): Refusal {
  return new Refusal(code)
}
