import { MAX_STRING_OVERHEAD_BYTES, writeShortestString } from './block-writer.ts'
import { STATIC_NAME_LIST, staticEntries } from './static-table.ts'

/** What the encoder knows of a field name. */
export type FieldName = {
  /** In lower case. */
  readonly name: string
  /** The name as a string literal (RFC 7541 §5.2). */
  readonly literal: Buffer
  /** The first entry of the static table with this name, or 0. */
  readonly staticIndex: number
  /** The values of the static table's entries with this name, at indices in a row. */
  readonly staticValues: readonly string[]
  /** Whether its fields go into the dynamic table. */
  readonly isIndexed: boolean
  /** Shorter values are never indexed by anyone (RFC 7541 §7.1.3). */
  readonly neverIndexedBelowBytes: number
}

/**
 * By the name in lower case and as it is usually written in HTTP/1.1 (`Content-Type`), so that most names that come from
 * an upstream are found as they are, which saves 35 ns each.
 */
export type FieldNames = ReadonlyMap<string, FieldName>

export type FieldNameRules = {
  /** Names whose values recur. */
  readonly indexed: readonly string[]
  /** Names whose values do not, as far as they deserve an entry for their literal. */
  readonly changing: readonly string[]
  /** Names whose values are secret if they are shorter than so many bytes. */
  readonly sensitive: Readonly<Record<string, number>>
}

/** Settles all that can be known of names before there are values. */
export function fieldNames(rules: FieldNameRules): FieldNames {
  const { indexed, changing, sensitive } = rules
  const names = new Set([...STATIC_NAME_LIST, ...indexed, ...changing, ...Object.keys(sensitive)])
  return new Map(
    [...names].flatMap((name) => {
      const settled = settleName(name, rules)
      return spellings(name).map((spelling) => [spelling, settled] as const)
    }),
  )
}

function settleName(name: string, { indexed, sensitive }: FieldNameRules): FieldName {
  const { firstIndex = 0, values = [] } = staticEntries(name) ?? {}
  return {
    name,
    literal: stringLiteral(name),
    staticIndex: firstIndex,
    staticValues: values,
    isIndexed: indexed.includes(name),
    neverIndexedBelowBytes: sensitive[name] ?? 0,
  }
}

/** Names that RFC 9110 and servers write in their own way, and that many messages have. */
const OWN_SPELLINGS = new Map([
  ['etag', 'ETag'],
  ['www-authenticate', 'WWW-Authenticate'],
  ['x-xss-protection', 'X-XSS-Protection'],
])

function spellings(name: string): string[] {
  return [name, OWN_SPELLINGS.get(name) ?? name.replace(/\b[a-z]/g, (letter) => letter.toUpperCase())]
}

function stringLiteral(text: string): Buffer {
  const out = Buffer.alloc(text.length + MAX_STRING_OVERHEAD_BYTES)
  return out.subarray(0, writeShortestString(text, out, 0))
}

const ALWAYS = Number.POSITIVE_INFINITY

/**
 * The rules of the encoder. A name that stands nowhere is not indexed: nothing is known of how often its values change,
 * and how secret they are, while an entry can be guessed by others who send on the same connection (RFC 7541 §7.1.1).
 */
export const FIELD_NAMES = fieldNames({
  indexed: [
    ':authority',
    ':method',
    ':scheme',
    ':status',
    'accept',
    'accept-ch',
    'accept-charset',
    'accept-encoding',
    'accept-language',
    'accept-ranges',
    'access-control-allow-credentials',
    'access-control-allow-headers',
    'access-control-allow-methods',
    'access-control-allow-origin',
    'access-control-expose-headers',
    'access-control-max-age',
    'allow',
    'alt-svc',
    'cache-control',
    'cdn-cache-control',
    'content-encoding',
    'content-language',
    'content-security-policy',
    'content-security-policy-report-only',
    'content-type',
    'cross-origin-embedder-policy',
    'cross-origin-opener-policy',
    'cross-origin-resource-policy',
    'dnt',
    'nel',
    'origin-agent-cluster',
    'permissions-policy',
    'pragma',
    'priority',
    'referrer-policy',
    'report-to',
    'reporting-endpoints',
    'sec-ch-ua',
    'sec-ch-ua-mobile',
    'sec-ch-ua-platform',
    'sec-fetch-dest',
    'sec-fetch-mode',
    'sec-fetch-site',
    'sec-fetch-user',
    'sec-gpc',
    'server',
    'strict-transport-security',
    'te',
    'timing-allow-origin',
    'upgrade-insecure-requests',
    'user-agent',
    'vary',
    'via',
    'x-content-type-options',
    'x-dns-prefetch-control',
    'x-download-options',
    'x-frame-options',
    'x-permitted-cross-domain-policies',
    'x-powered-by',
    'x-robots-tag',
    'x-ua-compatible',
    'x-xss-protection',
  ],
  // Beside all others of the static table, as content-length, date, etag, last-modified, location and :path.
  changing: [
    'server-timing',
    'traceparent',
    'x-amzn-trace-id',
    'x-cache',
    'x-correlation-id',
    'x-forwarded-for',
    'x-ratelimit-remaining',
    'x-request-id',
    'x-response-time',
    'x-runtime',
    'x-trace-id',
  ],
  sensitive: {
    authorization: ALWAYS,
    'proxy-authorization': ALWAYS,
    'set-cookie': ALWAYS,
    // As in nghttp2: a longer one cannot be guessed whole. It is not indexed here either, as many clients may share a table.
    cookie: 20,
  },
})
