/** RFC 3986 §2.3: what means the same with and without its escape. */
const UNRESERVED = /[A-Za-z0-9._~-]/

/** Whether a path may have another spelling: escapes, dot segments, doubled slashes, or what some servers read as such. */
const NOTABLE = /%|\\|;|\/\/|\/\./

/** Where the query of a target begins, or where the target ends. */
export function pathEnd(target: string): number {
  const at = target.indexOf('?')
  return at < 0 ? target.length : at
}

/** Whether a path is more than plain segments, so that it is worth a second look. */
export function isNotable(path: string): boolean {
  return NOTABLE.test(path)
}

/**
 * The one spelling of a path by which it is routed and forwarded (RFC 3986 §6.2.2): escapes of what needs none are undone and
 * others are in upper case, slashes are single, and dot segments are gone. `%2F` stays what it is: no separator. Nothing is
 * decoded twice.
 */
export function normalizePath(path: string): string {
  return isNotable(path) ? withoutDotSegments(path.replaceAll(/%[0-9a-fA-F]{2}/g, normalizeEscape)) : path
}

function normalizeEscape(written: string): string {
  const character = String.fromCharCode(Number.parseInt(written.slice(1), 16))
  return UNRESERVED.test(character) ? character : written.toUpperCase()
}

/** RFC 3986 §5.2.4, and without empty segments. What leads above the root ends there. */
function withoutDotSegments(path: string): string {
  const kept: string[] = []
  const segments = path.split('/')
  for (const segment of segments)
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  const last = segments.at(-1)!
  const isFolder = kept.length > 0 && (last === '' || last === '.' || last === '..')
  return `/${kept.join('/')}${isFolder ? '/' : ''}`
}

/** An application that decodes what it has decoded is rare, and one that does so thrice is not known. */
const MAX_READINGS = 3

/**
 * How a careless server may read a normalized path: escaped and backward slashes separate (WSGI, Go's ServeMux, URL parsers
 * of browsers), what follows a semicolon in a segment is no part of it (servlets), what follows a NUL or an escaped question
 * mark is cut off, and escapes of escapes are decoded, too.
 */
export function carelessReading(path: string): string {
  let reading = path
  for (let round = 0; round < MAX_READINGS; round++) {
    const next = readCarelessly(reading)
    if (next === reading) break
    reading = next
  }
  return reading
}

function readCarelessly(path: string): string {
  const decoded = path.replaceAll(/%[0-7][0-9a-fA-F]/g, decodeEscape).replaceAll('\\', '/')
  const end = decoded.search(/[?#\0]/)
  const cut = end < 0 ? decoded : decoded.slice(0, end)
  return withoutDotSegments(cut.replaceAll(/;[^/]*/g, ''))
}

function decodeEscape(written: string): string {
  return String.fromCharCode(Number.parseInt(written.slice(1), 16))
}
