/** Beyond, nobody needs to know what else a path may mean: it was made to mean something else. */
const MAX_READINGS = 256
/** Of all readings together: what a path of a whole request line costs stays within some milliseconds. */
const MAX_CHARACTERS = 64 * 1024

/** Gives what somebody makes of a path, which is the same where there is nothing to make of it. */
type Mistake = (path: string) => string

/**
 * What servers do with a path besides RFC 3986, each on its own: which of them an application does, and in which order, is
 * not known. Tomcat takes parameters off before it decodes, nginx after it, and neither removes what WSGI leaves in.
 */
const MISTAKES: readonly Mistake[] = [
  // WSGI, Go, nginx: escaped slashes separate. Twice, where a proxy in between has decoded already.
  (path) => path.replaceAll(/%([0-7][0-9a-fA-F])/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16))),
  // IIS: `%u002f`; and UTF-8 that is longer than it has to be, or of characters that look like others (best fit, NFKC).
  (path) => path.replaceAll(/%u([0-9a-fA-F]{4})/gi, (written, digits) => plainOf(Number.parseInt(digits, 16), written)),
  (path) =>
    path.replaceAll(/%[c-f][0-9a-f](?:%[89ab][0-9a-f]){1,3}/gi, (written) => plainOf(codePointOf(written), written)),
  // URL parsers of browsers, also in Node.js, to which two slashes begin a host; and Windows.
  (path) => path.replace(/^\/{2,}[^/]*/, ''),
  (path) => path.replaceAll('\\', '/'),
  (path) => path.replaceAll(/[\t\n\r]/g, ''),
  // Servlets: parameters of a segment.
  (path) => path.replaceAll(/;[^/]*/g, ''),
  // Whoever takes it for a URL once more, or for a string of C.
  (path) => before(path, '?'),
  (path) => before(path, '#'),
  (path) => before(path, '\0'),
  // Windows: dots and spaces at the end of a name, and streams of a file.
  (path) => path.replaceAll(/(?<=[^/. ])[. ]+(?=\/|$)/g, ''),
  (path) => path.replaceAll(/(?<=\/)[. ]+(?=\/|$)/g, ''),
  (path) => path.replaceAll(/::?\$[^/]*/g, ''),
  (path) => path.replaceAll(/\/{2,}/g, '/'),
  withoutDotSegments,
]

/**
 * All that careless servers may read a normalized path as, besides what it is: every mistake, and mistakes in what comes of
 * them. Ends with undefined where that would be too much.
 */
export function* carelessReadings(path: string): Generator<string | undefined> {
  const readings = new Set([path])
  let characters = 0
  for (const reading of readings)
    for (const mistake of MISTAKES) {
      const next = mistake(reading)
      if (readings.has(next)) continue
      characters += next.length
      if (readings.size > MAX_READINGS || characters > MAX_CHARACTERS) return yield undefined
      readings.add(next)
      yield next
    }
}

/** RFC 3629 §3, without its prohibition of forms that are too long. */
function codePointOf(written: string): number {
  const [lead = 0, ...others] = Buffer.from(written.replaceAll('%', ''), 'hex')
  const bits = lead & (0x3f >> others.length)
  return others.reduce((code, byte) => (code << 6) | (byte & 0x3f), bits)
}

/** Slashes to the eye, and to the best fit of Windows, that NFKC leaves alone. */
const LOOKALIKES = new Map([
  [0x2044, '/'],
  [0x2215, '/'],
  [0x2216, '\\'],
])

/** The ASCII that a character is taken for; `written` where it is not. */
function plainOf(codePoint: number, written: string): string {
  if (codePoint > 0x10ffff) return written
  const plain = LOOKALIKES.get(codePoint) ?? String.fromCodePoint(codePoint).normalize('NFKC')
  return /^[\0-\x7f]+$/.test(plain) ? plain : written
}

function before(path: string, mark: string): string {
  const at = path.indexOf(mark)
  return at < 0 ? path : path.slice(0, at)
}

/** RFC 3986 §5.2.4 to the letter: an empty segment is one as well. */
function withoutDotSegments(path: string): string {
  if (!path.includes('/.')) return path
  const kept: string[] = []
  const segments = path.split('/').slice(1)
  for (const segment of segments)
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  const last = segments.at(-1)
  return `/${kept.join('/')}${kept.length > 0 && (last === '.' || last === '..') ? '/' : ''}`
}
