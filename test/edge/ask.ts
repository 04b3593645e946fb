import { once } from 'node:events'
import { connect, type IncomingHttpHeaders } from 'node:http2'
import { exchangeBytes } from './serve.ts'

export type Protocol = 'http/1.1' | 'h2'

export const PROTOCOLS: readonly Protocol[] = ['http/1.1', 'h2']

export type Asking = {
  readonly method?: string
  readonly authority?: string
  readonly path?: string
  /** Names and values in turn. */
  readonly fields?: readonly string[]
  readonly content?: string
}

export type Told = {
  readonly status: number
  /** Names in lower case; those that came more than once are joined by a comma. */
  readonly fields: Readonly<Record<string, string>>
  readonly content: Buffer
}

/** One request on a connection of its own, by whichever protocol, and the whole answer. */
export function ask(port: number, protocol: Protocol, asking: Asking = {}): Promise<Told> {
  return protocol === 'h2' ? askHttp2(port, asking) : askHttp1(port, asking)
}

async function askHttp1(
  port: number,
  { method = 'GET', authority = 'a.test', path = '/', fields = [], content = '' }: Asking,
): Promise<Told> {
  const lines = pairs(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const length = content === '' ? '' : `Content-Length: ${Buffer.byteLength(content)}\r\n`
  const head = `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\nConnection: close\r\n${lines.join('')}${length}\r\n`
  const answer = await exchangeBytes(port, head + content)
  const end = answer.indexOf('\r\n\r\n')
  const [statusLine = '', ...received] = answer.slice(0, end).split('\r\n')
  const told: Record<string, string> = {}
  for (const line of received) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    told[name] = told[name] === undefined ? value : `${told[name]}, ${value}`
  }
  const body = Buffer.from(answer.slice(end + 4), 'latin1')
  const isChunked = told['transfer-encoding'] === 'chunked'
  return { status: Number(statusLine.split(' ')[1]), fields: told, content: isChunked ? unchunked(body) : body }
}

function unchunked(body: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at)
    const size = end < 0 ? Number.NaN : Number.parseInt(body.toString('latin1', at, end), 16)
    if (Number.isNaN(size)) throw new Error('the content broke off')
    if (size === 0) return Buffer.concat(pieces)
    pieces.push(body.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

async function askHttp2(
  port: number,
  { method = 'GET', authority = 'a.test', path = '/', fields = [], content = '' }: Asking,
): Promise<Told> {
  const session = connect(`http://127.0.0.1:${port}`)
  try {
    const several: Record<string, string[]> = {}
    for (const [name, value] of pairs(fields)) {
      several[name.toLowerCase()] ??= []
      several[name.toLowerCase()]!.push(value)
    }
    const pseudo = { ':method': method, ':authority': authority, ':path': path, ':scheme': 'http' }
    const stream = session.request({ ...pseudo, ...several }, { endStream: content === '' })
    if (content !== '') stream.end(content)
    const pieces: Buffer[] = []
    stream.on('data', (piece: Buffer) => pieces.push(piece))
    const closed = once(stream, 'close')
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders]
    await closed
    const told = Object.entries(headers).map(([name, value]) => [name, String(value)] as const)
    return { status: Number(headers[':status']), fields: Object.fromEntries(told), content: Buffer.concat(pieces) }
  } finally {
    session.destroy()
  }
}

function pairs(fields: readonly string[]): [string, string][] {
  return fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]!] as [string, string]] : []))
}
