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

// Frames in any order, and any bytes: whatever comes, every request ends once, and nothing throws.

const SEEDS = 300
const FRAMES = 60

type Dice = () => number

function anyFrame(random: Dice): Buffer {
  const streamId = Math.floor(random() * 12)
  const number = Math.floor(random() * 200)
  const flags = pick(random, [0, ES, EH, EH | ES, PADDED, PADDED | ES, PRIORITY | EH, 0xff])
  return pick(random, [
    () => get(streamId | 1),
    () => get(streamId | 1),
    () => post(streamId | 1, 'content-length', String(number)),
    () => post(streamId | 1),
    () => data(streamId, Buffer.alloc(number * 20), flags & (ES | PADDED)),
    () => data(streamId | 1, Buffer.alloc(number), flags & ES),
    () => headers(streamId | 1, literals('x-trailer', '1'), EH | ES),
    () => headers(streamId, Buffer.from(Array.from({ length: number % 40 }, () => Math.floor(random() * 256))), flags),
    () => continuation(streamId, literals('x', '1'), flags & EH),
    () => rstStream(streamId | 1, number % 14),
    () => windowUpdate(pick(random, [0, streamId | 1]), number * number * 1000),
    () => settings([pick(random, [1, 3, 4, 5, 8]), pick(random, [0, 1, 100, 20_000, 2 ** 31 - 1])]),
    () => pick(random, [settingsAck, ping(), goaway(0, 0), priority(streamId), priorityUpdate(streamId, 'u=0, i')]),
    () => frame(Math.floor(random() * 20), flags, streamId, Buffer.alloc(number % 20)),
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

async function play(seed: number, mangle: (bytes: Buffer, random: Dice) => Buffer): Promise<void> {
  const random = dice(seed)
  const later: (() => void)[] = []
  const client = new ClientScript({ serve: serveSomehow(random, later) })
  await client.send(PREFACE, settings([4, 1000]), settingsAck)
  for (let count = 0; count < FRAMES; count++) {
    client.socket.feed(mangle(anyFrame(random), random))
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

test('frames with an octet changed, missing or too many', async () => {
  const mangle = (bytes: Buffer, random: Dice): Buffer => {
    if (random() > 0.1) return bytes
    const at = Math.floor(random() * bytes.length)
    return pick(random, [
      () => Buffer.concat([bytes.subarray(0, at), Buffer.from([Math.floor(random() * 256)]), bytes.subarray(at + 1)]),
      () => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]),
      () => Buffer.concat([bytes.subarray(0, at), Buffer.from([0]), bytes.subarray(at)]),
    ])()
  }
  for (let seed = 1; seed <= SEEDS; seed++)
    await play(seed, mangle).catch((error) => assert.fail(`seed ${seed}: ${error}`))
})
