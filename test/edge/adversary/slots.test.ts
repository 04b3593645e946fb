import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../http1/peer.ts'
import { plainGuards, plainPolicy, serve, siteOf, startUpstream, upstreamOf } from '../serve.ts'

// Whatever way a request ends, its place goes to the next one: at a site's gate, and at a target.

const CONCURRENT = 2
const QUEUE = 3
const CONCURRENCY = { concurrent: CONCURRENT, queue: QUEUE, waitMs: 60_000 }

const BOUNDS = {
  site: { site: CONCURRENCY, target: undefined },
  target: { site: undefined, target: CONCURRENCY },
  both: { site: CONCURRENCY, target: CONCURRENCY },
} as const

async function scene(t: TestContext, bound: keyof typeof BOUNDS, protocol: 'http/1.1' | 'h2' = 'http/1.1') {
  const { site, target } = BOUNDS[bound]
  let held: { request: IncomingMessage; response: ServerResponse }[] = []
  let most = 0
  let underWay = 0
  const app = await startUpstream((request, response) => {
    underWay++
    most = Math.max(most, underWay)
    response.on('close', () => {
      underWay--
      held = held.filter((each) => each.response !== response)
    })
    request.on('error', () => {})
    request.resume()
    if (request.url === '/hold') held.push({ request, response })
    else if (request.url === '/cut') request.socket.destroy()
    else if (request.url === '/malformed') request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n')
    else if (request.url === '/half') response.writeHead(200, { 'Content-Length': '9' }).write('half')
    else response.end('ok')
  })
  app.server.on('upgrade', (request, socket) => {
    socket.on('error', () => {}).on('end', () => socket.end())
    socket.resume()
    if (request.url === '/refuse') socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
    else socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
  })
  const plain = upstreamOf(app.address)
  const upstream = { ...plain, balancing: { ...plain.balancing, concurrency: target } }
  const policy = { ...plainPolicy, maxBodyBytes: 100, guards: plainGuards }
  const snapshot = siteOf(upstream, { concurrency: site, policy })
  const proxy = await serve([snapshot], { protocol })
  const sockets: Socket[] = []
  const say = async (bytes: string): Promise<Socket> => {
    const socket = connect(proxy.port, '127.0.0.1').on('error', () => {})
    sockets.push(socket)
    await once(socket, 'connect')
    socket.write(bytes)
    return socket
  }
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await proxy.close()
    await app.close()
  })
  const holds = (): typeof held => held
  return { proxy, say, holds, snapshot, mostAtOnce: () => most }
}

type Scene = Awaited<ReturnType<typeof scene>>

const request = (target: string, fields = '', method = 'GET'): string =>
  `${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n`
const get = (target: string): string => request(target)

/** Both places and the whole line can be taken, and nothing more. */
async function assertFree({ proxy, say, holds }: Scene): Promise<void> {
  const accesses = proxy.accesses.length
  const all: Socket[] = []
  for (let each = 0; each < CONCURRENT; each++) all.push(await say(get('/hold')))
  await until(() => holds().length === CONCURRENT)
  for (let each = 0; each < QUEUE; each++) all.push(await say(get('/')))
  const refused = await say(request('/', 'Connection: close\r\n'))
  let answer = ''
  refused.on('data', (piece) => {
    answer += piece
  })
  await once(refused, 'close')
  assert.match(answer, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: /)
  for (const { response } of [...holds()]) response.end('held')
  await until(() => proxy.accesses.length === accesses + CONCURRENT + QUEUE + 1)
  assert.equal(proxy.accesses.slice(accesses).filter(({ status }) => status === 200).length, CONCURRENT + QUEUE)
  for (const socket of all) socket.destroy()
}

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: tcp\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'

