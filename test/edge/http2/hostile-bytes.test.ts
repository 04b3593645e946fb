import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClientScript, type Served, serveHello } from './client-script.ts'
import {
  continuation,
  data,
  EH,
  ES,
  frame,
  get,
  goaway,
  headers,
  literals,
  PADDED,
  PREFACE,
  PRIORITY,
  ping,
  post,
  priority,
  priorityUpdate,
  rstStream,
  settings,
  settingsAck,
  windowUpdate,
} from './frames.ts'
import { dice, pick } from './hpack/dice.ts'
import { type Asked, UpstreamScript } from './upstream-script.ts'

// Frames in any order, and any bytes: whatever comes, every request ends once, and nothing throws.

const SEEDS = 300
const FRAMES = 60

type Dice = () => number

/** What a connection bears, most of the time: on streams up to `last`, and opening others. */
function likelyFrame(random: Dice, last: number): Buffer {
  const streamId = Math.max(1, last - 2 * Math.floor(random() * 5))
  const number = Math.floor(random() * 200)
  const ends = random() < 0.3 ? ES : 0
  return pick(random, [
    () => get(last + 2),
    () => post(last + 2, 'content-length', String(number), 'priority', `u=${number % 8}`),
    () => post(last + 2),
    () => headers(last + 2, literals('x', '1'), EH | ends),
    () => data(streamId, Buffer.alloc(number * 20), ends),
    () => data(streamId, Buffer.alloc(number), ends),
    () => headers(streamId, literals('x-trailer', '1'), EH | ES),
    () => rstStream(streamId, number % 14),
    () => windowUpdate(pick(random, [0, streamId]), 1 + number * number * number),
    () => settings([pick(random, [1, 3, 4]), pick(random, [0, 1, 100, 20_000])]),
    () => pick(random, [ping(), priority(streamId), priorityUpdate(streamId, 'u=0, i'), frame(0xbe, 0, 0, 'x')]),
  ])()
}

/** Anything. */
function anyFrame(random: Dice): Buffer {
  const streamId = Math.floor(random() * 12)
  const flags = pick(random, [0, ES, EH, EH | ES, PADDED, PADDED | ES, PRIORITY | EH, 0xff])
  const octets = Buffer.from(Array.from({ length: Math.floor(random() * 40) }, () => Math.floor(random() * 256)))
  return pick(random, [
    () => headers(streamId, octets, flags),
    () => continuation(streamId, octets, flags & EH),
    () => settings([pick(random, [2, 4, 5, 8]), 2 ** 31 - 1]),
    () => pick(random, [settingsAck, goaway(0, 0), windowUpdate(streamId, 2 ** 31 - 1)]),
    () => frame(Math.floor(random() * 20), flags, streamId, octets),
  ])()
}

/** Answers in a way of its own, at once or later. */
function serveSomehow(random: Dice, later: (() => void)[]): (served: Served) => void {
  return (served) => {
    const { exchange } = served
    const answers = [
      () => serveHello(served),
      () => exchange.abort(),
      () => exchange.end(),
      () => {
        exchange.respond({ status: 200, fields: [] }, -1)
        exchange.write(Buffer.alloc(100_000))
        exchange.end(['x-trailer', '1'])
      },
      () => exchange.respond({ status: 200, fields: [] }, -1),
      () => served.takeNothing(),
      () => served.takeAgain(),
    ]
    for (let count = 0; count < 3; count++) {
      const answer = pick(random, answers)
      if (random() < 0.5) answer()
      else later.push(answer)
    }
  }
}

function assertEndedOnce({ events }: Served): void {
  const ends = events.filter((event) => event.startsWith('end '))
  assert.deepEqual([ends.length, events.at(-1)], [1, ends[0]])
  assert.ok(events.filter((event) => event.startsWith('content-end')).length <= 1)
}

async function play(seed: number, change: (bytes: Buffer, random: Dice) => Buffer): Promise<void> {
  const random = dice(seed)
  const later: (() => void)[] = []
  const client = new ClientScript({ serve: serveSomehow(random, later) })
  await client.send(PREFACE, settings([4, 1000]), settingsAck)
  let last = -1
  for (let count = 0; count < FRAMES; count++) {
    const bytes = random() < 0.02 ? anyFrame(random) : likelyFrame(random, last)
    if (bytes[3] === 1) last = Math.max(last, bytes.readUInt32BE(5) | 1)
    client.socket.feed(change(bytes, random))
    if (random() < 0.2) later.shift()?.()
    if (random() < 0.1) client.sweep.pass(1000)
    if (random() < 0.2) await client.read()
    if (random() < 0.05) client.socket.stopReading()
    if (random() < 0.2) client.socket.startReading()
  }
  client.socket.startReading()
  for (const act of later) act()
  await client.read()
  client.socket.hangUp()
  await client.read()
  await client.pass(3000)
  assert.ok(client.isClosed)
  assert.notEqual(client.error?.code, 'internal-error', String(client.error?.cause))
  assert.equal(client.sweep.swept.size, 0)
  for (const served of client.served) assertEndedOnce(served)
}

