import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientScript, connectedClient, serveHello } from './client-script.ts'
import {
  data,
  EH,
  ES,
  GET,
  get,
  headers,
  literals,
  PREFACE,
  ping,
  post,
  settings,
  settingsAck,
  windowUpdate,
} from './frames.ts'

// Deadlines, which the sweep keeps, and the end of a connection (RFC 9113 §6.8).

test('a client that says nothing, or less than the preface, is let go', async () => {
  for (const bytes of [Buffer.alloc(0), PREFACE.subarray(0, 20), PREFACE]) {
    const client = new ClientScript()
    await client.send(bytes)
    assert.deepEqual(await client.pass(9000), [])
    assert.deepEqual(await client.pass(1000), ['GOAWAY 0 PROTOCOL_ERROR'])
  }
})

test('SETTINGS that are not acknowledged (§6.5.3)', async () => {
  const client = new ClientScript()
  await client.send(PREFACE, settings())
  assert.deepEqual(await client.pass(9000), [])
  assert.deepEqual(await client.pass(1000), ['GOAWAY 0 SETTINGS_TIMEOUT'])
})

test('a field block that does not end', async () => {
  const client = await connectedClient()
  await client.send(headers(1, literals(...GET), 0))
  assert.deepEqual(await client.pass(9000), [])
  assert.deepEqual(await client.pass(2000), ['GOAWAY 0 ENHANCE_YOUR_CALM'])
})

test('a frame that trickles', async () => {
  const client = await connectedClient()
  await client.send(get(1))
  const bytes = get(3, 'x', 'y'.repeat(100))
  for (let at = 0; at < 10; at++)
    assert.deepEqual(await client.pass(1000), await client.send(bytes.subarray(at, at + 1)))
  assert.deepEqual(await client.pass(12_000), ['GOAWAY 1 ENHANCE_YOUR_CALM'])
  await client.pass(2000)
  assert.equal(client.error?.code, 'frame-timeout')
})

test('a connection without requests is closed, pings or not', async () => {
  const client = await connectedClient({ serve: serveHello })
  await client.send(get(1))
  for (let turns = 0; turns < 7; turns++) {
    await client.pass(10_000)
    assert.deepEqual(await client.send(ping()), ['PING ACK 12345678'])
  }
  assert.deepEqual(await client.pass(10_000), ['GOAWAY 1 NO_ERROR'])
  assert.ok(client.socket.writableEnded)
  await client.pass(2000)
  assert.equal(client.error, undefined)
})

test('idleness begins with the end of the last request', async () => {
  const client = await connectedClient()
  await client.pass(60_000)
  await client.send(get(1))
  await client.pass(60_000)
  serveHello(client.served[0]!)
  await client.read()
  assert.deepEqual(await client.pass(74_000), [])
  assert.deepEqual(await client.pass(2000), ['GOAWAY 1 NO_ERROR'])
})

test('a request that takes long is not idleness', async () => {
  const client = await connectedClient()
  await client.send(get(1))
  assert.deepEqual(await client.pass(600_000), [])
})

test('a window that stays shut ends its stream, whatever else comes (§10.5)', async () => {
  const client = await connectedClient({}, [4, 5])
  await client.send(get(1), get(3))
  const [slow, other] = client.served
  slow!.exchange.respond({ status: 200, fields: [] }, -1)
  slow!.exchange.write(Buffer.alloc(100_000))
  for (let seconds = 0; seconds < 59; seconds++) {
    await client.pass(1000)
    await client.send(ping(), windowUpdate(1, 1), windowUpdate(0, 1))
  }
  assert.equal(slow!.outcome, undefined)
  assert.deepEqual(await client.pass(3000), ['RST_STREAM 1 CANCEL'])
  assert.deepEqual(slow!.events.at(-1), 'end aborted 200')
  assert.equal(other!.outcome, undefined)
})

test('a window that opens slowly, but does, is borne', async () => {
  const client = await connectedClient({}, [4, 5])
  await client.send(get(1))
  client.served[0]!.exchange.respond({ status: 200, fields: [] }, -1)
  client.served[0]!.exchange.write(Buffer.alloc(100_000))
  for (let minutes = 0; minutes < 20; minutes++) {
    await client.pass(30_000)
    await client.send(windowUpdate(1, 1500), windowUpdate(0, 1500))
  }
  assert.equal(client.served[0]!.outcome, undefined)
})

test('a window of the connection that stays shut ends it', async () => {
  const client = await connectedClient({}, [4, 1_000_000])
  await client.send(get(1))
  client.served[0]!.exchange.respond({ status: 200, fields: [] }, -1)
  client.served[0]!.exchange.write(Buffer.alloc(100_000))
  await client.read()
  await client.pass(59_000)
  assert.equal(client.served[0]!.outcome, undefined)
  assert.deepEqual(await client.pass(3000), ['GOAWAY 1 CANCEL'])
})

