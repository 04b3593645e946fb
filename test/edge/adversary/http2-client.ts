import { type ClientHttp2Session, connect } from 'node:http2'
import type { Socket } from 'node:net'
import type { RunningEdge, Scope } from './running-edge.ts'

/** How a request over HTTP/2 ended, as an independent client saw it: nghttp2 in node:http2. */
export type Told = {
  readonly status: number | undefined
  readonly informed: readonly number[]
  readonly fields: Readonly<Record<string, unknown>>
  readonly content: string
  readonly trailers: Readonly<Record<string, unknown>>
  /** The code of RST_STREAM; 0 for a clean end (RFC 9113 §7). */
  readonly code: number
}

export async function connectHttp2(t: Scope, edge: RunningEdge): Promise<ClientHttp2Session> {
  const socket: Socket = await edge.connect('https', 'h2')
  const session = connect('https://a.test', { createConnection: () => socket })
  session.on('error', () => {})
  t.after(() => session.destroy())
  return session
}

export async function askHttp2(
  session: ClientHttp2Session,
  headers: Record<string, string>,
  content?: string,
): Promise<Told> {
  const request = { ':authority': 'a.test', ...headers }
  const stream = session.request(request, { endStream: content === undefined })
  const informed: number[] = []
  let fields: Record<string, unknown> = {}
  let trailers: Record<string, unknown> = {}
  let received = ''
  stream.setEncoding('latin1')
  stream.on('headers', ({ ':status': status }) => informed.push(Number(status)))
  stream.on('response', (answer) => {
    fields = answer
  })
  stream.on('trailers', (answer) => {
    trailers = answer
  })
  stream.on('data', (text: string) => {
    received += text
  })
  stream.on('error', () => {})
  if (content !== undefined) stream.end(content, 'latin1')
  await new Promise((resolve) => stream.once('close', resolve))
  const status = fields[':status'] as number | undefined
  return { status, informed, fields, content: received, trailers, code: stream.rstCode }
}
