import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RefusedRequest } from '../../../src/edge/exchange/refused-request.ts'
import { bytewise } from '../client-hello/every-split.ts'
import { ClientScript, connectedClient } from './client-script.ts'
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
  PADDED,
  POST,
  PREFACE,
  PRIORITY,
  ping,
  post,
  rstStream,
  settings,
  settingsAck,
} from './frames.ts'

// Requests as their handler sees them (RFC 9113 §8.1 to §8.3).

test('a request without content', async () => {
  const client = await connectedClient()
  await client.send(get(1, 'accept', '*/*', 'te', 'trailers'))
  const { exchange, events } = client.served[0]!
  assert.deepEqual(exchange.request, {
    method: 'GET',
    scheme: 'https',
    authority: 'a.test',
    target: '/',
    version: '2',
    fields: ['accept', '*/*', 'te', 'trailers'],
    upgrade: undefined,
    takesTrailers: true,
  })
  assert.equal(exchange.contentLength, 0)
  assert.equal(exchange.expectsContinue, false)
  assert.deepEqual(events, ['content-end'])
})

test('a request with content and trailers, in all ways to write it (§4.3, §6.1, §6.2)', async () => {
  const block = literals(...POST, 'x', '1')
  const padded = Buffer.concat([Buffer.from([3]), Buffer.alloc(5), block, Buffer.alloc(3)])
  const heads = [
    [headers(1, block)],
    [headers(1, padded, EH | PADDED | PRIORITY)],
    [headers(1, Buffer.alloc(0), 0), continuation(1, block.subarray(0, 1), 0), continuation(1, block.subarray(1))],
  ]
  const contents = [
    [data(1, 'content')],
    [frame(0, PADDED, 1, Buffer.concat([Buffer.from([2]), Buffer.from('cont\0\0')])), data(1, ''), data(1, 'ent')],
  ]
  for (const head of heads) {
    for (const content of contents) {
      const bytes = Buffer.concat([...head, ...content, headers(1, literals('x-sum', '7'), EH | ES)])
      for (const chunks of [[bytes], bytewise(bytes)]) {
        const client = await connectedClient()
        await client.send(...chunks)
        const served = client.served[0]!
        assert.deepEqual(served.exchange.request.fields, ['x', '1'])
        assert.equal(served.exchange.contentLength, -1)
        assert.equal(served.content, 'content')
        assert.equal(served.events.at(-1), 'content-end x-sum 7')
      }
    }
  }
})

test('content of an announced length', async () => {
  const client = await connectedClient()
  await client.send(post(1, 'content-length', '3'), data(1, 'abc', ES))
  assert.equal(client.served[0]!.exchange.contentLength, 3)
  assert.deepEqual(client.served[0]!.exchange.request.fields, ['content-length', '3'])
  assert.deepEqual(client.served[0]!.events, ['content 3', 'content-end'])
})

test('cookie crumbs are one field again (§8.2.3)', async () => {
  const client = await connectedClient()
  await client.send(get(1, 'cookie', 'a=1', 'x', '1', 'cookie', 'b=2; c=3'))
  assert.deepEqual(client.served[0]!.exchange.request.fields, ['x', '1', 'cookie', 'a=1; b=2; c=3'])
  await client.send(get(3, 'cookie', '', 'cookie', 'a=1', 'cookie', '', 'cookie', 'b=2', 'cookie', ''))
  assert.deepEqual(client.served[1]!.exchange.request.fields, ['cookie', 'a=1; b=2'])
})

test('host stands in for :authority, and may repeat it in other words (§8.3.1)', async () => {
  const client = await connectedClient()
  const noAuthority = GET.slice(0, 6)
  await client.send(
    headers(1, literals(...noAuthority, 'host', 'b.test:8443'), EH | ES),
    get(3, 'host', 'A.test:443'),
    get(5, 'host', 'a.test'),
  )
  const authorities = client.served.map(({ exchange }) => exchange.request.authority)
  assert.deepEqual(authorities, ['b.test:8443', 'a.test', 'a.test'])
  for (const { exchange } of client.served) assert.deepEqual(exchange.request.fields, [])
})

test('the default port is that of the scheme', async () => {
  const client = await connectedClient({ scheme: 'http' })
  await client.send(get(1, 'host', 'a.test:80'), get(3, 'host', 'a.test:443'))
  assert.equal(client.served.length, 1)
  assert.equal(client.served[0]!.exchange.request.scheme, 'http')
})

test('OPTIONS * (§8.3.1)', async () => {
  const client = await connectedClient()
  const fields = [':method', 'OPTIONS', ':scheme', 'https', ':path', '*', ':authority', 'a.test']
  await client.send(headers(1, literals(...fields), EH | ES))
  assert.equal(client.served[0]!.exchange.request.target, '*')
})

test('names that objects have are plain fields', async () => {
  const client = await connectedClient()
  await client.send(get(1, '__proto__', '1', 'constructor', '2'))
  assert.deepEqual(client.served[0]!.exchange.request.fields, ['__proto__', '1', 'constructor', '2'])
})

