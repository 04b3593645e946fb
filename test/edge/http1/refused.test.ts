import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RefusedRequest } from '../../../src/edge/exchange/refused-request.ts'
import { turns, until } from './peer.ts'
import { served } from './served.ts'

/** Of the content of the only response. */
function pageBytes(answer: string): number {
  return answer.length - answer.indexOf('\r\n\r\n') - 4
}

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

for (const [bytes, status, code] of [
  ['GET / HTTP/1.1\r\n\r\n', 400, 'host-missing'],
  ['GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505, 'version-unsupported'],
  [`GET /${'x'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'request-line-too-long'],
  [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`, 431, 'fields-too-large'],
  [`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(100)}\r\n`, 431, 'fields-too-many'],
  ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', 501, 'transfer-encoding-unsupported'],
  ['POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n', 417, 'expectation-unsupported'],
  ['CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 405, 'method-not-served'],
  ['\x16\x03\x01\x02\x00', 400, 'request-line-malformed'],
  ['GET / HTTP/1.1\nHost: a\n\n', 400, 'version-malformed'],
] as const)
  test(`is told ${status} for ${code}, and no more is read as a request`, async (t) => {
    const { client, seen, refusals, refused } = await served(t, (one) => one.answer('ok'))
    const peer = await client()
    peer.say(bytes + GET)
    const answer = await peer.hearEnd()
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} [\\s\\S]*\r\nConnection: close\r\n\r\n<!doctype`))
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1)
    assert.equal(Number(/Content-Length: (\d+)/.exec(answer)?.[1]), pageBytes(answer))
    assert.deepEqual(refusals, [code])
    assert.equal(seen.length, 0)
    const [told] = refused
    assert.deepEqual([told?.status, told?.why, told?.bytes], [status, code, pageBytes(answer)])
    assert.equal(refused.length, 1)
  })

test('what a refused request seems to say is told, as far as it has come', async (t) => {
  const { client, refused } = await served(t)
  for (const [head, method, target, authority] of [
    ['GET /x HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n', 'GET', '/x', 'a.test'],
    ['GET /x HTTP/1.1\r\nHost: a.test\r\nX\u001b[2J', 'GET', '/x', 'a.test'],
    ['G\u001b[2J /\u009b HTTP/1.1\r\nHost: "\r\n\r\n', 'G\u001b[2J', '/\u009b', '"'],
    ['\u0001', undefined, undefined, undefined],
  ] as const) {
    const peer = await client()
    // In two pieces, so that some of it is held when the rest comes; the bare line feed is what ends the second.
    peer.say(head.slice(0, 3))
    await turns(10)
    peer.say(`${head.slice(3)}\n`)
    await peer.hearEnd()
    const told = refused.pop()
    assert.deepEqual([told?.method, told?.target, told?.authority], [method, target, authority], head)
    assert.equal(refused.length, 0)
  }
})

test('a refused request that came behind another tells of itself', async (t) => {
  const { client, refused } = await served(t, (one) => one.answer('ok'))
  const peer = await client()
  peer.say(`${GET}PUT /second HTTP/1.1\r\nHost: b.test\r\nContent-Length: x\r\n\r\n`)
  await peer.hearEnd()
  const [{ method, target, authority, why }] = refused as [RefusedRequest]
  assert.deepEqual([method, target, authority, why], ['PUT', '/second', 'b.test', 'content-length-invalid'])
})

test('content that is refused is told with its request, and not as one of its own', async (t) => {
  const { client, seen, refused } = await served(t)
  const peer = await client()
  peer.say('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx')
  await peer.hearEnd()
  assert.deepEqual([seen[0]?.outcome?.why, refused], ['chunk-size-invalid', []])
})

test('405 says what is served (RFC 9110 §15.5.6)', async (t) => {
  const { client } = await served(t)
  const peer = await client()
  peer.say('CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n')
  assert.match(await peer.hearEnd(), /\r\nAllow: GET, /)
})

test('a refusal is read even by a client that goes on sending (RFC 9112 §9.6)', async (t) => {
  const { client } = await served(t)
  const peer = await client()
  peer.say(`GET / HTTP/1.1\r\n\r\n${'x'.repeat(500_000)}`)
  assert.match(await peer.hearEnd(), /^HTTP\/1\.1 400 /)
  peer.say('x'.repeat(100_000))
  await turns(20)
  peer.socket.end()
  assert.equal(await peer.closed(), 'clean')
})

test('a client that goes on for ever is cut off', async (t) => {
  const { client, pass, socket } = await served(t)
  const peer = await client()
  peer.say('GET / HTTP/1.1\r\n\r\n')
  await peer.hearEnd()
  pass(4_000)
  peer.say('x')
  await turns(20)
  assert.equal(socket().destroyed, false)
  pass(2_000)
  assert.equal(socket().destroyed, true)
})

test('what comes after a last request is no request (RFC 9112 §9.6)', async (t) => {
  const { client, seen } = await served(t, (one) => one.answer('last'))
  const peer = await client()
  peer.say(`GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n${GET}`)
  assert.equal((await peer.hearEnd()).match(/last/g)?.length, 1)
  assert.equal(seen.length, 1)
})

test('chunks that are malformed before there is a response are a 400, and the receiver hears the end', async (t) => {
  const { client, request, refusals } = await served(t)
  const peer = await client()
  peer.say('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n')
  const seen = await request(0)
  const answer = await peer.hearEnd()
  assert.match(answer, /^HTTP\/1\.1 400 /)
  assert.equal(seen.content, 'abc')
  assert.equal(seen.trailers, undefined)
  const bytes = pageBytes(answer)
  assert.deepEqual(seen.outcome, { result: 'aborted', status: 400, bytes, why: 'chunk-end-invalid' })
  assert.deepEqual(refusals, ['chunk-end-invalid'])
})

test('chunks that are malformed after the response has begun break it off', async (t) => {
  const { client, request } = await served(t)
  const peer = await client()
  peer.say('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  const seen = await request(0)
  seen.exchange.respond({ status: 200, fields: [] }, 100)
  await peer.hear('\r\n\r\n')
  peer.say('x')
  assert.equal(await peer.hearEnd(), '')
  assert.deepEqual(seen.outcome, { result: 'aborted', status: 200, bytes: 0, why: 'chunk-size-invalid' })
})

test('chunks that are malformed after the response is out close the connection', async (t) => {
  const { client, request, seen } = await served(t, (one) => one.answer('early'))
  const peer = await client()
  peer.say('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  await peer.hear('early')
  const first = await request(0)
  await until(() => first.outcome !== undefined)
  peer.say(`x${GET}`)
  assert.equal(await peer.hearEnd(), '')
  assert.equal(seen.length, 1)
})
