/** RFC 3986 §2.3: what means the same with and without its escape. */
const UNRESERVED = /[A-Za-z0-9._~-]/

/** Whether a path may have another spelling: escapes, dot segments, doubled slashes, or what some servers read as such. */
const NOTABLE = /%|\\|;|\/\/|\/\.|\.(?:\/|$)|:\$/

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