/** What a client says before it resets its connection, at once or when it hears something. */
const ENDS: readonly (readonly [string, string])[] = [
  ['it is answered', get('/')],
  ['HEAD', request('/', '', 'HEAD')],
  ['the upstream closes', get('/cut')],
  ['the upstream closes, of what may not be sent again', request('/cut', 'Content-Length: 0\r\n', 'POST')],
  ['the answer is malformed', get('/malformed')],
  ['the client goes in the midst of an answer', get('/half')],
  ['the client goes in the midst of its content', `${request('/', 'Content-Length: 50\r\n', 'POST')}abc`],
  ['a chunk is malformed', `${request('/hold', CHUNKED, 'POST')}zz\r\n`],
  ['there is more content than is taken', `${request('/hold', CHUNKED, 'POST')}c8\r\n${'x'.repeat(200)}\r\n`],
  ['as much is announced', request('/hold', 'Content-Length: 200\r\n', 'POST')],
  ['the client waits for 100 and goes', request('/hold', 'Expect: 100-continue\r\nContent-Length: 5\r\n', 'PUT')],
  ['an upgrade ends', request('/tunnel', UPGRADE)],
  ['an upgrade is refused', request('/refuse', UPGRADE)],
  ['several are pipelined', get('/') + get('/cut') + get('/half')],
  ['what follows is no HTTP', `${get('/hold')}\0\0\0\r\n\r\n`],
]

for (const bound of ['site', 'target', 'both'] as const) {
  for (const [what, bytes] of ENDS)
    test(`${bound}: a place is free again where ${what}`, async (t) => {
      const all = await scene(t, bound)
      for (let round = 0; round < 2 * (CONCURRENT + QUEUE); round++) {
        const socket = await all.say(bytes)
        if (round % 2 === 0) await Promise.race([once(socket, 'data'), once(socket, 'close'), settled()])
        socket.resetAndDestroy()
      }
      await settled()
      await assertFree(all)
      assert.ok(all.mostAtOnce() <= CONCURRENT, `${all.mostAtOnce()}`)
    })

  test(`${bound}: those that go while they wait leave no gap, nor anything behind`, async (t) => {
    const all = await scene(t, bound)
    const first: Socket[] = []
    for (let each = 0; each < CONCURRENT; each++) first.push(await all.say(get('/hold')))
    await until(() => all.holds().length === CONCURRENT)
    for (let round = 0; round < 20; round++) {
      const waiting = await Promise.all(Array.from({ length: QUEUE + 2 }, () => all.say(get('/hold'))))
      await settled()
      for (const socket of waiting) socket.resetAndDestroy()
    }
    // The turn comes at the same time as its client goes.
    const last = await Promise.all(Array.from({ length: QUEUE }, () => all.say(get('/hold'))))
    await settled()
    for (const socket of [...first, ...last]) socket.resetAndDestroy()
    await until(() => all.holds().length === 0)
    await settled()
    await assertFree(all)
  })

  test(`${bound}: streams of HTTP/2 take places one by one, and a reset gives them back`, async (t) => {
    const all = await scene(t, bound, 'h2')
    const session = connectHttp2(`http://127.0.0.1:${all.proxy.port}`).on('error', () => {})
    t.after(() => session.destroy())
    const statuses: number[] = []
    const ask = (path: string) => {
      const stream = session.request({ ':authority': 'a.test', ':path': path }).on('error', () => {})
      stream.on('response', (fields) => statuses.push(Number(fields[':status'])))
      stream.resume()
      return stream
    }
    for (let round = 0; round < 5; round++) {
      const streams = Array.from({ length: 50 }, () => ask('/hold'))
      await until(() => statuses.length === 50 - CONCURRENT - QUEUE)
      assert.deepEqual(new Set(statuses.splice(0)), new Set([503]))
      for (const stream of streams) stream.close(8)
      await until(() => all.holds().length === 0 && all.proxy.accesses.length === 50 * (round + 1))
    }
    assert.ok(all.mostAtOnce() <= CONCURRENT, `${all.mostAtOnce()}`)
    const streams = Array.from({ length: CONCURRENT + QUEUE }, () => ask('/'))
    await Promise.all(streams.map((stream) => once(stream, 'close')))
    assert.deepEqual(statuses, Array(CONCURRENT + QUEUE).fill(200))
  })
}

test('a site that is settled anew, as maintenance begins and ends, has the same places', async (t) => {
  const all = await scene(t, 'site')
  for (let each = 0; each < CONCURRENT; each++) await all.say(get('/hold'))
  await until(() => all.holds().length === CONCURRENT)
  for (let round = 0; round < 3; round++) {
    all.proxy.changeMaintenance([{ site: 'a.test', maintenance: undefined }])
    await all.say(get('/hold'))
    await settled()
  }
  assert.equal(all.mostAtOnce(), CONCURRENT)
})

/** For what is under way on this machine: nothing is to be seen of what has not happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve))
  await new Promise((resolve) => setTimeout(resolve, 10))
}
