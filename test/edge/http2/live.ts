import { once } from 'node:events'
import { type ClientHttp2Session, connect, createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect as connectSocket, createServer as createSocketServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Http2Limits, SERVER_LIMITS } from '../../../src/edge/http2/limits.ts'
import { Http2ServerConnection } from '../../../src/edge/http2/server-connection.ts'
import { Http2UpstreamConnection } from '../../../src/edge/http2/upstream-connection.ts'
import { Served } from './client-script.ts'
import { TestSweep, testDate } from './test-sweep.ts'

// Connections in clear text over loopback, with node:http2 (nghttp2) at the other end.

export type LiveServer = {
  readonly port: number
  readonly connections: Http2ServerConnection[]
}

/** Our server's role, on a port of its own. */
export async function startServer(
  t: TestContext,
  serve: (served: Served) => void,
  limits: Http2Limits = SERVER_LIMITS,
): Promise<LiveServer> {
  const connections: Http2ServerConnection[] = []
  const sockets = new Set<Socket>()
  const server = createSocketServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    const connection = new Http2ServerConnection({
      socket,
      client: {
        address: '127.0.0.1',
        port: 50_000,
        localAddress: '192.0.2.254',
        localPort: 443,
        certificateNames: undefined,
        usesFallback: false,
        tls: undefined,
      },
      scheme: 'http',
      sweep: new TestSweep(),
      date: testDate,
      limits,
      onExchange: (exchange) => serve(new Served(exchange)),
    })
    connections.push(connection)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: (server.address() as AddressInfo).port, connections }
}

/** A session of node:http2 with it. */
export async function connectNode(t: TestContext, { port }: LiveServer): Promise<ClientHttp2Session> {
  const session = connect(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  session.on('error', () => {})
  await once(session, 'remoteSettings')
  return session
}

export type Answer = {
  readonly status: unknown
  readonly headers: Record<string, unknown>
  readonly trailers: Record<string, unknown> | undefined
  readonly content: Buffer
  readonly code: number
}

/** Asks by node:http2, and gathers the answer. */
export async function ask(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  content?: Buffer,
  trailers?: Record<string, string>,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: content === undefined, waitForTrailers: trailers !== undefined })
  let received: Record<string, unknown> = {}
  let receivedTrailers: Record<string, unknown> | undefined
  const pieces: Buffer[] = []
  stream.on('response', (answer) => {
    received = answer
  })
  stream.on('trailers', (answer) => {
    receivedTrailers = answer
  })
  stream.on('wantTrailers', () => stream.sendTrailers(trailers!))
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  stream.on('error', () => {})
  if (content !== undefined) stream.end(content)
  await new Promise((resolve) => stream.once('close', resolve))
  const code = stream.rstCode
  return {
    status: received[':status'],
    headers: received,
    trailers: receivedTrailers,
    content: Buffer.concat(pieces),
    code,
  }
}

export type NodeServer = { readonly server: Http2Server; readonly port: number }

/** A server of node:http2. */
export async function startNode(
  t: TestContext,
  onStream: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
  settings = {},
): Promise<NodeServer> {
  const server = createServer({ settings })
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    onStream(stream as ServerHttp2Stream, headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(async () => {
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** Our client's role, connected to it. */
export async function connectUpstream(t: TestContext, { port }: { port: number }): Promise<Http2UpstreamConnection> {
  const socket = connectSocket({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  return new Http2UpstreamConnection({ socket, sweep: new TestSweep() })
}
