import assert from 'node:assert/strict'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createAskClient } from '../../../src/certificates/on-demand/ask-client.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'

const { signal } = new AbortController()

async function asking(t: TestContext, onRequest: RequestListener, path = '/may-i') {
  const server = createServer(onRequest)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const clock = new FakeClock()
  return { clock, port, ask: createAskClient(`http://127.0.0.1:${port}${path}`, clock) }
}

test('asks by GET with name and address behind what the URL has, and reads status and max-age', async (t) => {
  const asked: unknown[] = []
  const { ask } = await asking(
    t,
    ({ method, url }, response) => {
      asked.push([method, url])
      response.writeHead(403, { 'Cache-Control': 'private, max-age=5' }).end('no')
    },
    '/may-i?key=k',
  )
  assert.deepEqual(await ask('a.test', '2001:db8::1', signal), { status: 403, maxAgeMs: 5_000 })
  await ask('a.test', undefined, signal)
  assert.deepEqual(asked, [
    ['GET', '/may-i?key=k&name=a.test&address=2001%3Adb8%3A%3A1'],
    ['GET', '/may-i?key=k&name=a.test'],
  ])
})

test('a redirect is not followed, wherever it leads', async (t) => {
  const asked: string[] = []
  const { ask } = await asking(t, ({ url }, response) => {
    asked.push(url!)
    response.writeHead(302, { Location: '/yes' }).end()
  })
  await assert.rejects(ask('a.test', undefined, signal), { code: 'ask-redirect', message: /points to "\/yes"/ })
  assert.equal(asked.length, 1)
})

test('who hangs has five seconds, before the head and within it', async (t) => {
  for (const begin of [() => {}, (response: ServerResponse) => response.socket!.write('HTTP/1.1 200 O')]) {
    const began = Promise.withResolvers<void>()
    const { ask, clock } = await asking(t, (_, response) => {
      begin(response)
      began.resolve()
    })
    const answer = ask('a.test', undefined, signal)
    const refused = assert.rejects(answer, { code: 'ask-timeout' })
    await began.promise
    await clock.advance(5_000)
    await refused
  }
})

test('content is not waited for, however much there is', async (t) => {
  const closed = Promise.withResolvers<void>()
  const { ask } = await asking(t, (_, response) => {
    response.writeHead(200)
    response.write('x')
    response.once('close', closed.resolve)
  })
  assert.deepEqual(await ask('a.test', undefined, signal), { status: 200, maxAgeMs: undefined })
  await closed.promise
})

test('who speaks no HTTP, sends a head without end, or is not there, has not answered', async (t) => {
  const answers = [
    'SSH-2.0-x\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    'HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  ]
  for (const answer of answers) {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      socket.write(answer)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const ask = createAskClient(`http://127.0.0.1:${port}/`, new FakeClock())
    await assert.rejects(ask('a.test', undefined, signal), { code: 'ask-unreachable' }, answer.slice(0, 20))
  }
  const nobody = createAskClient('http://127.0.0.1:1/', new FakeClock())
  await assert.rejects(nobody('a.test', undefined, signal), { code: 'ask-unreachable' })
})

test('given up, it says so with the reason of whoever gave up', async (t) => {
  const { ask } = await asking(t, () => {})
  const giveUp = new AbortController()
  const answer = ask('a.test', undefined, giveUp.signal)
  giveUp.abort(new Error('enough'))
  await assert.rejects(answer, /enough/)
})
