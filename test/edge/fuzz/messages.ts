import { pick } from '../http2/hpack/dice.ts'

// Messages of HTTP/1.1 as clients and servers write them, well-formed and otherwise, each character a byte.

export type Dice = () => number

const OWS = ['', ' ', ' ', ' ', '\t', ' \t ', '   ']
const VALUES = ['', '1', 'a, b', 'x"y', '\xe9\xff', 'a:b', ';', '=', '{}', '0x10', 'chunked', 'close', '203.0.113.9']
const FIELD_NAMES = [
  ...['X-One', 'x-two', 'Accept', 'Cookie', 'User-Agent', 'X!#$%&*+.^_`|~', '__proto__', 'constructor', 'Date', 'Via'],
  ...[
    'X-Forwarded-For',
    'X_Forwarded_For',
    'Forwarded',
    'X-Real.IP',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Proxy-Connection',
  ],
]
const CONNECTIONS = ['close', 'keep-alive', 'x-one', 'X-Two, keep-alive', 'Upgrade', 'upgrade, x-one', ', ,close', 'TE']
const UPGRADES = ['websocket', 'h2c', 'x, h2c', 'x/1', 'HTTP/2.0', 'TLS/1.0, x', 'x,,y', 'x;h2c', '"h2c"', 'a , b/2']
const CODINGS_TAKEN = [
  'trailers',
  'Trailers',
  'gzip, trailers',
  'trailers;q=1',
  'x-trailers',
  'deflate;q=0.5,\ttrailers ,',
]
const HOSTS = ['A.TEST', 'a.test.', 'a.test:80', 'b.test', 'a.test:', '[::1]', 'a@b', '']
const TARGETS = [
  ...[
    '/',
    '/',
    '/a/b?c=d&e',
    '//x//',
    '/%2e%2e/%2f',
    '/..\\..',
    '/|^`{}"<>[]',
    '*',
    'http://a.test/x',
    'HTTP://A.test',
  ],
  ...['http://a.test?x', '/a#b', 'x', 'a.test:80', "/~!$&'()*+,;=:@"],
]
const METHODS = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']
const CODINGS = ['chunked', 'Chunked', 'gzip, chunked', 'chunked, chunked', 'identity', '']
const LENGTHS = ['+5', '5,5', '0x5', '', ' 5', '99999999999999999999', '-1', '5 5']
const EXTENSIONS = ['', '', '', ';a', ';a=b', ';a="b;c"', '; x = y', ';\xff', ';\t']
const STATUSES = [
  '200 OK',
  '200 OK',
  '200',
  '404 Not Found',
  '204 No Content',
  '304 Not Modified',
  '103 Early Hints',
  '100',
  '101 X',
  '599 \xff',
  '99 X',
  '600 X',
]

function some<T>(random: Dice, most: number, make: () => T): T[] {
  return Array.from({ length: Math.floor(random() * (most + 1)) }, make)
}

function field(random: Dice, name: string, value: string): string {
  return `${name}:${pick(random, OWS)}${value}${random() < 0.1 ? pick(random, OWS) : ''}\r\n`
}

function fields(random: Dice): string[] {
  return some(random, 6, () => {
    if (random() < 0.2) return field(random, 'Connection', pick(random, CONNECTIONS))
    if (random() < 0.1) return field(random, 'Upgrade', pick(random, UPGRADES))
    if (random() < 0.05) return field(random, 'TE', pick(random, CODINGS_TAKEN))
    if (random() < 0.1)
      return field(random, 'Expect', pick(random, ['100-continue', '100-Continue', '100-continue', 'x']))
    return field(random, pick(random, FIELD_NAMES), pick(random, VALUES))
  })
}

/** Letters, and now and then what looks like another message. */
function content(random: Dice): string {
  if (random() < 0.15) return 'GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n'
  if (random() < 0.1) return pick(random, ['\r\n', '0\r\n\r\n', '\0\xff\r', '5\r\nhello\r\n'])
  return 'abcdefghijklmnopqrstuvwxyz'
    .repeat(Math.ceil(random() ** 6 * 3000))
    .slice(0, Math.floor(random() ** 3 * 70_000))
}