test('a request that waits for 100 (RFC 9110 §10.1.1)', async () => {
  const client = await connectedClient()
  await client.send(post(1, 'expect', '100-continue'))
  const { exchange } = client.served[0]!
  assert.equal(exchange.expectsContinue, true)
  exchange.inform({ status: 100, fields: [] })
  assert.deepEqual(await client.read(), ['HEADERS 1 :status=100'])
})

test('trailers lose what may not come after the content (RFC 9110 §6.5.1)', async () => {
  const client = await connectedClient()
  await client.send(
    post(1),
    headers(1, literals('content-length', '9', 'x', '1', 'host', 'b.test', 'authorization', 'y'), EH | ES),
  )
  assert.deepEqual(client.served[0]!.events, ['content-end x 1'])
})

test('a client that resets its stream ends the request at once (§5.4.2)', async () => {
  const client = await connectedClient()
  assert.deepEqual(await client.send(post(1), data(1, 'x'), rstStream(1, 8), ping()), ['PING ACK 12345678'])
  assert.deepEqual(client.served[0]!.events, ['content 1', 'end aborted 0'])
  const { exchange } = client.served[0]!
  exchange.respond({ status: 200, fields: [] }, 0)
  exchange.end()
  exchange.abort()
  exchange.resume()
  assert.deepEqual(await client.read(), [])
})

test('what expects something else than 100-continue is answered 417 (RFC 9110 §10.1.1)', async () => {
  const client = await connectedClient()
  for (const [at, value] of ['x', '100-continue, x', 'x=1'].entries())
    assert.match((await client.send(get(2 * at + 1, 'expect', value)))[0]!, /:status=417 .* date=/)
  assert.equal(client.served.length, 0)
  await client.send(post(7, 'expect', ', 100-Continue'))
  assert.equal(client.served[0]?.exchange.expectsContinue, true)
})

test('fields beyond the limits are answered 431, and the next request is served (§10.5.1)', async () => {
  const client = await connectedClient()
  const large = get(1, 'x', 'y'.repeat(16_000), 'x', 'y'.repeat(300))
  const crumbs = Array.from({ length: 100 }, (_, at) => ['cookie', `c${at}=1`]).flat()
  const client2 = await connectedClient({ limits: { maxHeaderListBytes: 16_000 } })
  assert.deepEqual(await client2.send(large, get(3)), [
    'HEADERS 1 ES :status=431 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT',
  ])
  assert.equal(client2.served.length, 1)
  const [{ status, why, method, authority }] = client2.refused as [RefusedRequest]
  assert.deepEqual([status, why, method, authority], [431, 'fields-too-large', 'GET', 'a.test'])
  assert.deepEqual(await client.send(post(1, ...crumbs), get(3)), [
    'HEADERS 1 ES :status=431 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT',
    'RST_STREAM 1 NO_ERROR',
  ])
  assert.equal(client.served.length, 1)
})

test('what still comes for a request that was answered 431 or 405 is no error (§5.1)', async () => {
  const client = await connectedClient({ limits: { maxFields: 6 } })
  const large = post(1, 'a', '1', 'b', '2', 'c', '3')
  const connect = headers(3, literals(':method', 'CONNECT', ':authority', 'a.test:443'))
  const rest = [1, 3].flatMap((streamId) => [data(streamId, 'x'), headers(streamId, literals('x', '1'), EH | ES)])
  const lines = await client.send(large, connect, ...rest, ping())
  assert.deepEqual(lines.at(-1), 'PING ACK 12345678')
  assert.equal(lines.length, 5)
})

test('more streams than allowed are refused, and can be sent again (§5.1.2, §8.7)', async () => {
  const client = await connectedClient({ limits: { maxConcurrentStreams: 2 } })
  assert.deepEqual(await client.send(get(1), get(3), get(5)), ['RST_STREAM 5 REFUSED_STREAM'])
  client.served[0]!.exchange.respond({ status: 204, fields: [] }, 0)
  client.served[0]!.exchange.end()
  assert.deepEqual(await client.read(), ['HEADERS 1 ES :status=204'])
  assert.deepEqual(await client.send(get(7)), [])
  assert.equal(client.served.length, 3)
})

test('the settings that a client is told', async () => {
  const client = new ClientScript()
  await client.read()
  const fresh = new ClientScript({ limits: { maxConcurrentStreams: 7, maxHeaderListBytes: 1000 } })
  await new Promise((resolve) => setImmediate(resolve))
  const written = fresh.socket.takeWritten()
  assert.deepEqual(written.subarray(0, 33), settings([3, 7], [6, 1000], [8, 1], [9, 1]))
  assert.deepEqual(await client.send(PREFACE, settings(), settingsAck), ['SETTINGS ACK'])
})

test('a socket that was paused, with what was read ahead put back', async () => {
  const client = new ClientScript({
    prepare: (socket) => {
      socket.pause()
      socket.unshift(PREFACE)
    },
  })
  await client.send(settings(), settingsAck, get(1))
  assert.equal(client.served.length, 1)
})
