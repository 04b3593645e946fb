import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ClientScript, connectedClient, type Served } from './client-script.ts'
import { data, EH, ES, get, headers, literals, post, rstStream, settings, windowUpdate } from './frames.ts'

// Flow control in both directions (RFC 9113 §5.2, §6.9).

const INITIAL = 4

/** Answers with so much content, as fast as it is taken, in pieces of 10,000 octets. */
function serveBytes(bytes: number): (served: Served) => void {
  return (served) => {
    served.exchange.respond({ status: 200, fields: [] }, bytes)
    let left = bytes
    const pump = (): void => {
      while (left > 0) {
        const piece = Buffer.alloc(Math.min(left, 10_000), 'x')
        left -= piece.length
        if (!served.exchange.write(piece)) break
      }
      if (left === 0) served.exchange.end()
    }
    served.onDrain = pump
    pump()
  }
}

const sizes = (lines: readonly string[], streamId = 1): number =>
  lines
    .filter((line) => line.startsWith(`DATA ${streamId} `))
    .reduce((sum, line) => sum + Number(line.split(' ')[2]), 0)

test('no more is sent than the window of the stream allows (§6.9.1)', async () => {
  const client = await connectedClient({ serve: serveBytes(30) }, [INITIAL, 10])
  assert.equal(sizes(await client.send(get(1))), 10)
  assert.deepEqual(await client.send(windowUpdate(1, 1)), ['DATA 1 1'])
  assert.deepEqual(await client.send(windowUpdate(0, 100)), [])
  assert.deepEqual(await client.send(windowUpdate(1, 100)), ['DATA 1 19 ES'])
})

test('no more is sent than the window of the connection allows (§6.9.1)', async () => {
  const client = await connectedClient({ serve: serveBytes(40_000) }, [INITIAL, 1_000_000])
  const lines = await client.send(get(1), get(3))
  assert.equal(sizes(lines, 1), 40_000)
  assert.equal(sizes(lines, 3), 25_535)
  assert.equal(sizes(await client.send(windowUpdate(0, 5)), 3), 5)
  assert.equal(sizes(await client.send(windowUpdate(0, 50_000)), 3), 14_460)
})

test('an empty window lets the end of a stream through (§6.9.1)', async () => {
  const client = await connectedClient({}, [INITIAL, 3])
  await client.send(get(1))
  const { exchange } = client.served[0]!
  exchange.respond({ status: 200, fields: [] }, -1)
  exchange.write(Buffer.from('abc'))
  await client.read()
  exchange.end()
  assert.deepEqual(await client.read(), ['DATA 1 0 ES'])
})

test('a lowered initial window makes that of a stream negative, and it is made up for first (§6.9.2)', async () => {
  const client = await connectedClient({ serve: serveBytes(200) }, [INITIAL, 100])
  assert.equal(sizes(await client.send(get(1))), 100)
  assert.deepEqual(await client.send(settings([INITIAL, 40])), ['SETTINGS ACK'])
  assert.deepEqual(await client.send(windowUpdate(1, 60)), [])
  assert.deepEqual(await client.send(windowUpdate(1, 1)), ['DATA 1 1'])
  assert.equal(sizes(await client.send(settings([INITIAL, 1000]))), 99)
})

test('a source is told to pause, and to go on when little is left', async () => {
  const client = await connectedClient({}, [INITIAL, 0])
  await client.send(get(1))
  const { exchange, events } = client.served[0]!
  exchange.respond({ status: 200, fields: [] }, -1)
  assert.equal(exchange.write(Buffer.alloc(65_535)), true)
  assert.equal(exchange.write(Buffer.alloc(1)), false)
  await client.send(windowUpdate(1, 40_000))
  assert.ok(!events.includes('drain'))
  await client.send(windowUpdate(1, 10_000))
  assert.deepEqual(events, ['content-end', 'drain'])
})

test('a large response goes through small windows whole', async () => {
  const client = await connectedClient({ serve: serveBytes(500_000) }, [INITIAL, 5000])
  let lines = await client.send(get(1))
  for (let turns = 0; turns < 1000 && !lines.some((line) => line.endsWith('ES')); turns++)
    lines = await client.send(windowUpdate(0, 4000), windowUpdate(1, 4000))
  assert.equal(client.trace.contentOf(1), 'x'.repeat(500_000))
})

test('a socket that takes no more stops content, not the order of frames', async () => {
  const client = await connectedClient({ serve: serveBytes(300_000) }, [INITIAL, 1_000_000])
  client.socket.stopReading()
  await client.send(windowUpdate(0, 1_000_000), get(1), get(3))
  assert.ok(client.socket.writableLength < 70_000)
  client.socket.startReading()
  await client.read()
  assert.equal(client.trace.contentOf(1).length, 300_000)
  assert.equal(client.trace.contentOf(3).length, 300_000)
})

// What we allow.

/** Sends content until the client runs out of window; returns how much that is. */
async function fill(client: ClientScript, streamId: number, open: number): Promise<number> {
  let left = open
  while (left > 0) {
    const bytes = Math.min(left, 16_384)
    client.socket.feed(data(streamId, Buffer.alloc(bytes)))
    left -= bytes
  }
  const lines = await client.read({ windows: true })
  return lines
    .filter((line) => line.startsWith(`WINDOW_UPDATE ${streamId} `))
    .reduce((sum, line) => sum + Number(line.split(' ')[2]), 0)
}

