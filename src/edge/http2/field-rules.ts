import { isForwardingField } from '../fields.ts'
import { streamError } from './http2-error.ts'

/** What a field name means for the framing and the routing of a message; the rest is passed on. */
export const FieldRole = {
  plain: 0,
  connectionSpecific: 1,
  te: 2,
  host: 3,
  cookie: 4,
  contentLength: 5,
  expect: 6,
  priority: 7,
} as const
export type FieldRole = (typeof FieldRole)[keyof typeof FieldRole]

const ROLES = new Map<string, FieldRole>([
  // RFC 9113 §8.2.2.
  ['connection', FieldRole.connectionSpecific],
  ['proxy-connection', FieldRole.connectionSpecific],
  ['keep-alive', FieldRole.connectionSpecific],
  ['transfer-encoding', FieldRole.connectionSpecific],
  ['upgrade', FieldRole.connectionSpecific],
  ['http2-settings', FieldRole.connectionSpecific],
  ['te', FieldRole.te],
  ['host', FieldRole.host],
  ['cookie', FieldRole.cookie],
  ['content-length', FieldRole.contentLength],
  ['expect', FieldRole.expect],
  ['priority', FieldRole.priority],
  // Known to be valid without a look, as most fields of a request have one of these names.
  ...[
    ...['accept', 'accept-encoding', 'accept-language', 'accept-ranges', 'age', 'alt-svc', 'authorization'],
    ...['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'content-security-policy'],
    ...['content-type', 'date', 'dnt', 'etag', 'expires', 'forwarded', 'from', 'grpc-encoding', 'grpc-message'],
    ...['grpc-status', 'grpc-timeout', 'if-match', 'if-modified-since', 'if-none-match', 'if-range'],
    ...['if-unmodified-since', 'last-modified', 'link', 'location', 'max-forwards', 'origin', 'permissions-policy'],
    ...['pragma', 'range', 'referer', 'referrer-policy', 'retry-after', 'sec-ch-ua', 'sec-ch-ua-mobile'],
    ...['sec-ch-ua-platform', 'sec-fetch-dest', 'sec-fetch-mode', 'sec-fetch-site', 'sec-fetch-user', 'sec-gpc'],
    ...['server', 'server-timing', 'set-cookie', 'strict-transport-security', 'traceparent', 'tracestate'],
    ...['upgrade-insecure-requests', 'user-agent', 'vary', 'via', 'www-authenticate', 'x-content-type-options'],
    ...['x-forwarded-for', 'x-forwarded-proto', 'x-frame-options', 'x-powered-by', 'x-request-id'],
    ...['x-requested-with', 'x-xss-protection'],
  ].map((name) => [name, FieldRole.plain] as const),
])

/** RFC 9110 §5.6.2, without upper case (RFC 9113 §8.2.1). */
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/

/** RFC 9110 §5.5: no controls but the tab, and no whitespace at either end. */
const INVALID_VALUE = /[^\t\x20-\x7e\x80-\xff]|^[\t ]|[\t ]$/

/** RFC 9110 §8.6, as far as a number is exact. */
const CONTENT_LENGTH = /^[0-9]{1,15}$/

const COLON = 0x3a

/** RFC 9110 §6.5.1: what would change how a message is framed, routed, authenticated or read may not come after it. */
const NEVER_TRAILERS = new Set([
  ...['authorization', 'cache-control', 'content-encoding', 'content-length', 'content-range', 'content-type'],
  ...['cookie', 'expect', 'host', 'max-forwards', 'proxy-authenticate', 'proxy-authorization', 'range', 'set-cookie'],
  ...['te', 'trailer', 'www-authenticate'],
])

export function isPseudoField(name: string): boolean {
  return name.charCodeAt(0) === COLON
}

/** Checks a regular field (RFC 9113 §8.2) and tells what it means. Throws an error of the stream. */
export function checkField(name: string, value: string): FieldRole {
  const role = ROLES.get(name)
  if (role === undefined && !NAME.test(name)) throw streamError('field-name-invalid', { name })
  if (INVALID_VALUE.test(value)) throw streamError('field-value-invalid', { name })
  if (role === FieldRole.connectionSpecific) throw streamError('field-connection-specific', { name })
  return role ?? FieldRole.plain
}

/** RFC 9110 §8.6. Throws an error of the stream. */
export function parseContentLength(value: string): number {
  if (!CONTENT_LENGTH.test(value)) throw streamError('content-length-invalid', { value })
  return Number(value)
}

/**
 * Checks a trailer section (RFC 9113 §8.1) and returns it without what may not be there, nor what claims to come from a proxy:
 * an application that merges trailers into the fields would believe it.
 */
export function readTrailers(fields: readonly string[]): string[] {
  const trailers: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!
    const value = fields[at + 1]!
    if (isPseudoField(name)) throw streamError('pseudo-field-invalid', { name })
    checkField(name, value)
    if (!NEVER_TRAILERS.has(name) && !isForwardingField(name)) trailers.push(name, value)
  }
  return trailers
}
