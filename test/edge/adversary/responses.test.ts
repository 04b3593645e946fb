import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { siteOf } from '../serve.ts'
import { askHttp2, connectHttp2 } from './http2-client.ts'
import { runEdge, statusesIn, WAYS } from './running-edge.ts'
import { type Script, ScriptedOrigin } from './scripted-origin.ts'

// An upstream that answers with bytes that are wrong, through a running edge to clients of HTTP/1.1 and HTTP/2. A client
// is told 502, or can tell that what it got is not whole; and nobody else gets any of it.

const origin = await new ScriptedOrigin().listen({ after })
const edge = await runEdge({ after }, [siteOf(origin.address)])
const session = await connectHttp2({ after }, edge)

const NO_ERROR = 0
const OK = 'HTTP/1.1 200 OK\r\n'
const POISON = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'

const get = (target: string, method = 'GET'): string =>
  `${method} ${target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n`

/** The upstream is of use to the next client, who gets the right answer. */
async function assertUnspoilt(): Promise<void> {
  for (let count = 0; count < 3; count++) {
    const answer = await edge.tell('http', get('/ok'))
    assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nok$/)
  }
}

/** Says these bytes, and then nothing more. */
const says =
  (bytes: string): Script =>
  (socket) =>
    socket.write(bytes, 'latin1')

/** Says these bytes and closes, by an end or by a reset. */
const leaves =
  (bytes: string, how: 'end' | 'reset'): Script =>
  (socket) => {
    socket.write(bytes, 'latin1', () => {
      if (how === 'end') socket.end()
      // What was said should arrive before the reset does.
      else setTimeout(() => socket.resetAndDestroy(), 20)
    })
  }

type Malformed = readonly [name: string, bytes: string]

const MALFORMED: Readonly<Record<string, readonly Malformed[]>> = {
  'framing that is unclear (RFC 9112 §6.3)': [
    ['length and chunks', `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!`],
    ['two equal lengths', `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nok`],
    ...['+2', '-2', '0x2', '2,2', '', '2 2', '99999999999999999999'].map(
      (length): Malformed => [`the length ${JSON.stringify(length)}`, `${OK}Content-Length: ${length}\r\n\r\nok`],
    ),
    ...['gzip', 'gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', ''].map(
      (coding): Malformed => [
        `the coding ${JSON.stringify(coding)}`,
        `${OK}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`,
      ],
    ),
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ],
  'a status line that is none (RFC 9112 §4)': [
    ...[
      'HTTP/1.1 99 OK',
      'HTTP/1.1 600 OK',
      'HTTP/1.1 000 OK',
      'HTTP/1.1 2000 OK',
      'HTTP/1.1 20x OK',
      'HTTP/1.1  200 OK',
    ].map((line): Malformed => [line, `${line}\r\nContent-Length: 2\r\n\r\nok`]),
    ...[
      'HTTP/2.0 200 OK',
      'HTTP/1.2 200 OK',
      'http/1.1 200 OK',
      'ICY 200 OK',
      ' HTTP/1.1 200 OK',
      '\r\nHTTP/1.1 200 OK',
      'HTTP/1.1',
    ].map((line): Malformed => [JSON.stringify(line), `${line}\r\nContent-Length: 2\r\n\r\nok`]),
    ['a control in the reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nok'],
    ['a line that does not end', `HTTP/1.1 200 ${'x'.repeat(9000)}`],
    ['TLS', '\x15\x03\x01\x00\x02\x02\x46'],
  ],
  'fields that are none (RFC 9112 §5)': [
    ['a control in a value', `${OK}X: a\x01b\r\nContent-Length: 2\r\n\r\nok`],
    ['NUL in a value', `${OK}X: a\0b\r\nContent-Length: 2\r\n\r\nok`],
    ['a lone CR', `${OK}X: a\rSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok`],
    ['a lone LF', `${OK}X: a\nSet-Cookie: evil=1\r\nContent-Length: 2\r\n\r\nok`],
    ['a folded line', `${OK}X: a\r\n b\r\nContent-Length: 2\r\n\r\nok`],
    ['a space before the colon', `${OK}Content-Length : 2\r\n\r\nok`],
    ['no colon', `${OK}X\r\nContent-Length: 2\r\n\r\nok`],
    ['257 fields', `${OK}${'X: y\r\n'.repeat(256)}Content-Length: 2\r\n\r\nok`],
    ['65 KiB of fields', `${OK}X: ${'y'.repeat(66_000)}\r\nContent-Length: 2\r\n\r\nok`],
  ],
  'what comes ahead of a final response (RFC 9110 §15.2)': [
    ['101 that nobody asked for', `HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n`],
    ['17 informational responses', `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17)}${OK}Content-Length: 2\r\n\r\nok`],
  ],
}

