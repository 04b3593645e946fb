import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2, createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { Peer } from '../http1/peer.ts'
import { type Served, serve, siteOf } from '../serve.ts'

// Trailers between every two versions of HTTP, from apps that send them only to who says TE: trailers (RFC 9110 §10.1.4).

type App = { readonly address: UpstreamAddress; readonly asked: string[] }
type Protocol = 'http/1.1' | 'h2'

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

async function http1App(t: TestContext): Promise<App> {
  const asked: string[] = []
  const server = createServer((socket: Socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.setEncoding('latin1')
    // A request without content comes in one piece here.
    socket.on('data', (head: unknown) => {
      const told = /\r\nConnection: ([^\r]*)\r\n(?:TE: ([^\r]*)\r\n)?\r\n$/.exec(String(head))
      asked.push(`${told?.[1]}; ${told?.[2]}`)
      const trailers = told?.[2] === 'trailers' ? 'X-Sum: 42\r\n' : ''
      socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${trailers}\r\n`)
    })
  })
  return { address: { scheme: 'http', host: '127.0.0.1', port: await listening(t, server) }, asked }
}

/** Announces a length, behind which HTTP/2 has room for trailers (RFC 9113 §8.1). */
async function http2App(t: TestContext): Promise<App> {
  const asked: string[] = []
  const server = createHttp2Server()
  server.on('session', (session) => t.after(() => session.destroy()))
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    asked.push(String(headers['te']))
    const fields = { ':status': 200, 'content-length': '5', trailer: 'x-sum' }
    stream.respond(fields, { waitForTrailers: headers['te'] === 'trailers' })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }))
    stream.end('hello')
  })
  return { address: { scheme: 'h2c', host: '127.0.0.1', port: await listening(t, server) }, asked }
}

/** What comes after the content. */
async function askHttp1(t: TestContext, { port }: Served, te: string | undefined): Promise<string | undefined> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  const peer = new Peer(socket)
  const field = te === undefined ? '' : `TE: ${te}\r\n`
  peer.say(`GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close, TE\r\n${field}\r\n`)
  return /hello\r\n0\r\n(?:X-Sum: (.*)\r\n)?\r\n$/i.exec(await peer.hearEnd())?.[1]
}

async function askHttp2(t: TestContext, { port }: Served, te: string | undefined): Promise<string | undefined> {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  t.after(() => session.destroy())
  const stream = session.request({ ':path': '/', ':authority': 'a.test', ...(te && { te }) })
  let sum: unknown
  stream.on('trailers', (trailers) => {
    sum = trailers['x-sum']
  })
  stream.resume()
  await once(stream, 'close')
  return sum as string | undefined
}

const CLIENTS = { 'http/1.1': askHttp1, h2: askHttp2 } as const satisfies Record<Protocol, unknown>
const APPS = {
  'http/1.1': { start: http1App, told: 'keep-alive, TE; trailers', untold: 'keep-alive; undefined' },
  h2: { start: http2App, told: 'trailers', untold: 'undefined' },
} as const satisfies Record<Protocol, unknown>

for (const [from, ask] of Object.entries(CLIENTS))
  for (const [to, { start, told, untold }] of Object.entries(APPS))
    test(`trailers from ${to} to ${from}, for who says that it reads them (RFC 9110 §10.1.4)`, async (t) => {
      const app = await start(t)
      const proxy = await serve([siteOf(app.address)], { protocol: from as Protocol })
      t.after(() => proxy.close())
      assert.equal(await ask(t, proxy, 'trailers'), '42')
      assert.equal(await ask(t, proxy, undefined), undefined)
      assert.deepEqual(app.asked, [told, untold])
    })
