import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { turns, until } from '../http1/peer.ts'
import {
  continuation,
  data,
  EH,
  ES,
  GET,
  get,
  headers,
  literals,
  POST,
  ping,
  post,
  rstStream,
  settings,
  windowUpdate,
} from '../http2/frames.ts'
import { siteOf } from '../serve.ts'
import { connectFrames } from './frame-client.ts'
import { runEdge } from './running-edge.ts'
import { ScriptedOrigin } from './scripted-origin.ts'
import { Witness } from './witness.ts'

// Frames to a running edge, whose upstream speaks HTTP/1.1: what HTTP/2 can carry and HTTP/1.1 cannot must not get there.

const witness = await new Witness().listen({ after })
const edge = await runEdge({ after }, [siteOf(witness.address)])

const instead = (name: string, ...values: string[]): string[] => {
  const at = GET.indexOf(name)
  return [...GET.slice(0, at), ...values.flatMap((value) => [name, value]), ...GET.slice(at + 2)]
}

const MALFORMED: readonly (readonly [name: string, fields: readonly string[]])[] = [
  ['a name in upper case (RFC 9113 §8.2.1)', [...GET, 'X-Upper', '1']],
  ['a name with a space', [...GET, 'x y', '1']],
  ['a name with CRLF', [...GET, 'x\r\nhost: b.test', '1']],
  ['a name with a colon', [...GET, 'x: y', '1']],
  ['a value with CRLF', [...GET, 'x', '1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n']],
  ['a value with CR', [...GET, 'x', '1\r2']],
  ['a value with NUL', [...GET, 'x', '1\0']],
  ['a value with a space at its edge', [...GET, 'x', ' 1']],
  ['connection (RFC 9113 §8.2.2)', [...GET, 'connection', 'close']],
  ['transfer-encoding', [...GET, 'transfer-encoding', 'chunked']],
  ['upgrade', [...GET, 'upgrade', 'websocket']],
  ['keep-alive', [...GET, 'keep-alive', '1']],
  ['proxy-connection', [...GET, 'proxy-connection', 'close']],
  ['te other than trailers', [...GET, 'te', 'gzip']],
  ['content-length with END_STREAM on HEADERS (RFC 9113 §8.1.1)', [...POST, 'content-length', '5']],
  ['two content-lengths', [...GET, 'content-length', '0', 'content-length', '0']],
  ['a content-length with a sign', [...GET, 'content-length', '+0']],
  [':method missing (RFC 9113 §8.3.1)', instead(':method')],
  [':path missing', instead(':path')],
  [':scheme missing', instead(':scheme')],
  [':authority missing', instead(':authority')],
  [':method twice', instead(':method', 'GET', 'GET')],
  [':path twice', instead(':path', '/', '/smuggled')],
  [':authority twice', instead(':authority', 'a.test', 'a.test')],
  ['an unknown pseudo-header field', [...GET, ':x', '1']],
  ['a pseudo-header field after others', [...GET.slice(0, 6), 'x', '1', ...GET.slice(6)]],
  [':path without a slash', instead(':path', 'x')],
  [':path with a space', instead(':path', '/ HTTP/1.1')],
  [':path with CRLF', instead(':path', '/ HTTP/1.1\r\nHost: b.test\r\n\r\nGET /smuggled')],
  [':path with a fragment', instead(':path', '/#x')],
  [':path that is absolute', instead(':path', 'http://a.test/')],
  [':method that is no token', instead(':method', 'GET /smuggled HTTP/1.1\r\n')],
  [':scheme that is neither', instead(':scheme', 'file')],
  [':scheme with a path', instead(':scheme', 'http://b.test/?')],
  [':authority with userinfo', instead(':authority', 'x@a.test')],
  [':authority with CRLF', instead(':authority', 'a.test\r\nx: y')],
  [':authority other than host', [...GET, 'host', 'b.test']],
]

