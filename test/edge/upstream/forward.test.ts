import assert from 'node:assert/strict'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Peer, turns, until } from '../http1/peer.ts'
import { serve, siteOf } from '../serve.ts'

const HOST = 'Host: a.test\r\n'
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`
const OK = 'HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok'

/** A proxy between a client and an upstream that the test plays, byte by byte. */
async function between(t: TestContext) {
  const upstreams: Peer[] = []
  const sockets: Socket[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.push(socket)
    upstreams.push(new Peer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const proxy = await serve([siteOf({ scheme: 'http', host: '127.0.0.1', port })])
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await proxy.close()
  })
  const client = async (): Promise<Peer> => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    sockets.push(socket)
    await new Promise((resolve) => socket.once('connect', resolve))
    return new Peer(socket)
  }
  const upstream = async (index: number): Promise<Peer> => {
    await until(() => upstreams.length > index)
    return upstreams[index]!
  }
  return { proxy, client, upstream, upstreams }
}

/** Leaves an idle connection in the pool. */
async function warmUp({ client, upstream }: Awaited<ReturnType<typeof between>>): Promise<Peer> {
  const peer = await client()
  peer.say(GET)
  const behind = await upstream(0)
  await behind.hear('\r\n\r\n')
  behind.say(OK)
  await peer.hear('ok')
  return behind
}

test('a request on a pooled connection that turns out dead is sent on a fresh one (RFC 9110 §9.2.2)', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']) {
    const setup = await between(t)
    const first = await warmUp(setup)
    const peer = await setup.client()
    peer.say(`${method} / HTTP/1.1\r\n${HOST}\r\n`)
    await first.hear('\r\n\r\n')
    first.socket.destroy()
    const second = await setup.upstream(1)
    assert.match(await second.hear('\r\n\r\n'), new RegExp(`^${method} / HTTP/1.1\r\n`))
    second.say(OK)
    await peer.hear('HTTP/1.1 200 OK\r\n')
  }
})

for (const [name, request, answer] of [
  ['is not idempotent', `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n`, ''],
  ['had content that was sent', `PUT / HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nab`, ''],
  ['was answered in part', GET, 'HTTP/1.1 2'],
] as const)
  test(`a request that ${name} is not sent again: 502`, async (t) => {
    const setup = await between(t)
    const first = await warmUp(setup)
    const peer = await setup.client()
    peer.say(request)
    await first.hear(request.includes('ab') ? '\r\n\r\nab' : '\r\n\r\n')
    first.socket.end(answer)
    assert.match(await peer.hear('\r\n\r\n'), /^HTTP\/1\.1 502 /)
    assert.equal(setup.upstreams.length, 1)
  })

test('a fresh connection that closes without an answer is a 502: it was no stale one', async (t) => {
  const { client, upstream, upstreams, proxy } = await between(t)
  const peer = await client()
  peer.say(GET)
  const behind = await upstream(0)
  await behind.hear('\r\n\r\n')
  behind.socket.destroy()
  assert.match(await peer.hear('\r\n\r\n'), /^HTTP\/1\.1 502 /)
  assert.equal(upstreams.length, 1)
  assert.match(proxy.log.of('upstream-broken')[0]!.message, /closed the connection without a response/)
})

test('100-continue goes to the upstream and its answer comes back (RFC 9110 §10.1.1)', async (t) => {
  const { client, upstream } = await between(t)
  const peer = await client()
  peer.say(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n`)
  const behind = await upstream(0)
  assert.match(await behind.hear('\r\n\r\n'), /\r\nExpect: 100-continue\r\n/)
  behind.say('HTTP/1.1 100 Continue\r\n\r\n')
  await peer.hear('HTTP/1.1 100 Continue\r\n\r\n')
  peer.say('ab')
  await behind.hear('ab')
  behind.say(OK)
  await peer.hear('ok')
})