test('frames in any order', async () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    await play(seed, (bytes) => bytes).catch((error) => assert.fail(`seed ${seed}: ${error}`))
})

/** One frame in fifty has an octet changed, missing or too many. */
function mangle(bytes: Buffer, random: Dice): Buffer {
  if (random() > 0.02) return bytes
  const at = Math.floor(random() * bytes.length)
  return pick(random, [
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from([Math.floor(random() * 256)]), bytes.subarray(at + 1)]),
    () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.from([0]), bytes.subarray(at)]),
  ])()
}

test('frames with an octet changed, missing or too many', async () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    await play(seed, mangle).catch((error) => assert.fail(`seed ${seed}: ${error}`))
})

/** What an upstream might send, well or not. */
function anyAnswer(random: Dice, last: number): Buffer {
  if (last < 0) return ping()
  const streamId = Math.max(1, last - 2 * Math.floor(random() * 5))
  const ends = random() < 0.4 ? ES : 0
  if (random() < 0.02) return anyFrame(random)
  return pick(random, [
    () => headers(streamId, literals(':status', '200'), EH | ends),
    () => headers(streamId, literals(':status', pick(random, ['103', '204', '304', '500']), 'x', '1'), EH | ends),
    () => headers(streamId, literals(':status', '200', 'content-length', '5'), EH),
    () => data(streamId, pick(random, ['', 'hello', 'x'.repeat(5000)]), ends),
    () => headers(streamId, literals('x-trailer', '1'), EH | ES),
    () => windowUpdate(pick(random, [0, streamId]), 20_000),
    () => (random() < 0.2 ? rstStream(streamId, Math.floor(random() * 14)) : ping()),
    () => (random() < 0.05 ? goaway(streamId, 0) : settings([4, Math.floor(random() * 100_000)])),
  ])()
}

const isLast = (event: string): boolean => event.startsWith('content-end') || event.startsWith('failure')

function assertOneEnd(asked: Asked, isAborted: boolean): void {
  const { events } = asked
  const ends = events.filter(isLast)
  assert.ok(ends.length === 1 || (isAborted && ends.length === 0), events.join())
  if (ends.length === 1) assert.equal(events.at(-1), ends[0])
}

async function playUpstream(seed: number, change: (bytes: Buffer, random: Dice) => Buffer): Promise<void> {
  const random = dice(seed)
  const upstream = new UpstreamScript()
  const asked: Asked[] = []
  const aborted = new Set<Asked>()
  await upstream.send(settings([8, 1]), settingsAck)
  for (let count = 0; count < FRAMES; count++) {
    if (random() < 0.2) asked.push(upstream.ask({ method: pick(random, ['GET', 'HEAD', 'POST']), contentLength: -1 }))
    if (random() < 0.05) asked.push(upstream.ask({ upgrade: 'websocket', contentLength: -1 }))
    const one = pick(random, asked)
    if (one !== undefined && random() < 0.4) {
      pick(random, [
        () => one.exchange.write(Buffer.alloc(Math.floor(random() * 90_000))),
        () => one.exchange.end(),
        () => one.takeNothing(),
        () => one.takeAgain(),
        () => {
          one.exchange.abort()
          aborted.add(one)
        },
      ])()
    }
    upstream.socket.feed(change(anyAnswer(random, 2 * asked.length - 1), random))
    if (random() < 0.1) upstream.sweep.pass(1000)
    if (random() < 0.3) await upstream.read()
  }
  upstream.socket.hangUp()
  await upstream.read()
  await upstream.pass(3000)
  assert.ok(upstream.isClosed)
  assert.notEqual(upstream.error?.code, 'internal-error', String(upstream.error?.cause))
  for (const one of asked) assertOneEnd(one, aborted.has(one))
}

test('answers of an upstream in any order, whole or not', async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    await playUpstream(seed, (bytes) => bytes).catch((error) => assert.fail(`seed ${seed}: ${error.stack}`))
    await playUpstream(seed, mangle).catch((error) => assert.fail(`mangled, seed ${seed}: ${error.stack}`))
  }
})
