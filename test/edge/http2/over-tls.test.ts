import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { Http2ServerConnection } from '../../../src/edge/http2/server-connection.ts'
import { certificate, rootPem, serveTls } from '../tls/served.ts'
import { Served, serveHello } from './client-script.ts'
import { ask } from './live.ts'
import { TestSweep, testDate } from './test-sweep.ts'

// Our server's role behind the TLS acceptor, where a connection comes with what was read ahead of it.

async function connectTls(t: TestContext, serve: (served: Served) => void): Promise<ClientHttp2Session> {
  const tls = await serveTls([await certificate('ecdsa-p256', 'a.test')], ({ socket, certificate: { names } }) => {
    const client = {
      address: '127.0.0.1',
      port: 50_000,
      localAddress: '192.0.2.254',
      localPort: 443,
      certificateNames: names,
      usesFallback: false,
      tls: undefined,
    }
    const onExchange = (exchange: Served['exchange']): void => serve(new Served(exchange))
    new Http2ServerConnection({ socket, client, scheme: 'https', sweep: new TestSweep(), date: testDate, onExchange })
  })
  const session = connect(`https://127.0.0.1:${tls.port}`, { servername: 'a.test', ca: await rootPem() })
  session.on('error', () => {})
  t.after(async () => {
    session.destroy()
    await tls.close()
  })
  await once(session, 'remoteSettings')
  return session
}

test('requests and responses over TLS', async (t) => {
  const session = await connectTls(t, serveHello)
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => ask(session, { ':path': '/', ':authority': 'a.test' })),
  )
  for (const { status, content } of answers) assert.deepEqual([status, content.toString()], [200, 'Hello World!'])
})

test('megabytes both ways over TLS', async (t) => {
  const session = await connectTls(t, (served) => {
    const { exchange } = served
    exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
    served.onContent = (piece) => exchange.write(piece)
    served.onDrain = () => exchange.resume()
    served.onContentEnd = () => exchange.end()
  })
  const content = Buffer.alloc(2_000_000, 'every octet in its place. ')
  const request = { ':method': 'POST', ':path': '/', ':authority': 'a.test' }
  const answers = await Promise.all([1, 2, 3].map(() => ask(session, request, content)))
  for (const answer of answers) assert.ok(answer.content.equals(content))
})
