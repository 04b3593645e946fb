import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { captureNode } from '../client-hello/capture.ts'
import { ask, certificate, greet, rootPem, served, settled } from './served.ts'

// What a hostile or a lazy client can cost.

const ca = await rootPem()
const dual = await Promise.all([certificate('rsa-2048', 'a.test'), certificate('ecdsa-p256', 'a.test')])

async function closedAfter(socket: Socket): Promise<number> {
  const started = performance.now()
  // Not once(), which rejects on the error that a reset is: closed is closed.
  socket.on('error', () => {})
  await new Promise((resolve) => socket.resume().once('close', resolve))
  return performance.now() - started
}

test('a hello that never ends, or never begins, is closed in time', async (t) => {
  const { port } = await served(t, dual, greet, { helloTimeoutMs: 200 })
  for (const bytes of ['', '\x16', '\x16\x03\x01\x02\x00\x01\x00\x01']) {
    const socket = connectTcp(port, '127.0.0.1')
    if (bytes !== '') socket.write(bytes, 'latin1')
    const ms = await closedAfter(socket)
    assert.ok(ms > 150 && ms < 2_000, `${ms} ms`)
  }
})

test('a byte now and then does not prolong the time for the hello', async (t) => {
  const { port } = await served(t, dual, greet, { helloTimeoutMs: 300 })
  const socket = connectTcp(port, '127.0.0.1')
  socket.write('\x16\x03\x01\x02\x00', 'latin1')
  const drip = setInterval(() => socket.write('\x01'), 50)
  t.after(() => clearInterval(drip))
  const ms = await closedAfter(socket)
  assert.ok(ms < 2_000, `${ms} ms`)
})

test('a handshake that stops after the hello is closed in time', async (t) => {
  const certificates = [await certificate('ecdsa-p256', 'app.example.com')]
  const server = await served(t, certificates, greet, { handshakeTimeoutMs: 300 })
  const socket = connectTcp(server.port, '127.0.0.1')
  socket.write(await captureNode({}))
  const ms = await closedAfter(socket)
  assert.ok(ms > 200 && ms < 3_000, `${ms} ms`)
  assert.match(server.log.of('handshake-failed')[0]!.message, /no handshake within 300 ms/)
})

test('plain HTTP on this port is told to use https', async (t) => {
  const { port } = await served(t, dual, greet)
  const socket = connectTcp(port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
  let answer = ''
  for await (const piece of socket) answer += piece
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n[\s\S]*https:\/\//)
})

test('garbage after the handshake costs that connection only', async (t) => {
  const { port, sockets } = await served(t, dual, ({ socket }) => {
    socket.resume()
  })
  const raw = connectTcp(port, '127.0.0.1')
  const client = connect({ socket: raw, ca, servername: 'a.test' })
  client.on('error', () => {})
  await once(client, 'secureConnect')
  raw.write(Buffer.from('17030300050000000000', 'hex'))
  await settled(() => sockets.size === 0, 3_000)
})

test('the time for the handshake counts from the first moment, not from the end of the hello', async (t) => {
  const certificates = [await certificate('ecdsa-p256', 'app.example.com')]
  const { port } = await served(t, certificates, greet, { handshakeTimeoutMs: 1_000 })
  const hello = await captureNode({})
  const socket = connectTcp(port, '127.0.0.1')
  socket.write(hello.subarray(0, 50))
  setTimeout(() => socket.write(hello.subarray(50)), 800)
  const ms = await closedAfter(socket)
  assert.ok(ms > 900 && ms < 1_700, `${ms} ms`)
})

test('a client that says goodbye right after its hello leaves nothing behind', async (t) => {
  const { port, sockets, log } = await served(t, [await certificate('ecdsa-p256', 'app.example.com')], greet)
  connectTcp(port, '127.0.0.1')
    .on('error', () => {})
    .resume()
    .end(await captureNode({}))
  await settled(() => log.of('handshake-failed').length === 1, 3_000)
  await settled(() => sockets.size === 0, 3_000)
})

for (const [who, bytes] of [
  ['an SSH client', 'SSH-2.0-OpenSSH_9\r\n'],
  ['SSL 2', '\x80\x2e\x01\x00\x02\x00\x15'],
] as const)
  test(`${who} is closed without a word`, async (t) => {
    const { port } = await served(t, dual, greet)
    const socket = connectTcp(port, '127.0.0.1').on('error', () => {})
    let answer = ''
    socket.on('data', (piece) => {
      answer += piece
    })
    socket.write(bytes, 'latin1')
    await once(socket, 'close')
    assert.equal(answer, '')
  })

/** A crowd does not come at once: the kernel would drop some. */
const BATCH = 250

test('of 2,000 connections that send nothing, 1,024 stay at a time, and none for long', async (t) => {
  const { port, sockets, log } = await served(t, dual, greet, { helloTimeoutMs: 3_000 })
  const memory = (): number => process.memoryUsage().heapUsed + process.memoryUsage().external
  const before = memory()
  const silent: Socket[] = []
  t.after(() => {
    for (const socket of silent) socket.destroy()
  })
  while (silent.length < 2_000) {
    const batch = Array.from({ length: BATCH }, () => connectTcp(port, '127.0.0.1').on('error', () => {}))
    silent.push(...batch)
    await Promise.all(batch.map((socket) => once(socket, 'connect')))
  }
  const reasons = (reason: string): number => log.entries.filter(({ message }) => message.includes(reason)).length
  await settled(() => reasons('it made room') === 2_000 - 1_024, 2_000)
  await settled(() => sockets.size === 1_024, 2_000)
  assert.ok(memory() - before < 64_000_000, `${memory() - before} bytes`)
  assert.deepEqual(await ask(port), { text: 'ecdsa-p256 a.test http/1.1' })
  await settled(() => sockets.size === 0, 6_000)
  // The client that asked had the room of one.
  assert.equal(reasons('no ClientHello within'), 1_023)
})

test('a throw of whoever takes the connections costs one of them, not the process', async (t) => {
  let isFirst = true
  const { port, sockets, log } = await served(t, dual, (connection) => {
    if (!isFirst) return greet(connection)
    isFirst = false
    throw new TypeError('a bug')
  })
  await ask(port)
  await settled(() => sockets.size === 0, 3_000)
  assert.match(
    log.of('connection-exception')[0]?.message ?? '',
    /^The connection of 127\.0\.0\.1 was closed .*: a bug\./,
  )
  assert.deepEqual(await ask(port), { text: 'ecdsa-p256 a.test http/1.1' })
})

test('a throw while a certificate is chosen costs one connection, not the process', async (t) => {
  const { port, sockets, log } = await served(t, dual, greet, { waiting: [{ names: ['new.test'], reason: 'soon' }] })
  log.warn = () => {
    throw new TypeError('no log')
  }
  await ask(port, { servername: 'new.test' })
  await settled(() => sockets.size === 0, 3_000)
  assert.equal(log.of('connection-exception').length, 1)
  assert.deepEqual(await ask(port), { text: 'ecdsa-p256 a.test http/1.1' })
})

test('when the program stops, unfinished handshakes end and connections stay', async (t) => {
  const { port, acceptor, sockets } = await served(t, dual, ({ socket }) => {
    socket.on('error', () => {}).resume()
  })
  const established = connect({ port, host: '127.0.0.1', ca, servername: 'a.test' })
  await once(established, 'secureConnect')
  const silent = connectTcp(port, '127.0.0.1')
  await settled(() => sockets.size === 2, 3_000)
  acceptor.close()
  await closedAfter(silent)
  await settled(() => sockets.size === 1, 3_000)
  established.destroy()
})