test('content that is not taken is not given back, until it is (§5.2.2)', async () => {
  const client = await connectedClient({ serve: (served) => served.takeNothing() })
  await client.send(post(1))
  assert.equal(await fill(client, 1, 65_535), 0)
  client.served[0]!.takeAgain()
  const lines = await client.read({ windows: true })
  assert.deepEqual(lines, ['WINDOW_UPDATE 1 131070'])
})

test('octets that come one by one for a receiver that has enough do not become pieces', async () => {
  const client = await connectedClient({ serve: (served) => served.takeNothing() })
  await client.send(post(1))
  const octets = Buffer.concat(Array.from({ length: 50_000 }, () => data(1, 'x')))
  client.socket.feed(octets)
  await client.read()
  const served = client.served[0]!
  assert.ok(served.pieces.length < 20, `${served.pieces.length}`)
  served.takeAgain()
  assert.equal(served.content.length, 50_000)
  await client.send(data(1, 'y'), data(1, 'z', ES))
  assert.deepEqual(served.events.slice(-3), ['content 1', 'content 1', 'content-end'])
})

test('what was gathered comes before the end, and before trailers', async () => {
  for (const end of [data(1, 'z', ES), headers(1, literals('x-trailer', '1'), EH | ES)]) {
    const client = await connectedClient({ serve: (served) => served.takeNothing() })
    await client.send(post(1), data(1, 'a'), data(1, 'b'), data(1, 'c'))
    assert.equal(client.served[0]!.content, 'a')
    await client.send(end)
    assert.match(client.served[0]!.content, /^abcz?$/)
    assert.match(client.served[0]!.events.at(-1)!, /^content-end/)
  }
})

test('what was gathered for a stream that ends is dropped with it', async () => {
  const client = await connectedClient({ serve: (served) => served.takeNothing() })
  await client.send(post(1), data(1, 'a'), data(1, 'b'), rstStream(1, 8))
  client.served[0]!.takeAgain()
  assert.deepEqual(client.served[0]!.events, ['content 1', 'end aborted 0'])
})

test('a window grows as content flows, up to the limit, and not for those who wait', async () => {
  const client = await connectedClient({ limits: { maxStreamWindowBytes: 200_000 } })
  await client.send(post(1))
  let open = 65_535
  let most = 0
  for (let turns = 0; turns < 10; turns++) {
    const given = await fill(client, 1, open)
    most = Math.max(most, given)
    open = given
  }
  assert.ok(most > 190_000 && most <= 200_000, `${most}`)
})

test('what a stream has not given back when it ends is given back to the connection', async () => {
  const client = await connectedClient({ serve: (served) => served.takeNothing() })
  const streams = Array.from({ length: 40 }, (_, at) => 1 + 2 * at)
  for (const streamId of streams) {
    await client.send(post(streamId))
    await fill(client, streamId, 65_535)
    await client.send(rstStream(streamId, 8))
  }
  assert.equal(client.socket.writableEnded, false)
  assert.equal(client.served.length, 40)
})

test('what comes for streams that are gone is given back to the connection (§6.9)', async () => {
  const client = await connectedClient()
  await client.send(post(1))
  client.served[0]!.exchange.abort()
  await client.read()
  let given = 0
  for (let turns = 0; turns < 80; turns++) {
    client.socket.feed(data(1, Buffer.alloc(16_384)))
    for (const line of await client.read({ windows: true })) given += Number(line.split(' ')[2])
  }
  assert.ok(given >= 79 * 16_384 - 600_000, `${given}`)
  assert.equal(client.socket.writableEnded, false)
})

test('many slow readers hold little each', async () => {
  const client = await connectedClient({ limits: { maxConcurrentStreams: 1000 } }, [INITIAL, 1])
  const held: number[] = []
  for (let at = 0; at < 1000; at++) await client.send(get(1 + 2 * at))
  for (const { exchange } of client.served) {
    exchange.respond({ status: 200, fields: [] }, -1)
    let bytes = 0
    for (let isTaken = true; isTaken; bytes += 16_384) isTaken = exchange.write(Buffer.alloc(16_384))
    held.push(bytes)
  }
  assert.equal(held.length, 1000)
  assert.ok(Math.max(...held) <= 100_000, `${Math.max(...held)}`)
})

test('padding is given back at once (§6.1)', async () => {
  const client = await connectedClient({ limits: { connectionWindowBytes: 65_535 } })
  await client.send(post(1))
  const padded = Buffer.concat([Buffer.from([255]), Buffer.from('x'), Buffer.alloc(255)])
  for (let frames = 0; frames < 400; frames++) {
    const bytes = data(1, padded, 8)
    client.socket.feed(bytes)
  }
  const lines = await client.read({ windows: true })
  assert.ok(lines.some((line) => line.startsWith('WINDOW_UPDATE 1 ')))
  assert.ok(lines.some((line) => line.startsWith('WINDOW_UPDATE 0 ')))
  assert.deepEqual(await client.send(data(1, '', ES)), [])
  assert.equal(client.served[0]!.content.length, 400)
})
