import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SERVER_LIMITS } from '../../../src/edge/http2/limits.ts'
import { type ClientScript, connectedClient, serveHello } from './client-script.ts'
import {
  continuation,
  data,
  EH,
  ES,
  frame,
  GET,
  get,
  headers,
  literals,
  ping,
  post,
  priority,
  priorityUpdate,
  rstStream,
  settings,
  settingsAck,
  windowUpdate,
} from './frames.ts'

// What costs a client little and us much (RFC 9113 §10.5): each has a budget, and whoever uses it up is told to calm
// down.

/** Sends until the connection ends. Returns how many it took, or undefined if all were borne. */
async function flood(client: ClientScript, count: number, next: (at: number) => Buffer[]): Promise<number | undefined> {
  for (let at = 0; at < count; at++) {
    for (const bytes of next(at)) client.socket.feed(bytes)
    if (at % 50 === 0) await client.read()
    if (client.socket.writableEnded) {
      await client.pass(2000)
      return at
    }
  }
  await client.read()
  return undefined
}

type Flood = {
  readonly name: string
  readonly code: string
  /** How many are borne at once. */
  readonly burst: number
  readonly frames: (at: number) => Buffer[]
}

const odd = (at: number): number => 1 + 2 * at
const { resets, settings: settingsRate, pings, emptyFrames, priorities, unknownFrames } = SERVER_LIMITS

const floods: Flood[] = [
  {
    name: 'requests that are reset at once (CVE-2023-44487)',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [get(odd(at)), rstStream(odd(at), 8)],
  },
  {
    name: 'requests that make us reset, by a bad WINDOW_UPDATE (CVE-2025-8671)',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [get(odd(at)), windowUpdate(odd(at), 0)],
  },
  {
    name: 'requests that make us reset, by a window that is too large (CVE-2025-8671)',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [get(odd(at)), windowUpdate(odd(at), 2 ** 31 - 1)],
  },
  {
    name: 'requests that make us reset, by DATA after their end (CVE-2025-8671)',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [get(odd(at)), data(odd(at), 'x')],
  },
  {
    name: 'requests that make us reset, by HEADERS after their end (CVE-2025-8671)',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [get(odd(at)), get(odd(at))],
  },
  {
    name: 'requests that make us reset, by a PRIORITY of a wrong length (CVE-2025-8671)',
    code: 'reset-flood',
    burst: 100,
    frames: (at) => [get(odd(at)), priority(odd(at), Buffer.alloc(4))],
  },
  {
    name: 'malformed requests',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [headers(odd(at), Buffer.alloc(0), EH | ES)],
  },
  {
    name: 'requests with fields beyond the limit',
    code: 'reset-flood',
    burst: resets.burst,
    frames: (at) => [get(odd(at), 'x', 'y'.repeat(300))],
  },
  {
    name: 'resets of streams that are closed',
    code: 'reset-flood',
    burst: resets.burst - 1,
    frames: (at) => [...(at === 0 ? [get(1)] : []), rstStream(1, 8)],
  },
  { name: 'SETTINGS', code: 'settings-flood', burst: settingsRate.burst - 2, frames: () => [settings()] },
  { name: 'PING', code: 'ping-flood', burst: pings.burst, frames: () => [ping()] },
  { name: 'acknowledgments of PING', code: 'ping-flood', burst: pings.burst, frames: () => [ping('12345678', 1)] },
  {
    name: 'DATA without content',
    code: 'empty-frame-flood',
    burst: emptyFrames.burst,
    frames: (at) => [...(at === 0 ? [post(1)] : []), data(1, '')],
  },
  {
    name: 'DATA of padding only',
    code: 'empty-frame-flood',
    burst: emptyFrames.burst,
    frames: (at) => [...(at === 0 ? [post(1)] : []), data(1, Buffer.alloc(1), 8)],
  },
  { name: 'PRIORITY', code: 'priority-flood', burst: priorities.burst, frames: () => [priority(1)] },
  {
    name: 'PRIORITY_UPDATE',
    code: 'priority-flood',
    burst: priorities.burst,
    frames: () => [priorityUpdate(1, 'u=1')],
  },
  {
    name: 'WINDOW_UPDATE of the connection',
    code: 'window-update-flood',
    burst: SERVER_LIMITS.windowUpdates.burst,
    frames: () => [windowUpdate(0, 1)],
  },
  {
    name: 'WINDOW_UPDATE of a closed stream',
    code: 'window-update-flood',
    burst: SERVER_LIMITS.windowUpdates.burst,
    frames: (at) => [...(at === 0 ? [get(1), rstStream(1, 8)] : []), windowUpdate(1, 1)],
  },
  {
    name: 'frames of unknown types',
    code: 'unknown-frame-flood',
    burst: unknownFrames.burst,
    frames: () => [frame(0xbe, 0, 0, 'x')],
  },
]

for (const { name, code, burst, frames } of floods) {
  test(`a flood of ${name}`, async () => {
    const client = await connectedClient({ limits: { maxHeaderListBytes: 300, maxConcurrentStreams: 1000 } })
    assert.equal(await flood(client, burst, frames), undefined)
    assert.notEqual(await flood(client, burst + 10, (at) => frames(at + burst)), undefined)
    assert.equal(client.error?.code, code)
    assert.ok(client.isClosed)
    for (const { events } of client.served) assert.match(events.at(-1)!, /^end aborted/)
  })

  test(`${name} in moderation`, async () => {
    const client = await connectedClient({ limits: { maxHeaderListBytes: 300, maxConcurrentStreams: 1000 } })
    for (let seconds = 0; seconds < 30; seconds++) {
      for (let at = 0; at < 15; at++) for (const bytes of frames(seconds * 15 + at)) client.socket.feed(bytes)
      await client.pass(1000)
    }
    assert.equal(client.socket.writableEnded, false)
  })
}