test('a final answer instead of a 100 is passed on, and closes the client’s connection', async (t) => {
  const { client, upstream } = await between(t)
  const peer = await client()
  peer.say(`PUT / HTTP/1.1\r\n${HOST}Content-Length: ${GET.length}\r\nExpect: 100-continue\r\n\r\n`)
  const behind = await upstream(0)
  await behind.hear('\r\n\r\n')
  behind.say('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  assert.match(await peer.hear('no'), /Connection: close/)
  peer.say(GET)
  assert.equal(await peer.hearEnd(), '')
  await behind.hearEnd()
  assert.equal(behind.received, '')
})

test('early hints are passed on without what concerns the connection (RFC 8297)', async (t) => {
  const { client, upstream } = await between(t)
  const peer = await client()
  peer.say(GET)
  const behind = await upstream(0)
  await behind.hear('\r\n\r\n')
  behind.say('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X\r\nX: y\r\n\r\n')
  assert.equal(await peer.hear('\r\n\r\n'), 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
  behind.say(OK)
  await peer.hear('ok')
})

test('trailers pass in both directions, and not to who does not read them', async (t) => {
  const { client, upstream } = await between(t)
  const peer = await client()
  const chunks = '2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n'
  for (const te of ['TE: trailers\r\n', '']) {
    peer.say(`PUT / HTTP/1.1\r\n${HOST}${te}Transfer-Encoding: chunked\r\n\r\n${chunks}`)
    const behind = await upstream(0)
    await behind.hear('2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n')
    behind.say(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)
    await peer.hear(`2\r\nok\r\n0\r\n${te === '' ? '' : 'X-Sum: 1\r\n'}\r\n`)
  }
})

test('a response without a date gets one, and one with a date keeps it (RFC 9110 §6.6.1)', async (t) => {
  const { client, upstream } = await between(t)
  const peer = await client()
  for (const [field, pattern] of [
    ['', /\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/],
    ['date: yesterday\r\n', /\r\ndate: yesterday\r\n/],
  ] as const) {
    peer.say(GET)
    const behind = await upstream(0)
    await behind.hear('\r\n\r\n')
    behind.say(`HTTP/1.1 200 OK\r\n${field}Content-Length: 2\r\n\r\nok`)
    const answer = await peer.hear('ok')
    assert.match(answer, pattern)
    assert.equal(answer.match(/\bdate:/gi)?.length, 1)
  }
})

test('the length of a response to HEAD is passed on, and the pool goes on with the connection', async (t) => {
  const { client, upstream, upstreams } = await between(t)
  const peer = await client()
  for (const method of ['HEAD', 'HEAD', 'GET']) {
    peer.say(`${method} / HTTP/1.1\r\n${HOST}\r\n`)
    const behind = await upstream(0)
    await behind.hear('\r\n\r\n')
    behind.say(method === 'HEAD' ? OK.slice(0, -2) : OK)
    assert.match(await peer.hear('\r\n\r\n'), /\r\nContent-Length: 2\r\n/)
  }
  await peer.hear('ok')
  assert.equal(upstreams.length, 1)
})

test('an answer before the request is whole reaches the client, and ends both connections (RFC 9112 §9.3)', async (t) => {
  const { client, upstream } = await between(t)
  const peer = await client()
  peer.say(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 5000000\r\n\r\nabc`)
  const behind = await upstream(0)
  await behind.hear('abc')
  behind.say('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno')
  assert.match(await peer.hear('no'), /\r\nConnection: close\r\n/)
  await peer.hearEnd()
  await behind.hearEnd()
})

test('an upgrade to another protocol than was offered fails; one of several is named', async (t) => {
  const { client, upstream } = await between(t)
  for (const [index, chosen, line] of [
    [0, 'two', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: two\r\n\r\n'],
    [1, 'three', 'HTTP/1.1 502 Bad Gateway\r\n'],
  ] as const) {
    const peer = await client()
    peer.say(`GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: one, two\r\n\r\n`)
    const behind = await upstream(index)
    await behind.hear('Upgrade: one, two\r\n\r\n')
    behind.say(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${chosen}\r\n\r\n`)
    assert.equal(await peer.hear(line), line)
  }
})

test('a client that goes away while the upstream is being reached is forgotten', async (t) => {
  const { client, proxy, upstreams } = await between(t)
  const peer = await client()
  peer.say(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 9\r\n\r\nabc`)
  peer.socket.resetAndDestroy()
  await turns(50)
  assert.ok(proxy.accesses.every(({ status }) => status === 0))
  for (const { socket } of upstreams) await until(() => socket.readableEnded || socket.destroyed)
})
