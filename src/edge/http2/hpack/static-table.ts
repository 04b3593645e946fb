/** RFC 7541 Appendix A, in its order. A name that stands there with several values has them in a row. */
const ENTRIES: readonly (readonly [name: string, ...values: string[]])[] = [
  [':authority', ''],
  [':method', 'GET', 'POST'],
  [':path', '/', '/index.html'],
  [':scheme', 'http', 'https'],
  [':status', '200', '204', '206', '304', '400', '404', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
]

/** Indices from 1 to this one are the static table's, those above it the dynamic table's (RFC 7541 §2.3.3). */
export const STATIC_COUNT = 61

const NONE = ''

/** By index; there is no entry 0. */
export const STATIC_NAMES: readonly string[] = [NONE, ...ENTRIES.flatMap(([name, ...values]) => values.map(() => name))]
/** By index; there is no entry 0. */
export const STATIC_VALUES: readonly string[] = [NONE, ...ENTRIES.flatMap(([, ...values]) => values)]

/** The names that the table has, each once. */
export const STATIC_NAME_LIST: readonly string[] = ENTRIES.map(([name]) => name)

/** What the table has for a name: values at indices in a row. */
export type StaticEntries = { readonly firstIndex: number; readonly values: readonly string[] }

/** The entries of a name, or undefined. */
export function staticEntries(name: string): StaticEntries | undefined {
  const entry = ENTRIES.find(([entryName]) => entryName === name)
  if (entry === undefined) return undefined
  const [, ...values] = entry
  return { firstIndex: STATIC_NAMES.indexOf(name), values }
}