test('streams beyond the limit are charged as resets', async () => {
  const client = await connectedClient({ limits: { maxConcurrentStreams: 1 } })
  await client.send(get(1))
  assert.ok((await flood(client, 210, (at) => [get(odd(at + 1))]))! >= 200)
  assert.equal(client.error?.code, 'reset-flood')
})

test('a flood of CONTINUATION, empty or not (CVE-2024-27316)', async () => {
  for (const block of ['', literals('x', 'y')]) {
    const client = await connectedClient()
    client.socket.feed(headers(1, literals(...GET), 0))
    for (let count = 0; count < 8; count++) client.socket.feed(continuation(1, block, 0))
    assert.deepEqual(await client.read(), [])
    assert.deepEqual(await client.send(continuation(1, block, 0)), ['GOAWAY 0 ENHANCE_YOUR_CALM'])
  }
})

test('a field block that is too large to be honest', async () => {
  const client = await connectedClient()
  client.socket.feed(headers(1, Buffer.alloc(16_384, 0x82), 0))
  for (let count = 0; count < 3; count++) client.socket.feed(continuation(1, Buffer.alloc(16_384, 0x82), 0))
  assert.deepEqual(await client.send(continuation(1, 'x', 0)), ['GOAWAY 0 ENHANCE_YOUR_CALM'])
})

test('a bomb of references costs its sender a 431 (CVE-2026-49975)', async () => {
  const client = await connectedClient()
  const indexed = Buffer.concat([
    Buffer.from([0x40, 1]),
    Buffer.from('x'),
    Buffer.from([0x7f, 0xa1, 0x1e]),
    Buffer.alloc(4000, 'y'),
  ])
  await client.send(headers(1, Buffer.concat([literals(...GET), indexed]), EH | ES))
  const bomb = headers(3, Buffer.concat([literals(...GET), Buffer.alloc(16_000, 0xbe)]), EH | ES)
  assert.deepEqual(await client.send(bomb, get(5)), [
    'HEADERS 3 ES :status=431 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT',
  ])
  assert.equal(client.served.length, 2)
})

test('too many settings in a frame', async () => {
  const client = await connectedClient()
  const many = Array.from({ length: 33 }, (): [number, number] => [4, 65_535])
  assert.deepEqual(await client.send(settings(...many)), ['GOAWAY 0 ENHANCE_YOUR_CALM'])
})

test('WINDOW_UPDATEs and PINGs are earned by what is sent', async () => {
  const fair = await connectedClient({}, [4, 1_000_000])
  await fair.send(get(1))
  const { exchange } = fair.served[0]!
  exchange.respond({ status: 200, fields: [] }, -1)
  const borne = await flood(fair, 4000, () => {
    exchange.write(Buffer.alloc(20))
    return [windowUpdate(0, 20), windowUpdate(1, 20), ping()]
  })
  assert.equal(borne, undefined)
})

test('a window that opens by an octet at a time earns nothing (CVE-2019-9511)', async () => {
  const windowUpdates = { burst: 100, perSecond: 0 }
  const client = await connectedClient({ limits: { windowUpdates } }, [4, 0])
  await client.send(get(1))
  const { exchange } = client.served[0]!
  exchange.respond({ status: 200, fields: [] }, -1)
  exchange.write(Buffer.alloc(60_000))
  await client.read()
  for (let count = 0; count < 100; count++) assert.deepEqual(await client.send(windowUpdate(1, 1)), ['DATA 1 1'])
  assert.deepEqual(await client.send(windowUpdate(1, 1)), ['GOAWAY 1 ENHANCE_YOUR_CALM'])
})

test('each request earns the priorities and unknown frames that clients send with it', async () => {
  const client = await connectedClient({ serve: serveHello })
  const frames = (at: number): Buffer[] => [
    priorityUpdate(odd(at), 'u=1'),
    priority(odd(at)),
    frame(0xbe, 0, odd(at), 'grease'),
    get(odd(at)),
    rstStream(odd(at), 0),
  ]
  // The resets come after the responses, for streams that are closed.
  assert.equal(await flood(client, 1000, (at) => frames(at).slice(0, 4)), undefined)
})

test('answers that a client asks for and does not read are bounded', async () => {
  const client = await connectedClient({ limits: { pings: { burst: 1_000_000, perSecond: 0 } } })
  client.socket.stopReading()
  let sent = 0
  for (; sent < 10_000 && !client.socket.writableEnded; sent += 100) {
    client.socket.feed(Buffer.concat(Array.from({ length: 100 }, () => ping())))
    await client.read()
  }
  assert.ok(sent * 17 > 64 * 1024 && sent * 17 < 128 * 1024, `${sent}`)
  await client.pass(2000)
  assert.ok(client.socket.destroyed)
  assert.equal(client.error?.code, 'control-queue-full')
})

test('responses that a client does not read count as under way', async () => {
  const client = await connectedClient({ serve: serveHello })
  client.socket.stopReading()
  // The first is on its way, and the rest waits behind it.
  await client.send(get(1))
  for (let at = 1; at < 150; at++) await client.send(get(odd(at)))
  assert.equal(client.served.length, 100)
  client.socket.startReading()
  await client.read()
  assert.equal(client.served.filter(({ outcome }) => outcome?.result === 'complete').length, 100)
  await client.send(get(odd(150)))
  assert.equal(client.served.length, 101)
})

test('an acknowledgment of SETTINGS is no flood by itself', async () => {
  const client = await connectedClient()
  assert.deepEqual(await client.send(settingsAck), ['GOAWAY 0 PROTOCOL_ERROR'])
})
