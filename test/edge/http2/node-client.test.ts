import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { missing } from '../../programs.ts'
import { type Served, serveHello } from './client-script.ts'
import { ask, connectNode, startServer } from './live.ts'

// Our server's role with nghttp2, in node:http2 and in h2load, as the client.

const run = promisify(execFile)

/** Sends back what comes, as fast as it is taken. */
function echo(served: Served): void {
  const { exchange } = served
  exchange.respond({ status: 200, fields: ['x-method', exchange.request.method] }, UNKNOWN_LENGTH)
  served.onContent = (piece) => exchange.write(piece)
  served.onDrain = () => exchange.resume()
  served.onContentEnd = (trailers) => exchange.end(trailers)
}

test('requests without content, many at a time', async (t: TestContext) => {
  const session = await connectNode(t, await startServer(t, serveHello))
  const answers = await Promise.all(Array.from({ length: 100 }, (_, at) => ask(session, { ':path': `/${at}` })))
  for (const { status, headers, content, code } of answers) {
    assert.equal(status, 200)
    assert.equal(headers['content-length'], '12')
    assert.equal(content.toString(), 'Hello World!')
    assert.equal(code, 0)
  }
})

test('content goes both ways through all windows, and so do trailers', async (t) => {
  const session = await connectNode(t, await startServer(t, echo))
  // Node ends a session that holds more than 10 MB.
  const content = Buffer.alloc(1_000_000, 'every octet in its place. ')
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => ask(session, { ':method': 'POST', ':path': '/' }, content, { 'x-sum': '7' })),
  )
  for (const answer of answers) {
    assert.ok(answer.content.equals(content))
    assert.equal(answer.headers['x-method'], 'POST')
    assert.equal(answer.trailers?.['x-sum'], '7')
  }
})

test('large field sections, both ways', async (t) => {
  const value = 'v'.repeat(20_000)
  const session = await connectNode(
    t,
    await startServer(t, ({ exchange }) => {
      exchange.respond({ status: 200, fields: ['x-back', exchange.request.fields[1]!] }, 0)
      exchange.end()
    }),
  )
  const answer = await ask(session, { ':path': '/', 'x-large': value })
  assert.equal(answer.headers['x-back'], value)
})

test('a client that cancels ends its exchange', async (t) => {
  const ended = Promise.withResolvers<string>()
  const session = await connectNode(
    t,
    await startServer(t, (served) => {
      served.exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
      served.exchange.write(Buffer.from('x'))
      served.onEnd = ({ result }) => ended.resolve(result)
    }),
  )
  const stream = session.request({ ':path': '/' })
  stream.on('error', () => {})
  stream.once('data', () => stream.close(8))
  assert.equal(await ended.promise, 'aborted')
})

test('a response that breaks off is an error to the client', async (t) => {
  const session = await connectNode(
    t,
    await startServer(t, ({ exchange }) => {
      exchange.respond({ status: 200, fields: [] }, 100)
      exchange.write(Buffer.from('only this'))
      setImmediate(() => exchange.abort())
    }),
  )
  const { content, code } = await ask(session, { ':path': '/' })
  assert.equal(content.toString(), 'only this')
  assert.equal(code, 2)
})

test('extended CONNECT carries another protocol (RFC 8441)', async (t) => {
  const session = await connectNode(
    t,
    await startServer(t, (served) => {
      served.exchange.respond({ status: 101, fields: [] }, UNKNOWN_LENGTH)
      served.onContent = (piece) => served.exchange.write(Buffer.from(piece.toString().toUpperCase()))
      served.onContentEnd = () => served.exchange.end()
    }),
  )
  assert.equal(session.remoteSettings.enableConnectProtocol, true)
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/' })
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
  assert.equal(headers[':status'], 200)
  stream.write('hello')
  const [piece] = (await once(stream, 'data')) as [Buffer]
  assert.equal(piece.toString(), 'HELLO')
  stream.end()
  stream.resume()
  await once(stream, 'close')
  assert.equal(stream.rstCode, 0)
})

test('a drain lets what is under way end, and the session with it', async (t) => {
  const held: Served[] = []
  const server = await startServer(t, (served) => held.push(served))
  const session = await connectNode(t, server)
  const answer = ask(session, { ':path': '/' })
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
  server.connections[0]!.drain()
  const goaways: number[] = []
  session.on('goaway', (code) => goaways.push(code))
  await once(session, 'goaway')
  serveHello(held[0]!)
  assert.equal((await answer).content.toString(), 'Hello World!')
  if (!session.closed) await once(session, 'close')
  assert.deepEqual(new Set(goaways), new Set([0]))
})

test('h2load has all its requests answered', { skip: missing('h2load') }, async (t) => {
  const { port } = await startServer(t, serveHello)
  const { stdout } = await run('h2load', ['-n', '2000', '-c', '3', '-m', '50', `http://127.0.0.1:${port}/`])
  assert.match(stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/)
  assert.match(stdout, /2000 2xx/)
})

test('h2load has all its content taken', { skip: missing('h2load') }, async (t) => {
  const { port } = await startServer(t, echo)
  const arguments_ = ['-n', '300', '-c', '3', '-m', '20', '-d', import.meta.filename, `http://127.0.0.1:${port}/`]
  const { stdout } = await run('h2load', arguments_)
  assert.match(stdout, /300 succeeded, 0 failed, 0 errored, 0 timeout/)
})