for (const [name, fields] of MALFORMED)
  test(`refuses ${name}, and nothing of it gets to the upstream`, async (t) => {
    const client = await connectFrames(t, edge)
    client.say(headers(1, literals(...fields), EH | ES))
    const line = await Promise.race([client.hear('RST_STREAM 1 PROTOCOL_ERROR'), client.hear('HEADERS 1')])
    assert.match(line, /^RST_STREAM|:status=400/)
    client.say(get(3))
    assert.match(await client.hear('HEADERS 3'), /:status=200/)
    assert.deepEqual(
      witness.testimony().map(({ target }) => target),
      ['/'],
    )
  })

for (const [name, frames] of [
  ['content beyond its length', [post(1, 'content-length', '2'), data(1, 'abc', ES)]],
  ['content short of its length', [post(1, 'content-length', '5'), data(1, 'abc', ES)]],
  ['trailers that come before all of it', [post(1, 'content-length', '5'), headers(1, literals('x', '1'), EH | ES)]],
  ['a pseudo-header field in its trailers', [post(1), headers(1, literals(':path', '/'), EH | ES)]],
  ['a connection field in its trailers', [post(1), headers(1, literals('connection', 'x'), EH | ES)]],
  ['an invalid value in its trailers', [post(1), headers(1, literals('x', 'a\r\nb'), EH | ES)]],
] as const)
  test(`resets a request that has ${name}, and the upstream gets none of it whole (RFC 9113 §8.1.1)`, async (t) => {
    const client = await connectFrames(t, edge)
    client.say(...frames)
    await client.hear('RST_STREAM 1 PROTOCOL_ERROR')
    client.say(get(3))
    await client.hear('HEADERS 3')
    assert.deepEqual(
      witness.testimony().map(({ method }) => method),
      ['GET'],
    )
  })

test('crumbs are one cookie, names of object members are fields, content and trailers go through', async (t) => {
  const client = await connectFrames(t, edge)
  const fields = ['cookie', 'a=1', '__proto__', 'x', 'cookie', 'b=2', 'te', 'trailers']
  client.say(post(1, ...fields), data(1, 'hello'), data(1, ' world'))
  client.say(headers(1, literals('x-sum', '1', 'content-length', '3', 'authorization', 'x'), EH | ES))
  assert.match(await client.hear('HEADERS 1'), /:status=200/)
  const [seen] = witness.testimony()
  assert.deepEqual([seen?.content, seen?.trailers], ['hello world', ['x-sum', '1']])
  assert.deepEqual(seen?.fields.slice(0, 6), ['Host', 'a.test', '__proto__', 'x', 'cookie', 'a=1; b=2'])
  assert.equal(seen.fields[seen.fields.indexOf('TE') + 1], 'trailers')
})

test('trailers cannot claim what only a proxy can know', async (t) => {
  const client = await connectFrames(t, edge)
  const claims = ['forwarded', 'x-forwarded-for', 'x_forwarded_for', 'x.forwarded.proto', 'x-real-ip', 'x_real-ip']
  client.say(post(1), data(1, 'x'), headers(1, literals(...claims.flatMap((name) => [name, '6.6.6.6'])), EH | ES))
  await client.hear('HEADERS 1')
  assert.deepEqual(witness.testimony()[0]?.trailers, [])
})

test('a tunnel is not served (RFC 9110 §9.3.6)', async (t) => {
  const client = await connectFrames(t, edge)
  client.say(headers(1, literals(':method', 'CONNECT', ':authority', 'a.test:443')))
  assert.match(await client.hear('HEADERS 1'), /:status=405/)
})