test('a client that reads nothing more is let go', async () => {
  const client = await connectedClient({}, [4, 1_000_000])
  client.socket.stopReading()
  await client.send(windowUpdate(0, 1_000_000), get(1))
  client.served[0]!.exchange.respond({ status: 200, fields: [] }, -1)
  client.served[0]!.exchange.write(Buffer.alloc(100_000))
  await client.read()
  await client.pass(59_000)
  assert.equal(client.isClosed, false)
  await client.pass(5000)
  assert.ok(client.isClosed)
  assert.equal(client.error?.code, 'write-stalled')
})

test('content that pauses is answered 408', async () => {
  const client = await connectedClient()
  await client.send(post(1), data(1, Buffer.alloc(16_000)))
  assert.deepEqual(await client.pass(29_000), [])
  assert.deepEqual(await client.pass(3000), [
    'HEADERS 1 ES :status=408 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT',
  ])
  assert.deepEqual(client.served[0]!.events.at(-1), 'end aborted 408')
  assert.equal(client.served[0]!.outcome?.why, 'content-incomplete-in-time')
})

test('content that trickles is answered 408', async () => {
  const client = await connectedClient()
  await client.send(post(1))
  let lines: string[] = []
  let seconds = 0
  for (; seconds < 60 && lines.length === 0; seconds++) {
    client.socket.feed(data(1, 'x'.repeat(100)))
    lines = await client.pass(1000)
  }
  assert.equal(lines[0], 'HEADERS 1 ES :status=408 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT')
  // 100 octets a second are below 240 as soon as the grace of 10 s is used up: 1000 + 100 s = 240 s.
  assert.ok(seconds > 15 && seconds < 25, `${seconds}`)
})

test('content that is not wanted, or comes beside a response, has no deadline', async () => {
  const client = await connectedClient()
  await client.send(post(1), post(3))
  client.served[0]!.takeNothing()
  client.served[1]!.exchange.respond({ status: 200, fields: [] }, -1)
  await client.send(data(1, 'x'))
  assert.deepEqual(
    (await client.pass(300_000)).filter((line) => !line.startsWith('HEADERS 3')),
    [],
  )
  client.served[0]!.takeAgain()
  assert.deepEqual(await client.pass(10_000), [])
  assert.equal(
    (await client.pass(5000))[0],
    'HEADERS 1 ES :status=408 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT',
  )
})

test('a drain loses no request that the client had sent by then (§6.8)', async () => {
  const client = await connectedClient()
  await client.send(get(1))
  client.connection.drain()
  client.connection.drain()
  assert.deepEqual(await client.read(), [`GOAWAY ${2 ** 31 - 1} NO_ERROR`, 'PING draining'])
  await client.send(get(3))
  assert.equal(client.served.length, 2)
  assert.deepEqual(await client.send(ping('draining', 1)), ['GOAWAY 3 NO_ERROR'])
  // Beyond it nothing is served; what comes is read all the same.
  assert.deepEqual(await client.send(post(5), data(5, 'x'), headers(5, literals('x', '1'), EH | ES)), [])
  assert.equal(client.served.length, 2)
  for (const served of client.served) serveHello(served)
  assert.deepEqual(await client.read(), [
    'HEADERS 1 :status=200 content-length=12 content-type=text/plain',
    'DATA 1 12 ES',
    'HEADERS 3 :status=200 content-length=12 content-type=text/plain',
    'DATA 3 12 ES',
    'GOAWAY 3 NO_ERROR',
  ])
  assert.ok(client.socket.writableEnded)
  assert.deepEqual(
    client.served.map(({ outcome }) => outcome?.result),
    ['complete', 'complete'],
  )
})

test('a client that does not answer the PING of a drain is not waited for', async () => {
  const client = await connectedClient()
  client.connection.drain()
  await client.read()
  assert.deepEqual(await client.pass(2000), ['GOAWAY 0 NO_ERROR', 'GOAWAY 0 NO_ERROR'])
  assert.ok(client.socket.writableEnded)
})

test('a connection that has carried its share is drained', async () => {
  const client = await connectedClient({ serve: serveHello, limits: { maxRequests: 3 } })
  await client.send(get(1), get(3))
  const lines = await client.send(get(5))
  assert.ok(lines.includes(`GOAWAY ${2 ** 31 - 1} NO_ERROR`))
  assert.ok(lines.includes('DATA 5 12 ES'))
})

test('once it has ended, a connection is destroyed soon, whatever comes', async () => {
  const client = await connectedClient()
  await client.send(windowUpdate(0, 0))
  await client.send(settingsAck, get(1), data(1, 'x', ES))
  assert.equal(client.socket.destroyed, false)
  await client.pass(1000)
  assert.ok(client.socket.destroyed)
})
