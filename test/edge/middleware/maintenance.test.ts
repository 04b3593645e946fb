import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { HeldRequests, WaitingRoom } from '../../../src/edge/middleware/held-requests.ts'
import type { MaintenanceSnapshot, SiteSnapshot } from '../../../src/edge/snapshot.ts'
import { Sweep } from '../../../src/edge/sweep.ts'
import { ask, PROTOCOLS } from '../ask.ts'
import { Peer, turns, until } from '../http1/peer.ts'
import { plainPolicy, type Served, serve, siteOf, startUpstream } from '../serve.ts'

const CLOSED: MaintenanceSnapshot = { holdMs: undefined, retryAfterSeconds: undefined, page: undefined }
const HELD: MaintenanceSnapshot = { ...CLOSED, holdMs: 10_000 }

async function scene(
  t: TestContext,
  site: Partial<SiteSnapshot> = {},
  protocol: (typeof PROTOCOLS)[number] = 'http/1.1',
) {
  let now = 0
  const sweep = new Sweep(() => now)
  const seen: string[] = []
  const app = await startUpstream((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      seen.push(`${request.method} ${request.url} ${Buffer.concat(pieces).length}`)
      response.end('open')
    })
  })
  const pages = { '/503.html': 'Back soon: {requestId}' }
  const proxy = await serve([siteOf(app.address, site)], { protocol, sweep, pages })
  t.after(() => Promise.all([proxy.close(), app.close()]))
  const tell = (maintenance: MaintenanceSnapshot | undefined): void =>
    proxy.changeMaintenance([{ site: 'a.test', maintenance }])
  const pass = (ms: number): void => {
    now += ms
    sweep.run()
  }
  return { proxy, app, seen, tell, pass }
}

async function client(t: TestContext, { port }: Served): Promise<Peer> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return new Peer(socket)
}

for (const protocol of PROTOCOLS) {
  test(`${protocol}: a closed site answers 503 with Retry-After until it is opened, from the next request on`, async (t) => {
    const { proxy, seen, tell } = await scene(t, {}, protocol)
    assert.equal((await ask(proxy.port, protocol)).status, 200)
    tell(CLOSED)
    const refused = await ask(proxy.port, protocol, { method: 'POST', content: 'x'.repeat(10_000) })
    assert.deepEqual([refused.status, refused.fields['retry-after']], [503, '300'])
    assert.equal(proxy.accesses.at(-1)?.why, 'maintenance')
    tell({ ...CLOSED, retryAfterSeconds: 20, page: '<p>{status} by hand</p>' })
    const byHand = await ask(proxy.port, protocol)
    assert.deepEqual([byHand.fields['retry-after'], byHand.content.toString()], ['20', '<p>503 by hand</p>'])
    tell(undefined)
    assert.equal((await ask(proxy.port, protocol)).content.toString(), 'open')
    assert.equal(seen.length, 2)
  })

  test(`${protocol}: held requests go on when the site is opened, content and all`, async (t) => {
    const { proxy, seen, tell } = await scene(t, {}, protocol)
    tell(HELD)
    const asked = [
      ask(proxy.port, protocol, { path: '/get' }),
      ask(proxy.port, protocol, { path: '/small', method: 'POST', content: 'x'.repeat(10) }),
      ask(proxy.port, protocol, { path: '/large', method: 'PUT', content: 'x'.repeat(3_000_000) }),
    ]
    await new Promise((resolve) => setTimeout(resolve, 100))
    assert.deepEqual(seen, [])
    tell(undefined)
    for (const { status, content } of await Promise.all(asked))
      assert.deepEqual([status, String(content)], [200, 'open'])
    assert.deepEqual(seen.sort(), ['GET /get 0', 'POST /small 10', 'PUT /large 3000000'])
  })

  test(`${protocol}: when the time is over, what waits is refused, and so is what comes then`, async (t) => {
    const { proxy, seen, tell, pass } = await scene(t, {}, protocol)
    tell(HELD)
    const waiting = ask(proxy.port, protocol, { method: 'POST', content: 'abc' })
    await new Promise((resolve) => setTimeout(resolve, 100))
    pass(9_000)
    await turns()
    assert.equal(proxy.accesses.length, 0)
    pass(2_000)
    assert.equal((await waiting).status, 503)
    assert.equal((await ask(proxy.port, protocol)).status, 503)
    assert.equal(proxy.accesses.at(-1)?.why, 'maintenance')
    tell(HELD)
    const again = ask(proxy.port, protocol)
    await new Promise((resolve) => setTimeout(resolve, 50))
    tell(CLOSED)
    assert.equal((await again).status, 503)
    assert.deepEqual(seen, [])
  })
}

