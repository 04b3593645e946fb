import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Admission, type AdmissionOptions } from '../../src/edge/admission.ts'
import type { Endpoints } from '../../src/edge/endpoints.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { header2, tcp4 } from './proxy-protocol/header-bytes.ts'
import { settled } from './tls/served.ts'

type Place = {
  readonly admission: Admission
  readonly log: RecordingLog
  readonly admitted: Endpoints[]
  /** A client that has sent this; what it is sent comes back to it. */
  visit(...pieces: readonly (string | Buffer)[]): Promise<Socket>
}

async function place(t: TestContext, options: Partial<AdmissionOptions> = {}): Promise<Place> {
  const log = new RecordingLog()
  const admission = new Admission({
    limits: { connections: 100, connectionsPerAddress: 100 },
    proxyProtocolFrom: [],
    trustedProxies: [],
    headerTimeoutMs: 5_000,
    memory: { isShort: false },
    openFiles: undefined,
    counters: { accepted: 0, refused: 0 },
    log,
    ...options,
  })
  const admitted: Endpoints[] = []
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    admission.admit(socket, (endpoints) => {
      admitted.push(endpoints)
      socket.pipe(socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const clients: Socket[] = []
  t.after(() => {
    for (const client of clients) client.destroy()
    for (const socket of admission.open) socket.destroy()
    server.close()
  })
  const visit = async (...pieces: readonly (string | Buffer)[]): Promise<Socket> => {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    clients.push(client)
    await new Promise((resolve) => client.once('connect', resolve).once('close', resolve))
    for (const piece of pieces) {
      client.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return client
  }
  return { admission, log, admitted, visit }
}

async function isReset(client: Socket): Promise<boolean> {
  if (!client.closed) await new Promise((resolve) => client.once('close', resolve))
  return client.errored?.message.includes('ECONNRESET') ?? false
}

test('a connection too many is reset, and one that ends makes room', async (t) => {
  const { admission, log, visit } = await place(t, { limits: { connections: 2, connectionsPerAddress: 100 } })
  const [first] = [await visit(), await visit()]
  await settled(() => admission.open.size === 2, 2_000)
  assert.ok(await isReset(await visit()))
  assert.match(log.of('connection-refused')[0]!.message, /127\.0\.0\.1 was reset: limits\.connections is 2\./)
  first!.end()
  await settled(() => admission.open.size === 1, 2_000)
  const next = await visit('hello')
  assert.equal(String(await once(next, 'data')), 'hello')
})

test('with few descriptors only as many connections are let in as find some, and the log says what to raise', async (t) => {
  const { admission, log, visit } = await place(t, { openFiles: 64 + 5 })
  await Promise.all([visit(), visit()])
  await settled(() => admission.open.size === 2, 2_000)
  assert.ok(await isReset(await visit()))
  assert.match(log.of('connection-refused')[0]!.message, /69 files open, .* 2 connections \(ulimit -n/)
})

test('while memory is short nobody new is let in, and who is there stays', async (t) => {
  const memory = { isShort: false }
  const { admission, log, visit } = await place(t, { memory })
  const client = await visit()
  await settled(() => admission.open.size === 1, 2_000)
  memory.isShort = true
  assert.ok(await isReset(await visit()))
  assert.match(log.of('connection-refused')[0]!.message, /memory is short/)
  client.write('still here')
  assert.equal(String(await once(client, 'data')), 'still here')
  memory.isShort = false
  const next = await visit('hello')
  assert.equal(String(await once(next, 'data')), 'hello')
})

test('one address may have so many, each by its PROXY header, and a trusted proxy any number', async (t) => {
  const { admitted, visit, log } = await place(t, {
    limits: { connections: 100, connectionsPerAddress: 2 },
    proxyProtocolFrom: ['127.0.0.1'],
    trustedProxies: ['192.0.2.9'],
  })
  const from = (address: string): string => `PROXY TCP4 ${address} 192.0.2.2 1 443\r\n`
  const [one] = [await visit(from('203.0.113.1')), await visit(from('203.0.113.1'))]
  await settled(() => admitted.length === 2, 2_000)
  assert.ok(await isReset(await visit(from('203.0.113.1'))))
  assert.match(
    log.of('connection-refused')[0]!.message,
    /203\.0\.113\.1 was reset: limits\.connectionsPerAddress is 2\./,
  )
  for (let count = 0; count < 5; count++) await visit(from('192.0.2.9'))
  await visit(from('203.0.113.2'))
  await settled(() => admitted.length === 8, 2_000)
  one!.destroy()
  await new Promise((resolve) => setTimeout(resolve, 20))
  await visit(from('203.0.113.1'))
  await settled(() => admitted.length === 9, 2_000)
})

for (const [what, pieces] of [
  ['in one piece with what follows', [Buffer.concat([tcp4(), Buffer.from('hello')])]],
  ['alone', [tcp4(), 'hello']],
  ['byte by byte', [...tcp4()].map((byte) => Buffer.from([byte])).concat([Buffer.from('hello')])],
] as const)
  test(`the PROXY header is taken off, ${what}`, async (t) => {
    const { admitted, visit } = await place(t, { proxyProtocolFrom: ['127.0.0.0/8'] })
    const client = await visit(...pieces)
    assert.equal(String(await once(client, 'data')), 'hello')
    assert.deepEqual(admitted, [
      { clientAddress: '192.0.2.1', clientPort: 4711, localAddress: '198.51.100.2', localPort: 443 },
    ])
  })

test('a proxy that speaks for itself is the client', async (t) => {
  const { admitted, visit } = await place(t, { proxyProtocolFrom: ['127.0.0.1'] })
  const client = await visit(header2(0x20, 0, Buffer.alloc(0)), 'hello')
  await once(client, 'data')
  assert.equal(admitted[0]!.clientAddress, '127.0.0.1')
})

test('a PROXY header from anybody else is what a client says', async (t) => {
  const { admitted, visit } = await place(t, { proxyProtocolFrom: ['192.0.2.0/24'] })
  const client = await visit('PROXY UNKNOWN\r\n')
  assert.equal(String(await once(client, 'data')), 'PROXY UNKNOWN\r\n')
  assert.equal(admitted[0]!.clientAddress, '127.0.0.1')
})

test('without the header, a malformed one, or not in time: closed, and one line says so', async (t) => {
  const { admission, log, admitted, visit } = await place(t, { proxyProtocolFrom: ['127.0.0.1'], headerTimeoutMs: 50 })
  for (const pieces of [['GET / HTTP/1.1\r\n\r\n'], ['PROXY TCP4 a b c d\r\n'], ['PROXY '], []]) {
    const client = await visit(...pieces)
    client.resume()
    if (!client.closed) await new Promise((resolve) => client.once('close', resolve))
  }
  await settled(() => admission.open.size === 0, 2_000)
  assert.deepEqual(admitted, [])
  assert.deepEqual(
    log.of('connection-refused').map(({ message }) => message),
    ['The PROXY header from 127.0.0.1 is not usable: there is none.'],
  )
})

test('it is idle when the last connection has closed, or the time is over', async (t) => {
  const { admission, visit } = await place(t)
  await admission.idleWithin(10_000)
  const client = await visit('x')
  await once(client, 'data')
  await admission.idleWithin(1)
  assert.equal(admission.open.size, 1)
  const idle = admission.idleWithin(10_000)
  client.destroy()
  await idle
  assert.equal(admission.open.size, 0)
})
