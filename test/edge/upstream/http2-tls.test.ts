import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server, createSecureServer } from 'node:http2'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import type { UpstreamAddress } from '../../../src/edge/snapshot.ts'
import { exchangeBytes, serve, siteOf, upstreamOf } from '../serve.ts'
import { certificate, rootPem } from '../tls/served.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n'

const { chain: cert, privateKey: key } = await certificate('ecdsa-p256', 'backend.test')
const trust = await rootPem()

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** What a proxy answers in front of it, and what its log says. */
async function ask(t: TestContext, scheme: 'h2' | 'h2c', port: number) {
  const address: UpstreamAddress = { scheme, host: '127.0.0.1', port }
  const tls = { trust, serverName: 'backend.test', verify: true }
  const proxy = await serve([siteOf(upstreamOf(address, { tls }))])
  t.after(() => proxy.close())
  const answer = await exchangeBytes(proxy.port, GET)
  return { answer, log: proxy.log.of('upstream-broken').map(({ message }) => message)[0] ?? '' }
}

test('h2:// is HTTP/2 over TLS, verified like https://', async (t) => {
  const server = createSecureServer({ cert, key }, (request, response) => {
    response.end(`${request.httpVersion} ${request.authority}`)
  })
  const port = await listening(t, server)
  assert.match((await ask(t, 'h2', port)).answer, /2\.0 a\.test/)
  const proxy = await serve([siteOf({ scheme: 'h2', host: '127.0.0.1', port })])
  t.after(() => proxy.close())
  assert.match(await exchangeBytes(proxy.port, GET), /^HTTP\/1\.1 502 /)
})

test('h2c:// is HTTP/2 in clear with prior knowledge (RFC 9113 §3.3)', async (t) => {
  const server = createHttp2Server((request, response) => {
    response.end(request.httpVersion)
  })
  assert.match((await ask(t, 'h2c', await listening(t, server))).answer, /2\.0/)
})

test('h2:// to a server without HTTP/2 fails with the remedy, whether or not it knows ALPN', async (t) => {
  const withoutAlpn = createTlsServer({ cert, key }, (socket) => void socket.on('error', () => {}))
  const withoutH2 = createTlsServer({ cert, key, ALPNProtocols: ['http/1.1'] })
  for (const server of [withoutAlpn, withoutH2]) {
    const port = await listening(t, server)
    const { answer, log } = await ask(t, 'h2', port)
    assert.match(answer, /^HTTP\/1\.1 502 /)
    assert.match(log, new RegExp(`cannot be used: it does not offer HTTP/2: try https://127\\.0\\.0\\.1:${port}\\.$`))
  }
})

test('h2:// to a server without TLS, and h2c:// to one that speaks something else, fail with the remedy', async (t) => {
  const http = createHttpServer((_request, response) => void response.end('ok'))
  const port = await listening(t, http)
  assert.match(
    (await ask(t, 'h2', port)).log,
    new RegExp(`what it answers is not TLS: try h2c://127\\.0\\.0\\.1:${port} `),
  )
  const tls = createTlsServer({ cert, key }, () => {})
  const silent = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end())
  })
  const resetting = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.resetAndDestroy())
  })
  for (const server of [http, tls, silent, resetting]) {
    const at = server === http ? port : await listening(t, server)
    const { answer, log } = await ask(t, 'h2c', at)
    assert.match(answer, /^HTTP\/1\.1 502 /)
    assert.match(
      log,
      new RegExp(`is not HTTP/2 in clear: try http://127\\.0\\.0\\.1:${at}, or h2://127\\.0\\.0\\.1:${at} if it`),
    )
  }
})
