import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { after, test } from 'node:test'
import { Peer, turns, until } from '../http1/peer.ts'
import { siteOf } from '../serve.ts'
import { runEdge, statusesIn } from './running-edge.ts'
import { ScriptedOrigin } from './scripted-origin.ts'

// Clients that close their sending side, through a running edge. In clear text that says no more than that nothing else will
// be said: HAProxy waits in all of these cases, nginx gives the request up in all but the tunnel. Over TLS it is the end.

const HOST = 'Host: a.test\r\n'
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const get = (target: string): string => `GET ${target} HTTP/1.1\r\n${HOST}\r\n`
const UPGRADE = `GET /switch HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n`

const origin = await new ScriptedOrigin().listen({ after })
const edge = await runEdge({ after }, [siteOf(origin.address)])

/** The origin's end of the next connection on which this is asked for. */
function asked(target: string): Promise<Socket> {
  return new Promise((resolve) => origin.on(target, resolve))
}

test('a whole request is answered', async () => {
  const request = asked('/whole')
  const peer = new Peer(await edge.connect('http'))
  peer.socket.end(get('/whole'))
  const socket = await request
  await turns(20)
  assert.ok(!socket.readableEnded)
  socket.write(OK)
  assert.match(await peer.hearEnd(), /ok$/)
})

test('and so are those that were sent behind it, in order', async () => {
  for (const target of ['/1', '/2', '/3'])
    origin.on(target, async (socket) => {
      await turns(20)
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${target}`)
    })
  const peer = new Peer(await edge.connect('http'))
  peer.socket.end(get('/1') + get('/2') + get('/3'))
  const answer = await peer.hearEnd()
  assert.deepEqual(statusesIn(answer), [200, 200, 200])
  assert.deepEqual(answer.match(/\/\d(?=HTTP|$)/g), ['/1', '/2', '/3'])
})

test('but not what is missing its end behind them', async () => {
  for (const rest of ['GET /ok HTTP/1.1\r\nHost', `POST /ok HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nab`]) {
    const request = asked('/first')
    origin.asked.splice(0)
    const peer = new Peer(await edge.connect('http'))
    peer.socket.end(get('/first') + rest)
    const socket = await request
    await turns(20)
    socket.write(OK)
    assert.deepEqual(statusesIn(await peer.hearEnd().catch(() => peer.received)), [200])
  }
})

test('an answer that has begun is finished', async () => {
  const request = asked('/begun')
  const peer = new Peer(await edge.connect('http'))
  peer.say(get('/begun'))
  const socket = await request
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')
  await peer.hear('hello')
  peer.socket.end()
  await turns(20)
  socket.write('world')
  assert.equal(await peer.hearEnd(), 'world')
})

test('a client that has gone is found out by the next piece of its answer', async () => {
  const request = asked('/gone')
  const peer = new Peer(await edge.connect('http'))
  peer.say(get('/gone'))
  const socket = await request
  socket.write('HTTP/1.1 200 OK\r\n\r\n')
  await peer.hear('\r\n\r\n')
  peer.socket.destroy()
  const tick = setInterval(() => socket.write('piece'), 5)
  await once(socket, 'close')
  clearInterval(tick)
})

test('over TLS the request is cancelled at once', async () => {
  const request = asked('/tls')
  const peer = new Peer(await edge.connect('https'))
  peer.say(get('/tls'))
  const socket = await request
  peer.socket.end()
  await once(socket, 'close')
})

for (const [name, framing] of [
  ['a length', 'Content-Length: 10\r\n\r\nabc'],
  ['chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
] as const)
  test(`within content of ${name}, the request is cancelled, and no part of it is taken for all (RFC 9112 §8)`, async () => {
    const request = asked('/upload')
    const peer = new Peer(await edge.connect('http'))
    peer.socket.end(`POST /upload HTTP/1.1\r\n${HOST}${framing}`)
    const socket = await request
    let rest = ''
    socket.on('data', (text) => {
      rest += text
    })
    await once(socket, 'close')
    assert.doesNotMatch(rest, /(^|\n)0\r\n/)
    assert.equal(await peer.closed(), 'clean')
    assert.equal(peer.received, '')
  })

test('in a tunnel it is passed on, and the other half goes on', async () => {
  const request = asked('/switch')
  const peer = new Peer(await edge.connect('http'))
  peer.say(UPGRADE)
  const socket = await request
  socket.removeAllListeners('end')
  socket.write(SWITCH)
  await peer.hear('\r\n\r\n')
  peer.socket.end('last')
  await once(socket, 'end')
  socket.write('still')
  await peer.hear('still')
  socket.end('bye')
  assert.equal(await peer.hearEnd(), 'bye')
})

for (const early of ['', 'early'])
  test(`ahead of a 101${early && ', behind bytes of the other protocol,'} it is passed on once there is a tunnel`, async () => {
    const request = asked('/switch')
    const peer = new Peer(await edge.connect('http'))
    peer.socket.end(UPGRADE + early)
    const socket = await request
    let received = ''
    socket.removeAllListeners('end').removeAllListeners('data')
    socket.on('data', (text) => {
      received += text
    })
    await turns(20)
    assert.ok(!socket.readableEnded, 'an upstream may take it for the end of the request')
    socket.write(SWITCH)
    await once(socket, 'end')
    assert.equal(received, early)
    socket.end('bye')
    assert.match(await peer.hearEnd(), /^HTTP\/1\.1 101 [\s\S]*\r\n\r\nbye$/)
  })

test('ahead of another answer than 101 it is as after any request', async () => {
  for (const rest of ['', get('/ok')]) {
    const request = asked('/switch')
    const peer = new Peer(await edge.connect('http'))
    peer.socket.end(UPGRADE + rest)
    const socket = await request
    await turns(20)
    socket.write(OK)
    assert.deepEqual(statusesIn(await peer.hearEnd()), rest === '' ? [200] : [200, 200])
  }
})

test('a tunnel to be is cancelled where its client resets', async () => {
  const request = asked('/switch')
  const peer = new Peer(await edge.connect('http'))
  peer.say(UPGRADE)
  const socket = await request
  peer.socket.resetAndDestroy()
  await until(() => socket.destroyed || socket.readableEnded)
})