export function chunkedContent(random: Dice): string {
  const chunks = some(random, 4, () => {
    const piece = content(random) || 'x'
    const size = piece.length.toString(16)
    return `${pick(random, [size, size.toUpperCase(), `00${size}`])}${pick(random, EXTENSIONS)}\r\n${piece}\r\n`
  })
  const trailers =
    random() < 0.3
      ? some(random, 3, () =>
          field(
            random,
            pick(random, [...FIELD_NAMES, 'Host', 'Content-Length', 'Authorization']),
            pick(random, VALUES),
          ),
        )
      : []
  return `${chunks.join('')}${pick(random, ['0', '000'])}${pick(random, EXTENSIONS)}\r\n${trailers.join('')}\r\n`
}

/** The fields that delimit content, and content that they fit, or do not. */
function framed(random: Dice, mostWithout: number): { readonly lines: string[]; readonly content: string } {
  const kind = random()
  if (kind < mostWithout) return { lines: [], content: '' }
  if (kind < 0.95) {
    if (random() < 0.5) return { lines: ['Transfer-Encoding: chunked\r\n'], content: chunkedContent(random) }
    const text = content(random)
    return { lines: [`Content-Length: ${text.length}\r\n`], content: text }
  }
  const lines = [
    `Content-Length: ${pick(random, LENGTHS)}\r\n`,
    `Transfer-Encoding: ${pick(random, CODINGS)}\r\n`,
    'Content-Length: 5\r\n',
    'Transfer-Encoding: chunked\r\n',
  ]
  return {
    lines: some(random, 2, () => pick(random, lines)),
    content: pick(random, ['hello', '0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n']),
  }
}

function shuffled(random: Dice, lines: readonly string[]): string {
  return lines
    .map((line) => [random(), line] as const)
    .sort(([one], [other]) => one - other)
    .map(([, line]) => line)
    .join('')
}

export function request(random: Dice): string {
  const { lines, content: text } = framed(random, 0.5)
  const host =
    random() < 0.97
      ? [field(random, pick(random, ['Host', 'host']), random() < 0.85 ? 'a.test' : pick(random, HOSTS))]
      : []
  const version =
    random() < 0.9 ? 'HTTP/1.1' : pick(random, ['HTTP/1.0', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1'])
  const target = random() < 0.85 ? '/' : pick(random, TARGETS)
  const empty = random() < 0.05 ? '\r\n'.repeat(Math.floor(random() * 6)) : ''
  return `${empty}${random() < 0.99 ? pick(random, METHODS) : 'CONNECT'} ${target} ${version}\r\n${shuffled(random, [...host, ...lines, ...fields(random)])}\r\n${text}`
}

export function response(random: Dice): string {
  const { lines, content: text } = framed(random, 0.2)
  const version = random() < 0.95 ? 'HTTP/1.1' : pick(random, ['HTTP/1.0', 'HTTP/1.2'])
  return `${version} ${pick(random, STATUSES)}\r\n${shuffled(random, [...lines, ...fields(random)])}\r\n${text}`
}

const SPECIAL = ['\r', '\n', '\r\n', '\0', ' ', '\t', ':', ';', ',', '0', '\x7f', '\x80', '\xff', '"', 'G', '\r\n\r\n']

/** The same bytes with a few changes. */
export function mutated(random: Dice, bytes: string): string {
  let changed = bytes
  for (let left = Math.floor(random() ** 2 * 4); left >= 0; left--) {
    // Most changes are where the rules are: at the beginning and around lines.
    const lineEnd = changed.indexOf('\r\n', Math.floor(random() * Math.min(changed.length, 600)))
    const near =
      random() < 0.5 && lineEnd >= 0 ? lineEnd + Math.floor(random() * 4) : Math.floor(random() ** 2 * changed.length)
    const at = Math.min(near, changed.length)
    const [before, rest] = [changed.slice(0, at), changed.slice(at)]
    changed = pick(random, [
      () => before + rest.slice(1),
      () => before + pick(random, SPECIAL) + rest,
      () => before + pick(random, SPECIAL) + rest.slice(1),
      () => before + pick(random, SPECIAL) + rest,
      () => before,
      () => before + rest.slice(0, 40) + rest,
      () => before + rest.slice(rest.indexOf('\r\n') + 2),
    ])()
  }
  return changed
}

/** One to three messages on one connection, in most cases with something wrong. */
export function stream(random: Dice, make: (random: Dice) => string): string {
  const messages = [make(random), ...some(random, 2, () => make(random))].join('')
  return random() < 0.5 ? mutated(random, messages) : messages
}

/** Cuts bytes into pieces: mostly a few, now and then many of a byte. */
export function segmented(random: Dice, bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = []
  const longest = 1 + Math.floor(random() ** 4 * Math.max(1, bytes.length))
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + Math.floor(random() * longest)
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}
