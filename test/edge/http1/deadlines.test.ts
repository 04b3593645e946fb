import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { SERVER_DEADLINES } from '../../../src/edge/http1/deadlines.ts'
import { turns, until } from './peer.ts'
import { served } from './served.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const { idleMs, headMs, contentPauseMs, writeStallMs, tunnelIdleMs, halfClosedMs } = SERVER_DEADLINES

test('a connection without a request closes without a word', async (t) => {
  const { client, pass } = await served(t, (seen) => seen.answer('ok'))
  const silent = await client()
  const idle = await client()
  pass(idleMs - 1000)
  idle.say(GET)
  await idle.hear('ok')
  pass(1001)
  assert.equal(await silent.hearEnd(), '')
  pass(idleMs - 1001)
  idle.say(GET)
  await idle.hear('ok')
  pass(idleMs + 1)
  assert.equal(await idle.hearEnd(), '')
})

test('a head has a time from its first byte, not between its bytes: 408 (RFC 9110 §15.5.9)', async (t) => {
  const { client, pass, refusals, refused } = await served(t)
  const peer = await client()
  pass(60_000)
  for (const byte of GET.slice(0, 10)) {
    peer.say(byte)
    await turns(20)
    pass((headMs + 10) / 10)
  }
  assert.match(await peer.hearEnd(), /^HTTP\/1\.1 408 [\s\S]*Connection: close/)
  assert.deepEqual(refusals, ['head-incomplete-in-time'])
  const [told] = refused
  assert.deepEqual([told?.status, told?.method, told?.target], [408, 'GET', '/'])
  assert.equal(told?.durationMs, headMs + 10)
})

test('content that pauses is a 408, unless it is we who do not take it', async (t) => {
  const { client, pass, request, refusals } = await served(t)
  const peer = await client()
  peer.say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n')
  const seen = await request(0)
  peer.say('x'.repeat(9_000))
  await until(() => seen.contentBytes === 9_000)
  pass(contentPauseMs)
  seen.takesMore = false
  peer.say('y')
  await until(() => seen.contentBytes === 9_001)
  pass(10 * contentPauseMs)
  assert.equal(seen.outcome, undefined)
  seen.exchange.resume()
  pass(contentPauseMs + 1)
  assert.match(await peer.hearEnd(), /^HTTP\/1\.1 408 /)
  assert.partialDeepStrictEqual(seen.outcome, { status: 408, why: 'content-incomplete-in-time' })
  assert.deepEqual(refusals, ['content-incomplete-in-time'])
})

test('content that trickles is a 408, unless it is answered already', async (t) => {
  const { client, pass, request } = await served(t)
  const trickle = async (seen: Awaited<ReturnType<typeof request>>, say: (text: string) => void): Promise<void> => {
    for (let second = 0; second < 12 && seen.outcome === undefined; second++) {
      const before = seen.contentBytes
      say('x')
      await until(() => seen.contentBytes > before || seen.outcome !== undefined)
      pass(1000)
    }
  }
  const slow = await client()
  slow.say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
  await trickle(await request(0), (text) => slow.say(text))
  assert.match(await slow.hearEnd(), /^HTTP\/1\.1 408 /)
  const talking = await client()
  talking.say('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n')
  const seen = await request(1)
  seen.exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
  await trickle(seen, (text) => talking.say(text))
  assert.equal(seen.outcome, undefined)
})

test('a client that takes nothing of what waits for it is cut off', async (t) => {
  const { client, pass, request } = await served(t)
  const peer = await client()
  peer.socket.pause()
  peer.say(GET)
  const seen = await request(0)
  seen.exchange.respond({ status: 200, fields: [] }, UNKNOWN_LENGTH)
  const piece = Buffer.alloc(64 * 1024)
  while (seen.exchange.write(piece)) await turns(1)
  pass(writeStallMs - 1000)
  await turns()
  assert.equal(seen.outcome, undefined)
  // The system may have taken a little more meanwhile, from where the time counts anew.
  await until(() => {
    pass(1001)
    return seen.outcome?.result === 'aborted'
  })
})

test('a response that takes its time has no deadline here', async (t) => {
  const { client, pass, request } = await served(t)
  const peer = await client()
  peer.say(GET)
  const seen = await request(0)
  for (let minute = 0; minute < 60; minute++) pass(60_000)
  seen.answer('at last')
  await peer.hear('at last')
})

test('another protocol ends after an hour without a byte, or a minute once one side has ended', async (t) => {
  const { client, pass, request } = await served(t)
  for (const [index, limit] of [tunnelIdleMs, halfClosedMs].entries()) {
    const peer = await client()
    peer.say('GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    const seen = await request(index)
    seen.exchange.respond({ status: 101, fields: [] }, UNKNOWN_LENGTH)
    await peer.hear('\r\n\r\n')
    if (limit === halfClosedMs) {
      peer.socket.end()
      await until(() => seen.trailers !== undefined)
    }
    pass(limit - 1000)
    await turns()
    assert.equal(seen.outcome, undefined)
    pass(1001)
    await until(() => seen.outcome !== undefined)
  }
})