test('a client that leaves while it is held costs the app nothing', async (t) => {
  const { proxy, seen, tell } = await scene(t)
  tell(HELD)
  const peer = await client(t, proxy)
  peer.say('GET /gone HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await turns(20)
  // A client that has only ended its side still reads.
  peer.socket.resetAndDestroy()
  await until(() => proxy.accesses.length === 1)
  assert.deepEqual([proxy.accesses[0]?.status, proxy.accesses[0]?.why], [0, 'socket-closed'])
  tell(undefined)
  assert.equal((await ask(proxy.port, 'http/1.1')).status, 200)
  assert.deepEqual(seen, ['GET / 0'])
})

test('what is under way goes on: a response that has begun, and a WebSocket', async (t) => {
  const { proxy, app, tell } = await scene(t)
  const sockets = new WebSocketServer({ server: app.server })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers: { Host: 'a.test' } })
  await once(socket, 'open')
  const peer = await client(t, proxy)
  peer.say('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nab')
  await turns(20)
  tell(CLOSED)
  socket.send('still here')
  assert.equal(String((await once(socket, 'message'))[0]), 'still here')
  peer.say('cd')
  await peer.hear('open')
  socket.terminate()
  sockets.close()
})

test('by the config it is closed to all but those who are allowed, with the page and the time of the site', async (t) => {
  const maintenance = { isActive: true, allow: ['192.0.2.0/24'], retryAfterSeconds: 60 }
  const errors = { byStatus: [{ status: 503, page: '/503.html' }], otherwise: undefined, intercept: [] }
  const policy = { ...plainPolicy, maintenance, errors }
  const { proxy, tell } = await scene(t, { policy })
  assert.equal((await ask(proxy.port, 'http/1.1')).status, 200)
  const stranger = await serve([siteOf({ scheme: 'unix', path: '/none' }, { policy })], {
    client: { address: '198.51.100.1' },
    pages: { '/503.html': 'Back soon: {requestId}' },
  })
  t.after(() => stranger.close())
  const refused = await ask(stranger.port, 'http/1.1', { fields: ['X-Forwarded-For', '192.0.2.1'] })
  assert.deepEqual([refused.status, refused.fields['retry-after']], [503, '60'])
  assert.match(refused.content.toString(), /^Back soon: /)
  // By command as well.
  tell(CLOSED)
  assert.equal((await ask(proxy.port, 'http/1.1')).status, 200)
})

test('one that is not active lets all in, but those who are allowed pass when it is closed by command', async (t) => {
  const maintenance = { isActive: false, allow: ['192.0.2.1'], retryAfterSeconds: 60 }
  const { proxy, tell } = await scene(t, { policy: { ...plainPolicy, maintenance } })
  for (const told of [undefined, CLOSED, HELD]) {
    tell(told)
    assert.equal((await ask(proxy.port, 'http/1.1')).status, 200)
  }
})

test('every route of a closed site is closed', async (t) => {
  const route = {
    path: '/r',
    methods: undefined,
    headers: [],
    action: { type: 'respond', status: 204, fields: [], body: '' },
    stripPrefix: undefined,
    policy: plainPolicy,
    concurrency: undefined,
  } as const
  const { proxy, tell } = await scene(t, { routes: [route] })
  tell(CLOSED)
  for (const path of ['/', '/r']) assert.equal((await ask(proxy.port, 'http/1.1', { path })).status, 503)
})

test('challenges of a CA are answered all the same', async (t) => {
  const { proxy, tell } = await scene(t)
  tell(CLOSED)
  proxy.http01.publish('token', 'token.thumbprint')
  const told = await ask(proxy.port, 'http/1.1', { path: '/.well-known/acme-challenge/token' })
  assert.deepEqual([told.status, told.content.toString()], [200, 'token.thumbprint'])
})

test('no more wait than there are places, and a place is free again when its request goes', (t) => {
  const sweep = new Sweep(() => 0)
  const held = new HeldRequests(new WaitingRoom(1), sweep, 1000)
  t.after(() => held.release())
  const outcomes: string[] = []
  const waiting = {
    facts: { record: { onEnd: () => outcomes.push('gone') } },
    next: () => outcomes.push('next'),
    refuse: () => outcomes.push('refused'),
  } as unknown as Parameters<HeldRequests['hold']>[1]
  const receivers: { onEnd(outcome: unknown): void }[] = []
  const exchange = { receive: (receiver: (typeof receivers)[number]) => receivers.push(receiver) } as never
  assert.deepEqual([held.hold(exchange, waiting), held.hold(exchange, waiting)], [true, false])
  receivers[0]!.onEnd({ result: 'aborted', status: 0, bytes: 0, why: undefined })
  assert.deepEqual([held.hold(exchange, waiting), outcomes], [true, ['gone']])
  held.sweep(1000)
  assert.deepEqual(outcomes, ['gone', 'refused'])
  assert.equal(held.hold(exchange, waiting), true)
  held.release()
  assert.deepEqual(outcomes, ['gone', 'refused', 'next'])
})