let scripts = 0
function scripted(script: Script): string {
  const target = `/${++scripts}`
  origin.on(target, script)
  return target
}

for (const [line, rows] of Object.entries(MALFORMED))
  for (const [name, bytes] of rows)
    test(`is a 502: ${line}: ${name}`, async () => {
      const target = scripted(says(bytes))
      for (const way of WAYS) {
        const answer = await edge.tell(way, get(target))
        assert.deepEqual(
          statusesIn(answer).filter((status) => status >= 200),
          [502],
          answer,
        )
        assert.doesNotMatch(answer, /evil/)
      }
      assert.equal((await askHttp2(session, { ':path': target })).status, 502)
      await assertUnspoilt()
    })

for (const [name, bytes] of [
  ['without a word', ''],
  ['within the status line', 'HTTP/1.1 20'],
  ['within the fields', `${OK}Content-Le`],
  ['after an informational response', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
] as const)
  for (const how of ['end', 'reset'] as const)
    test(`an upstream that closes ${name}, by ${how}, is a 502`, async () => {
      const target = scripted(leaves(bytes, how))
      for (const way of WAYS) {
        const statuses = statusesIn(await edge.tell(way, get(target)))
        assert.equal(statuses.at(-1), 502)
      }
      assert.equal((await askHttp2(session, { ':path': target })).status, 502)
      await assertUnspoilt()
    })

for (const [name, script] of [
  ['is shorter than its length', leaves(`${OK}Content-Length: 100\r\n\r\npart`, 'end')],
  ['is shorter than its length, and reset', leaves(`${OK}Content-Length: 100\r\n\r\npart`, 'reset')],
  ['has no last chunk', leaves(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`, 'end')],
  ['has no last chunk, and is reset', leaves(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`, 'reset')],
  ['ends within its last chunk', leaves(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n`, 'end')],
  ['ends within its trailers', leaves(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\nX: y\r\n`, 'end')],
  ['has a chunk without a size', says(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\nx\r\n`)],
  ['has a chunk that is longer than its size', says(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart!\r\n0\r\n\r\n`)],
  ['has trailers that are none', says(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\nX : y\r\n\r\n`)],
  ['would last until the end, and is reset', leaves(`${OK}\r\npart`, 'reset')],
] as const)
  test(`a client can tell that a response is not whole which ${name} (RFC 9112 §8)`, async () => {
    const target = scripted(script)
    for (const way of WAYS) {
      const answer = await edge.tell(way, get(target))
      assert.deepEqual(statusesIn(answer), [200])
      assert.match(answer, /part/)
      assert.ok(!isWhole(answer), answer)
    }
    const told = await askHttp2(session, { ':path': target })
    assert.deepEqual([told.status, told.content], [200, 'part'])
    assert.notEqual(told.code, NO_ERROR)
    await assertUnspoilt()
  })

/** Whether the framing says that this response has all of its content. */
function isWhole(answer: string): boolean {
  const content = answer.slice(answer.indexOf('\r\n\r\n') + 4)
  const length = /\r\nContent-Length: (\d+)\r\n/.exec(answer)?.[1]
  return length === undefined ? content.endsWith('0\r\n\r\n') : content.length === Number(length)
}

test('a client of HTTP/1.0 sees a reset where content until the end is not whole (RFC 9112 §8)', async () => {
  const target = scripted(leaves(`${OK}Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n`, 'end'))
  const socket = await edge.connect('http')
  socket.resume().write(`GET ${target} HTTP/1.0\r\nHost: a.test\r\n\r\n`)
  const [error] = (await new Promise((resolve) => socket.once('error', (cause) => resolve([cause])))) as [Error]
  assert.match(error.message, /ECONNRESET/)
})

for (const [name, bytes] of [
  ['beyond its length', `${OK}Content-Length: 2\r\n\r\nok${POISON}`],
  ['beyond its last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${POISON}`],
  ['after a 304', `HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison`],
  ['after a 204', `HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison`],
  ['after chunks of a 204', `HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n6\r\npoison\r\n0\r\n\r\n`],
  ['after a response that came twice', `${OK}Content-Length: 2\r\n\r\nok`.repeat(2)],
] as const)
  test(`bytes ${name} are dropped, and the connection with them (RFC 9112 §9.2)`, async () => {
    const target = scripted(says(bytes))
    for (const way of WAYS) assert.doesNotMatch(await edge.tell(way, get(target)), /poison/)
    const told = await askHttp2(session, { ':path': target })
    assert.doesNotMatch(told.content, /poison/)
    assert.equal(told.code, NO_ERROR)
    await assertUnspoilt()
  })

test('content in answer to HEAD is dropped, and the connection with it (RFC 9112 §6.3)', async () => {
  const target = scripted(says(`${OK}Content-Length: 6\r\n\r\npoison`))
  for (const way of WAYS) {
    const answer = await edge.tell(way, get(target, 'HEAD'))
    assert.match(answer, /Content-Length: 6\r\n/)
    assert.match(answer, /\r\n\r\n$/)
  }
  assert.equal((await askHttp2(session, { ':path': target, ':method': 'HEAD' })).content, '')
  await assertUnspoilt()
})

test('bytes on an idle connection close it, and answer nobody (RFC 9112 §9.2)', async () => {
  const target = scripted((socket) => {
    socket.write(`${OK}Content-Length: 2\r\n\r\nok`)
    setTimeout(() => socket.write(POISON), 20)
  })
  for (const way of WAYS) {
    assert.match(await edge.tell(way, get(target)), /ok$/)
    await new Promise((resolve) => setTimeout(resolve, 40))
    await assertUnspoilt()
  }
})

test('informational responses are passed on, and no other answer is made of them (RFC 9110 §15.2)', async () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: 1\r\n\r\n'
  const target = scripted(says(`${hints}HTTP/1.1 102 Processing\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`))
  for (const way of WAYS) {
    const answer = await edge.tell(way, get(target))
    assert.deepEqual(statusesIn(answer), [103, 102, 200])
    assert.doesNotMatch(answer, /X: 1/)
  }
  const told = await askHttp2(session, { ':path': target })
  assert.deepEqual([told.informed, told.status, told.content], [[103, 102], 200, 'ok'])
})

test('fields of the connection, and those that it nominates, end here (RFC 9110 §7.6.1)', async () => {
  const fields =
    'Connection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nTE: x\r\nX-End: 1\r\n'
  const target = scripted(leaves(`${OK}${fields}\r\nuntil the end`, 'end'))
  for (const way of WAYS) {
    const answer = await edge.tell(way, get(target))
    assert.doesNotMatch(answer, /X-Hop|Keep-Alive|Proxy-Connection|Upgrade:|\nTE:/i)
    assert.match(answer, /X-End: 1/)
    assert.ok(isWhole(answer), 'content until the close is framed anew')
  }
  const told = await askHttp2(session, { ':path': target })
  assert.deepEqual([told.status, told.content, told.code], [200, 'until the end', NO_ERROR])
  assert.deepEqual(Object.keys(told.fields).sort(), [':status', 'date', 'x-end'])
})

test('a trailer that Connection nominates ends here, too', async () => {
  const chunks = '1\r\nx\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n'
  const target = scripted(says(`${OK}Connection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`))
  const told = await askHttp2(session, { ':path': target })
  assert.deepEqual([told.content, Object.keys(told.trailers)], ['x', ['x-end']])
})

test('426 says what would be served, over HTTP/1.1 alone (RFC 9110 §15.5.22)', async () => {
  const target = scripted(
    says('HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n'),
  )
  const answer = await edge.tell('http', get(target))
  assert.match(answer, /^HTTP\/1\.1 426 [\s\S]*\r\nUpgrade: websocket\r\n[\s\S]*\r\nConnection: close, Upgrade\r\n/)
  const told = await askHttp2(session, { ':path': target })
  assert.deepEqual([told.status, told.fields['upgrade']], [426, undefined])
})

test('an upstream that dribbles is waited for, byte by byte', async () => {
  const bytes = `${OK}X: y\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n`
  const target = scripted((socket) => {
    let at = 0
    const next = (): void => {
      if (at < bytes.length) socket.write(bytes[at++]!, () => setImmediate(next))
    }
    next()
  })
  for (const way of WAYS) {
    const answer = await edge.tell(way, get(target))
    assert.deepEqual(statusesIn(answer), [200])
    assert.ok(isWhole(answer), answer)
  }
  const told = await askHttp2(session, { ':path': target })
  assert.deepEqual([told.status, told.content, told.trailers['x-sum']], [200, 'ok', '1'])
})

test('an upstream that answers before it has the request (RFC 9112 §9.3)', async () => {
  const target = scripted(says('HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno'))
  const piece = 'x'.repeat(50_000)
  for (const way of WAYS) {
    const head = `POST ${target} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5000000\r\n\r\n`
    const answer = await edge.tell(way, head, ...Array.from({ length: 10 }, () => piece))
    assert.deepEqual(statusesIn(answer), [413])
    assert.match(answer, /no$/)
  }
  const told = await askHttp2(session, { ':path': target, ':method': 'POST' }, piece.repeat(100))
  assert.deepEqual([told.status, told.content], [413, 'no'])
  await assertUnspoilt()
})