for (const [name, code, frames] of [
  ['Rapid Reset (CVE-2023-44487)', 'ENHANCE_YOUR_CALM', (at: number) => [get(at), rstStream(at, 8)]],
  ['MadeYouReset (CVE-2025-8671)', 'ENHANCE_YOUR_CALM', (at: number) => [get(at), windowUpdate(at, 0)]],
  ['PINGs', 'ENHANCE_YOUR_CALM', () => [ping()]],
  ['SETTINGS', 'ENHANCE_YOUR_CALM', () => [settings()]],
  ['empty DATA', 'ENHANCE_YOUR_CALM', (at: number) => (at === 1 ? [post(1)] : [data(1, '')])],
] as const)
  test(`a flood of ${name} ends the connection, and no other`, async (t) => {
    const other = await connectFrames(t, edge)
    const client = await connectFrames(t, edge)
    for (let at = 1; at < 1200; at += 2) client.say(...frames(at))
    assert.match(await client.hear('GOAWAY'), new RegExp(code))
    await client.closed()
    other.say(get(1))
    await other.hear('HEADERS 1')
    witness.testimony()
  })

for (const [name, block] of [
  ['CONTINUATION', 'x'],
  ['empty CONTINUATION', ''],
] as const)
  test(`a flood of ${name} ends the connection (CVE-2024-27316)`, async (t) => {
    const client = await connectFrames(t, edge)
    client.say(headers(1, literals(...GET), 0))
    for (let count = 0; count < 20; count++)
      client.say(continuation(1, block === '' ? '' : literals(`x${count}`, block), 0))
    assert.match(await client.hear('GOAWAY'), /ENHANCE_YOUR_CALM/)
    await client.closed()
  })

test('a bomb of references or crumbs is a 431 (CVE-2026-49975)', async (t) => {
  const client = await connectFrames(t, edge)
  const reference = Buffer.alloc(10_000, 0x80 | 62)
  const bomb = Buffer.concat([literals(...GET), Buffer.from([0x40, 1, 0x78, 1, 0x79]), reference])
  client.say(headers(1, bomb, EH | ES))
  assert.match(await client.hear('HEADERS 1'), /:status=431/)
  client.say(get(3, ...Array.from({ length: 100 }, () => ['cookie', 'a']).flat()))
  assert.match(await client.hear('HEADERS 3'), /:status=431/)
  assert.deepEqual(witness.testimony(), [])
})

for (const [name, frames] of [
  ['that of a stream', [get(1), windowUpdate(1, 2 ** 31 - 1)]],
  ['that of the connection', [windowUpdate(0, 2 ** 31 - 1)]],
] as const)
  test(`a window beyond 2^31-1, ${name}, ends it (CVE-2026-21714)`, async (t) => {
    const client = await connectFrames(t, edge)
    client.say(...frames)
    if (name === 'that of a stream') assert.match(await client.hear('RST_STREAM 1'), /FLOW_CONTROL_ERROR/)
    else {
      assert.match(await client.hear('GOAWAY'), /FLOW_CONTROL_ERROR/)
      await client.closed()
    }
    await turns()
    witness.testimony()
  })

test('a stream that is reset cancels its request at once, and each upstream connection has been let go', async (t) => {
  const origin = await new ScriptedOrigin().listen(t)
  const own = await runEdge(t, [siteOf(origin.address)])
  const client = await connectFrames(t, own)
  origin.on('/', () => {})
  for (let at = 1; at < 100; at += 2) client.say(get(at))
  await until(() => origin.open.size === 50)
  for (let at = 1; at < 100; at += 2) client.say(rstStream(at, 8))
  await until(() => origin.open.size === 0)
})

test('a window of zero, or one byte at a time, stops the upstream (RFC 9113 §5.2)', async (t) => {
  const origin = await new ScriptedOrigin().listen(t)
  const own = await runEdge(t, [siteOf(origin.address)])
  const INITIAL_WINDOW = 4
  const client = await connectFrames(t, own, [INITIAL_WINDOW, 0])
  let written = 0
  origin.on('/', (socket) => {
    const piece = Buffer.alloc(65_536)
    const write = (): void => {
      do written += piece.length
      while (socket.write(piece))
      socket.once('drain', write)
    }
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n')
    write()
  })
  client.say(get(1))
  await client.hear('HEADERS 1')
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  for (let count = 0; count < 5; count++) client.say(windowUpdate(1, 1))
  await until(() => client.trace.contentOf(1).length === 5)
  assert.ok(written < 20_000_000, `the upstream was let write ${written} bytes`)
})
