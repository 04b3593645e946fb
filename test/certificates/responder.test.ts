import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get, type RequestListener, setGlobalProxyFromEnv } from 'node:http'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { createResponderClient } from '../../src/certificates/responder.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const REQUEST = Buffer.from('30033001ff', 'hex')
const never = new AbortController().signal

async function listening(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/path`
}

const responder = (t: TestContext, listener: RequestListener): Promise<string> => listening(t, createServer(listener))

function client() {
  const clock = new FakeClock()
  return { clock, ask: createResponderClient({ clock }) }
}

test('it is asked by POST, and what it answers is given as it is', async (t) => {
  const seen: unknown[] = []
  const url = await responder(t, async (request, response) => {
    const { method, headers } = request
    seen.push(method, request.url, headers['content-type'], headers['content-length'], await buffer(request))
    response.end(Buffer.of(1, 2, 3))
  })
  assert.deepEqual(await client().ask(url, REQUEST, never), Buffer.of(1, 2, 3))
  assert.deepEqual(seen, ['POST', '/path', 'application/ocsp-request', '5', REQUEST])
})

for (const [what, listener, code, words] of [
  [
    'a redirect is not followed',
    (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    'responder-redirect',
    /points to "http:\/\/127\.0\.0\.1:9\/", which is not followed/,
  ],
  ['another status', (_, response) => response.writeHead(503).end('x'), 'responder-status', /the status 503/],
  [
    'an answer without end',
    (_, response) => {
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(16_384), () => setImmediate(more))
      }
      more()
    },
    'responder-response-too-large',
    /more than 64 KiB/,
  ],
  ['a hangup', (_, response) => response.destroy(), 'responder-unreachable', /cannot be reached/],
  [
    'an answer that breaks off',
    (_, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('abc', () => response.destroy())
    },
    'responder-unreachable',
    /cannot be reached/,
  ],
  [
    'another protocol than HTTP',
    (request) => request.socket.end('220 mail.example ESMTP\r\n'),
    'responder-unreachable',
    /cannot be reached/,
  ],
  [
    'a change of the protocol',
    (request) => request.socket.write('HTTP/1.1 101 Go on\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    'responder-unreachable',
    /cannot be reached/,
  ],
] as [string, RequestListener, string, RegExp][])
  test(`${what}: ${code}`, async (t) => {
    const url = await responder(t, listener)
    const { ask, clock } = client()
    await assert.rejects(ask(url, REQUEST, never), (error: Error & { code: string }) => {
      assert.equal(error.code, code)
      assert.match(error.message, words)
      return true
    })
    await clock.advance(0)
    assert.equal(clock.sleeping, 0)
  })

test('nobody there: responder-unreachable', async (t) => {
  const server = createTcpServer()
  const url = await listening(t, server)
  await new Promise((resolve) => server.close(resolve))
  await assert.rejects(client().ask(url, REQUEST, never), { code: 'responder-unreachable' })
})

for (const [what, sends] of [
  ['says nothing', ''],
  ['begins a head and goes on no more', 'HTTP/1.1 200 OK\r\n'],
  ['begins a content and goes on no more', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc'],
  ['sends interim responses and no other', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(3)],
] as const)
  test(`one that ${what} is given ten seconds`, async (t) => {
    const asked = Promise.withResolvers<Socket>()
    const url = await listening(
      t,
      createTcpServer((socket) => {
        socket.once('data', () => {
          if (sends !== '') socket.write(sends)
          asked.resolve(socket)
        })
      }),
    )
    const { ask, clock } = client()
    const outcome = ask(url, REQUEST, never).catch((error: Error & { code: string }) => error.code)
    const socket = await asked.promise
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await clock.advance(9_999)
    assert.equal(clock.sleeping, 1)
    await clock.advance(1)
    assert.equal(await outcome, 'responder-timeout')
    await closed
  })

test('it ends when it is to, with the reason', async (t) => {
  const asked = Promise.withResolvers<void>()
  const url = await responder(t, () => asked.resolve())
  const stop = new AbortController()
  const outcome = client().ask(url, REQUEST, stop.signal)
  await asked.promise
  stop.abort(new Error('stopped'))
  await assert.rejects(outcome, /stopped/)
})

test("the environment's proxy is not used", async (t) => {
  let asked = 0
  const url = await responder(t, (_, response) => {
    asked++
    response.end('direct')
  })
  const proxy = await responder(t, (_, response) => response.end('by proxy'))
  t.after(setGlobalProxyFromEnv({ http_proxy: new URL(proxy).origin }))
  const [ordinary] = await once(get(url), 'response')
  assert.equal(await text(ordinary), 'by proxy', 'whoever does not mind uses it')
  assert.equal(String(await client().ask(url, REQUEST, never)), 'direct')
  assert.equal(asked, 1)
})
