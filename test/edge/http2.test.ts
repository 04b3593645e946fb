import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { FIRST_REQUEST_ID, serve, siteOf, startUpstream } from './serve.ts'

type Answer = { headers: Record<string, unknown>; body: string; code: number }

async function ask(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]>,
  body?: string | Buffer,
): Promise<Answer> {
  const stream = session.request(
    { ':path': '/', ':authority': 'a.test', ...headers },
    { endStream: body === undefined },
  )
  if (body !== undefined) stream.end(body)
  let received: Record<string, unknown> = {}
  const pieces: Buffer[] = []
  stream.on('response', (answer) => {
    received = answer
  })
  stream.on('data', (piece: Buffer) => pieces.push(piece))
  // Not once(), which rejects on the error that a reset is to Node; the code says more.
  stream.on('error', () => {})
  await new Promise((resolve) => stream.once('close', resolve))
  return { headers: received, body: Buffer.concat(pieces).toString(), code: stream.rstCode }
}

const overTls = { certificateNames: ['a.test', 'b.test'] }

test('a request over HTTP/2 reaches the upstream as HTTP/1.1, with its cookies joined (RFC 9113 §8.2.3)', async (t) => {
  const upstream = await startUpstream((request, response) => {
    response.writeHead(200, [...['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Connection', 'close', 'X-Up', '1']])
    response.end(JSON.stringify({ method: request.method, url: request.url, fields: request.rawHeaders }))
  })
  const proxy = await serve([siteOf(upstream.address, { hsts: 'max-age=1' })], { protocol: 'h2', client: overTls })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([session.destroy(), proxy.close(), upstream.close()]))
  const { headers, body } = await ask(session, { ':path': '/x?y', cookie: ['a=1', 'b=2'], 'x-one': '1' })
  assert.equal(headers[':status'], 200)
  assert.deepEqual(headers['set-cookie'], ['a=1', 'b=2'])
  assert.equal(headers['x-up'], '1')
  assert.equal(headers.connection, undefined)
  assert.equal(headers['strict-transport-security'], 'max-age=1')
  const { method, url, fields } = JSON.parse(body)
  assert.deepEqual([method, url], ['GET', '/x?y'])
  assert.deepEqual(fields, [
    ...['Host', 'a.test', 'x-one', '1', 'cookie', 'a=1; b=2', 'X-Forwarded-For', '192.0.2.1'],
    ...['X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'a.test'],
    ...['X-Request-Id', FIRST_REQUEST_ID, 'Connection', 'keep-alive'],
  ])
})

test('a body without a length is chunked towards the upstream, and comes back whole', async (t) => {
  const upstream = await startUpstream((request, response) => {
    request.pipe(response)
  })
  const proxy = await serve([siteOf(upstream.address)], { protocol: 'h2', client: overTls })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([session.destroy(), proxy.close(), upstream.close()]))
  const body = 'x'.repeat(1_000_000)
  const answers = await Promise.all([1, 2, 3].map(() => ask(session, { ':method': 'POST' }, body)))
  for (const answer of answers) assert.equal(answer.body, body)
})

test('a response that breaks off is reset, so that the client can tell', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this')
      setTimeout(() => socket.destroy(), 50)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port })], {
    protocol: 'h2',
    client: overTls,
  })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([session.destroy(), proxy.close(), server.close()]))
  const { body, code } = await ask(session, {})
  assert.equal(body, 'only this')
  assert.notEqual(code, 0)
})

test('a client that resets its stream ends the request at the upstream', async (t) => {
  const begun = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  const upstream = await startUpstream((request) => {
    begun.resolve()
    request.once('close', () => gone.resolve())
  })
  const proxy = await serve([siteOf(upstream.address)], { protocol: 'h2', client: overTls })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([session.destroy(), proxy.close(), upstream.close()]))
  const stream = session.request({ ':path': '/', ':authority': 'a.test' })
  stream.on('error', () => {})
  await begun.promise
  stream.close(8)
  await gone.promise
})

test('another site of the same certificate is served, one that it does not cover is 421', async (t) => {
  const upstream = await startUpstream((_request, response) => {
    response.end('ok')
  })
  const sites = ['a.test', 'b.test', 'c.test'].map((name) => siteOf(upstream.address, { name, names: [name] }))
  const proxy = await serve(sites, { protocol: 'h2', client: overTls })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([session.destroy(), proxy.close(), upstream.close()]))
  const statuses = []
  for (const name of ['a.test', 'b.test', 'c.test', 'd.test'])
    statuses.push((await ask(session, { ':authority': name })).headers[':status'])
  assert.deepEqual(statuses, [200, 200, 421, 404])
})

test('a Host that contradicts :authority is a protocol error (RFC 9113 §8.3.1)', async (t) => {
  const proxy = await serve([siteOf({ scheme: 'unix', path: '/nowhere' })], { protocol: 'h2', client: overTls })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([session.destroy(), proxy.close()]))
  const { code } = await ask(session, { host: 'b.test' })
  assert.equal(code, 1)
})

test('draining finishes the streams that are open and then closes the connection', async (t) => {
  const begun = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const upstream = await startUpstream((_request, response) => {
    begun.resolve()
    void released.promise.then(() => response.end('late'))
  })
  const proxy = await serve([siteOf(upstream.address)], { protocol: 'h2', client: overTls })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => Promise.all([proxy.close(), upstream.close()]))
  const closed = once(session, 'close')
  const answer = ask(session, {})
  await begun.promise
  proxy.drain()
  released.resolve()
  assert.equal((await answer).body, 'late')
  await closed
})
