import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Peer } from '../http1/peer.ts'
import { siteOf } from '../serve.ts'
import { runEdge, statusesIn, WAYS } from './running-edge.ts'
import { Witness } from './witness.ts'

// Bytes to a running edge, in clear text and over TLS, with an independent parser behind it. What is refused has one
// answer, then the connection closes; what stands behind it is no request; and the upstream sees none of it whole.

const HOST = 'Host: a.test\r\n'
const SMUGGLED = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`
const get = (fields: string, target = '/'): string => `GET ${target} HTTP/1.1\r\n${fields}\r\n`
const post = (fields: string, content = '', target = '/'): string =>
  `POST ${target} HTTP/1.1\r\n${HOST}${fields}\r\n${content}`
const chunked = (content: string): string => post('Transfer-Encoding: chunked\r\n', content)

type Refused = readonly [name: string, bytes: string, status: number]

const REFUSED: Readonly<Record<string, readonly Refused[]>> = {
  'Content-Length with Transfer-Encoding, or either unclear (RFC 9112 §6.1, §6.3)': [
    ['both', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ['both, the other way round', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), 400],
    ['both, in spellings of their own', post('cONTENT-lENGTH:5\r\ntRANSFER-eNCODING:cHUNKED\r\n', '0\r\n\r\n'), 400],
    ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ...[
      'chunked, chunked',
      'identity',
      'xchunked',
      '"chunked"',
      ',chunked',
      '',
      'chunked\x0b',
      'chunked,',
      'chunked;q=1',
    ].map((coding): Refused => [coding, post(`Transfer-Encoding: ${coding}\r\n`, '0\r\n\r\n'), 400]),
    ['another coding', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'), 501],
    ['two lines', post('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ['two alike', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ...[
      '+5',
      '-5',
      '0x5',
      '5,5',
      '5, 5',
      '5 5',
      '',
      '5.0',
      '5e0',
      '9007199254740992',
      '99999999999999999999',
      '\xb2',
    ].map((length): Refused => [length, post(`Content-Length: ${length}\r\n`, 'hello'), 400]),
    ['two lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'), 400],
    ['two equal lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'), 400],
    ['a length in a folded line', post('X: y\r\n Content-Length: 5\r\n', 'hello'), 400],
    ['a name with a space', post('Content-Length : 5\r\n', 'hello'), 400],
    ['a name with a NUL', post('Content-Length\0: 5\r\n', 'hello'), 400],
  ],
  'chunks (RFC 9112 §7.1)': [
    ...['+5', '-5', ' 5', '5 ', '0x5', '5_0', '', 'g', '\xb5', '5\t', '"5"'].map(
      (size): Refused => [`the size ${JSON.stringify(size)}`, chunked(`${size}\r\nhello\r\n0\r\n\r\n`), 400],
    ),
    ['a size beyond counting', chunked('FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n'), 400],
    ['a size that comes round to 5', chunked('100000000000000000005\r\nhello\r\n0\r\n\r\n'), 400],
    ['LF after the size', chunked('5\nhello\r\n0\r\n\r\n'), 400],
    ['CR after the size', chunked('5\rhello\r\n0\r\n\r\n'), 400],
    ['LF after the data', chunked('5\r\nhello\n0\r\n\r\n'), 400],
    ['two other bytes after the data', chunked('5\r\nhelloXX0\r\n\r\n'), 400],
    ['CR and another byte after the data', chunked('5\r\nhello\rX0\r\n\r\n'), 400],
    ['LF within an extension', chunked('5;a\nb\r\nhello\r\n0\r\n\r\n'), 400],
    ['a control within an extension', chunked('5;a\x01b\r\nhello\r\n0\r\n\r\n'), 400],
    ['CR within an extension', chunked('5;a\rb\r\nhello\r\n0\r\n\r\n'), 400],
    ['an extension of 300 bytes', chunked(`5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`), 400],
    ['extensions of 17 KiB', chunked(`${`1;${'a'.repeat(240)}\r\nx\r\n`.repeat(72)}0\r\n\r\n`), 400],
    ['LF at the end', chunked('5\r\nhello\r\n0\r\n\n'), 400],
    ['a trailer that is folded', chunked('0\r\nX: a\r\n b\r\n\r\n'), 400],
    ['a trailer without a colon', chunked('0\r\nX\r\n\r\n'), 400],
    ['trailers of 9 KiB', chunked(`0\r\nX: ${'a'.repeat(9000)}\r\n\r\n`), 431],
    ['33 trailers', chunked(`0\r\n${'X: a\r\n'.repeat(33)}\r\n`), 431],
  ],
  'lines and fields (RFC 9112 §2.2, §5)': [
    ['a space before the colon', get(`${HOST}X : y\r\n`), 400],
    ['a tab before the colon', get(`${HOST}X\t: y\r\n`), 400],
    ['a folded line', get(`${HOST}X: y\r\n z\r\n`), 400],
    ['a first line that is folded', get(` ${HOST}`), 400],
    ['a first line that is folded by a tab', get(`\t${HOST}`), 400],
    ['a lone LF', get(`${HOST}X: y\nZ: 1\r\n`), 400],
    ['a lone CR', get(`${HOST}X: y\rZ: 1\r\n`), 400],
    ['a CR at the end of a value', get(`${HOST}X: y\r\r\n`), 400],
    ['NUL in a value', get(`${HOST}X: y\0\r\n`), 400],
    ['ESC in a value', get(`${HOST}X: \x1b[31m\r\n`), 400],
    ['DEL in a value', get(`${HOST}X: \x7f\r\n`), 400],
    ['no colon', get(`${HOST}X\r\n`), 400],
    ['an empty name', get(`${HOST}: y\r\n`), 400],
    ['a name that is no token', get(`${HOST}X(: y\r\n`), 400],
    ['a name beyond ASCII', get(`${HOST}X\xe9: y\r\n`), 400],
    ['an end that is CRLF CR and another byte (CVE-2025-23167)', `GET / HTTP/1.1\r\n${HOST}\r\rX${SMUGGLED}`, 400],
    ['lines that end with LF', 'GET / HTTP/1.1\nHost: a.test\n\n', 400],
    ['five empty lines', `${'\r\n'.repeat(5)}${get(HOST)}`, 400],
    ['an empty line of LF', `\n${get(HOST)}`, 400],
    ['a space before the method', ` ${get(HOST)}`, 400],
    ['two spaces after the method', `GET  / HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['two spaces after the target', `GET /  HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a space after the version', `GET / HTTP/1.1 \r\n${HOST}\r\n`, 400],
    ['a tab after the method', `GET\t/ HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a method that is no token', `G(T / HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['TLS in clear text, or in TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
    ['a line of 9 KiB', get(HOST, `/${'x'.repeat(9000)}`), 414],
    ['a line of 9 KiB that does not end', `GET /${'x'.repeat(9000)}`, 414],
    ['33 KiB of fields', get(`${HOST}X: ${'x'.repeat(33_000)}\r\n`), 431],
    ['101 fields', get(`${HOST}${'X: y\r\n'.repeat(100)}`), 431],
  ],
  'the target (RFC 9112 §3.2)': [
    ['a fragment', get(HOST, '/a#b'), 400],
    ['a space', get(HOST, '/a b'), 400],
    ['a control', get(HOST, '/a\x01b'), 400],
    ['a byte beyond ASCII', get(HOST, '/\xe9'), 400],
    ['* with GET', get(HOST, '*'), 400],
    ['no slash', get(HOST, 'a'), 400],
    ['none', `GET  HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['an authority', get(HOST, 'a.test:80'), 400],
    ['an absolute one without a host', get(HOST, 'http:///x'), 400],
    ['userinfo', get(HOST, 'http://u:p@a.test/'), 400],
    ['another scheme', get(HOST, 'ftp://a.test/'), 400],
    ['a host other than Host', get(HOST, 'http://b.test/'), 400],
    ['an absolute one with a fragment', get(HOST, 'http://a.test/#x'), 400],
    ['CONNECT', `CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n`, 405],
    ['CONNECT with a path', `CONNECT / HTTP/1.1\r\n${HOST}\r\n`, 405],
  ],
  'Host (RFC 9112 §3.2)': [
    ['missing', get('X: y\r\n'), 400],
    ['missing, with an absolute target', get('', 'http://a.test/'), 400],
    ['twice', get(`${HOST}${HOST}`), 400],
    ['twice, one of another site', get(`${HOST}Host: b.test\r\n`), 400],
    ...[
      '',
      'a@b',
      'u:p@a.test',
      'a:1:2',
      '[a]',
      'a/b',
      'a.test/',
      'a.test?x',
      'a.test#x',
      'a b',
      'a.test,b.test',
      'a.test:x',
    ].map((host): Refused => [JSON.stringify(host), get(`Host: ${host}\r\n`), 400]),
    ...['a.test:99999', 'a.test:-1', 'a\\b', 'a%2eb', '[::1', '::1', 'http://a.test', '"a.test"', 'a.test\xe9'].map(
      (host): Refused => [JSON.stringify(host), get(`Host: ${host}\r\n`), 400],
    ),
  ],
  'the version (RFC 9112 §2.3)': [
    ['HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`, 505],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}\r\n`, 505],
    ['HTTP/0.9', `GET / HTTP/0.9\r\n${HOST}\r\n`, 505],
    ['HTTP/1.10', `GET / HTTP/1.10\r\n${HOST}\r\n`, 400],
    ['HTTP/01.1', `GET / HTTP/01.1\r\n${HOST}\r\n`, 400],
    ['HTTP/1,1', `GET / HTTP/1,1\r\n${HOST}\r\n`, 400],
    ['http/1.1', `GET / http/1.1\r\n${HOST}\r\n`, 400],
    ['ICY/1.1', `GET / ICY/1.1\r\n${HOST}\r\n`, 400],
    ['none', 'GET /\r\n\r\n', 400],
  ],
  'what is expected (RFC 9110 §10.1.1)': [['something else', post('Content-Length: 5\r\nExpect: y\r\n', 'hello'), 417]],
}

const witness = await new Witness().listen({ after })
const sites = [siteOf(witness.address), siteOf(witness.address, { name: 'b.test', names: ['b.test'] })]
const edge = await runEdge({ after }, sites)

for (const [line, rows] of Object.entries(REFUSED))
  for (const [name, bytes, status] of rows)
    test(`refuses with ${status}, ${line}: ${name}`, async () => {
      for (const way of WAYS) {
        const answer = await edge.tell(way, bytes + SMUGGLED)
        assert.deepEqual(statusesIn(answer), [status], `${way}: ${answer}`)
        assert.match(answer, /\r\nConnection: close\r\n/)
        // RFC 9110 §6.6.1.
        assert.match(answer, /\r\nDate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/)
      }
      assert.deepEqual(witness.testimony(), [])
    })

type Taken = {
  readonly name: string
  readonly bytes: string
  readonly method?: string
  readonly target?: string
  readonly content?: string
  readonly fields?: readonly string[]
  readonly trailers?: readonly string[]
  readonly host?: string
}

const CLOSE = 'Connection: close\r\n'

const TAKEN: readonly Taken[] = [
  { name: 'up to four empty lines first (RFC 9112 §2.2)', bytes: `${'\r\n'.repeat(4)}${get(HOST + CLOSE)}` },
  { name: 'tabs around a value (RFC 9110 §5.6.3)', bytes: get(`${HOST}X:\t y\t \r\n${CLOSE}`), fields: ['X', 'y'] },
  {
    name: 'names of object members',
    bytes: get(`${HOST}__proto__: 1\r\nconstructor: 2\r\n${CLOSE}`),
    fields: ['__proto__', '1', 'constructor', '2'],
  },
  {
    name: 'bytes beyond ASCII in a value (RFC 9110 §5.5)',
    bytes: get(`${HOST}X: \xe9\xff\r\n${CLOSE}`),
    fields: ['X', '\xe9\xff'],
  },
  { name: 'an empty value', bytes: get(`${HOST}X:\r\n${CLOSE}`), fields: ['X', ''] },
  {
    name: 'a target of 8000 bytes (RFC 9112 §3)',
    bytes: get(HOST + CLOSE, `/${'x'.repeat(7999)}`),
    target: `/${'x'.repeat(7999)}`,
  },
  { name: 'an absolute target (RFC 9112 §3.2.2)', bytes: get(HOST + CLOSE, 'http://a.test/x?y'), target: '/x?y' },
  {
    name: 'an absolute target, which replaces Host',
    bytes: get(HOST + CLOSE, 'HTTP://A.test:80?y'),
    target: '/?y',
    host: 'A.test:80',
  },
  {
    name: 'OPTIONS * (RFC 9112 §3.2.4)',
    bytes: `OPTIONS * HTTP/1.1\r\n${HOST}${CLOSE}\r\n`,
    method: 'OPTIONS',
    target: '*',
  },
  {
    name: 'a path that others would normalize',
    bytes: get(HOST + CLOSE, '//a/%2e%2e/./..\\b%2f;c|^`{}"<>'),
    target: '//a/%2e%2e/./..\\b%2f;c|^`{}"<>',
  },
  {
    name: 'Host in upper case, with a port and a trailing dot',
    bytes: get(`Host: A.TEST.:443\r\n${CLOSE}`),
    host: 'A.TEST.:443',
  },
  {
    name: 'chunks with extensions, which are dropped (RFC 9112 §7.1.1)',
    bytes: post(`Transfer-Encoding: CHUNKED\r\n${CLOSE}`, '005;a="b;c"\r\nhello\r\n6 \t; x\r\n world\r\n000\r\n\r\n'),
    method: 'POST',
    content: 'hello world',
  },
  {
    name: 'trailers without what would rule (RFC 9110 §6.5.1)',
    bytes: post(
      `Transfer-Encoding: chunked\r\n${CLOSE}`,
      '1\r\nx\r\n0\r\nX-Sum: 1\r\nHost: b.test\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\nAuthorization: x\r\nX-Forwarded-For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nCookie: a\r\n\r\n',
    ),
    method: 'POST',
    content: 'x',
    trailers: ['X-Sum', '1'],
  },
  {
    name: 'content of HTTP/1.0',
    bytes: `POST / HTTP/1.0\r\n${HOST}Content-Length: 5\r\n\r\nhello`,
    method: 'POST',
    content: 'hello',
  },
  {
    name: 'a length with zeros in front',
    bytes: post(`Content-Length: 0005\r\n${CLOSE}`, 'hello'),
    method: 'POST',
    content: 'hello',
  },
  { name: 'content of GET', bytes: `${get(`${HOST}Content-Length: 5\r\n${CLOSE}`)}hello`, content: 'hello' },
  {
    name: '100-continue, in a list (RFC 9110 §5.6.1.2, §10.1.1)',
    bytes: post(`Content-Length: 5\r\nExpect: ,100-continue, 100-Continue ,\r\n${CLOSE}`, 'hello'),
    method: 'POST',
    content: 'hello',
    fields: ['Expect', '100-continue'],
  },
  {
    name: '100-continue, answered once',
    bytes: post(`Content-Length: 5\r\nExpect: 100-Continue\r\n${CLOSE}`, 'hello'),
    method: 'POST',
    content: 'hello',
  },
]

for (const taken of TAKEN)
  test(`takes ${taken.name}`, async () => {
    for (const way of WAYS) {
      const answer = await edge.tell(way, taken.bytes)
      const isTold = taken.bytes.includes('Expect')
      assert.deepEqual(statusesIn(answer), isTold ? [100, 200] : [200], answer)
      assert.match(answer, /witnessed(\r\n0\r\n\r\n)?$/)
      const [one, ...others] = witness.testimony()
      assert.deepEqual(others, [])
      assert.equal(one?.method, taken.method ?? 'GET')
      assert.equal(one.target, taken.target ?? '/')
      assert.equal(one.content, taken.content ?? '')
      assert.deepEqual(one.trailers, taken.trailers ?? [])
      assert.deepEqual(one.fields.slice(0, 2), ['Host', taken.host ?? 'a.test'])
      const told = one.fields.join('\n')
      assert.ok(told.includes((taken.fields ?? []).join('\n')), told)
    }
  })

test('a request cut at every byte is the same request', async () => {
  const bytes = post(
    `Transfer-Encoding: chunked\r\n${CLOSE}X: y\r\n`,
    '5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n',
    '/cut',
  )
  for (const way of WAYS) {
    assert.deepEqual(statusesIn(await edge.tell(way, ...bytes)), [200])
    const [one] = witness.testimony()
    assert.deepEqual([one?.target, one?.content, one?.trailers], ['/cut', 'hello', ['X-Sum', '1']])
  }
})

test('pipelined requests are answered in order, and none after Connection: close (RFC 9112 §9.3.2, §9.6)', async () => {
  for (const way of WAYS) {
    const requests = [post('Content-Length: 2\r\n', 'ab', '/1'), get(HOST, '/2'), get(HOST + CLOSE, '/3'), SMUGGLED]
    assert.deepEqual(statusesIn(await edge.tell(way, requests.join(''))), [200, 200, 200])
    assert.deepEqual(
      witness.testimony().map(({ target }) => target),
      ['/1', '/2', '/3'],
    )
  }
})

test('HTTP/1.0 gets no chunks and no 1xx, and is closed unless it asks to be kept (RFC 9112 §9.3)', async () => {
  for (const way of WAYS) {
    const kept = `GET /1 HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`
    const last = `POST /2 HTTP/1.0\r\n${HOST}Content-Length: 1\r\nExpect: 100-continue\r\n\r\nx`
    const answer = await edge.tell(way, `${kept}${last}${SMUGGLED}`)
    assert.deepEqual(statusesIn(answer), [200, 200])
    assert.doesNotMatch(answer, /transfer-encoding/i)
    assert.deepEqual(
      witness.testimony().map(({ target }) => target),
      ['/1', '/2'],
    )
  }
})

test('nothing is expected of an upstream without content, or for a client of HTTP/1.0 (RFC 9110 §10.1.1)', async () => {
  const expecting = `Expect: 100-continue\r\n${CLOSE}`
  for (const bytes of [get(HOST + expecting), `POST / HTTP/1.0\r\n${HOST}${expecting}Content-Length: 5\r\n\r\nhello`]) {
    assert.deepEqual(statusesIn(await edge.tell('http', bytes)), [200])
    const [one] = witness.testimony()
    assert.ok(!one!.fields.includes('Expect'), one!.fields.join())
  }
})

test('a trailer that Connection nominates ends here (RFC 9110 §7.6.1)', async () => {
  const trailers = '1\r\nx\r\n0\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n'
  await edge.tell('http', post('Connection: close, x-hop\r\nTransfer-Encoding: chunked\r\n', trailers))
  assert.deepEqual(witness.testimony()[0]?.trailers, ['X-End', '2'])
})

test('content that was not asked for is never a request (RFC 9110 §10.1.1)', async () => {
  const head = post(`Content-Length: ${SMUGGLED.length}\r\nExpect: 100-continue\r\n`, '', '/refuse')
  for (const way of WAYS) {
    const peer = new Peer(await edge.connect(way))
    peer.say(head)
    assert.match(await peer.hear('\r\n\r\n'), /^HTTP\/1\.1 403 [\s\S]*\r\nConnection: close\r\n/)
    peer.say(SMUGGLED)
    assert.doesNotMatch(await peer.hearEnd(), /HTTP/)
    peer.socket.destroy()
    assert.deepEqual(witness.testimony(), [])
  }
})

test('content that did not wait to be asked for is none either, whatever the answer', async () => {
  const head = post(`Content-Length: ${SMUGGLED.length}\r\nExpect: 100-continue\r\n`, '', '/refuse')
  for (const way of WAYS) {
    assert.deepEqual(statusesIn(await edge.tell(way, head + SMUGGLED + get(HOST + CLOSE, '/next'))), [403, 200])
    assert.deepEqual(
      witness.testimony().map(({ target }) => target),
      ['/next'],
    )
  }
})

test('a refusal reaches a client that goes on sending (RFC 9112 §9.6)', async () => {
  const pieces = Array.from({ length: 10 }, () => 'x'.repeat(50_000))
  for (const way of WAYS)
    assert.deepEqual(statusesIn(await edge.tell(way, get('Host: a@b\r\n'), ...pieces)), [400], way)
})

test('a site is found whatever the case of its name, among a thousand (CVE-2026-27588)', async (t) => {
  const names = Array.from({ length: 1000 }, (_, index) => `s${index}.test`)
  const ours = names.map((name) => siteOf(witness.address, { name, names: [name] }))
  const many = await runEdge(t, [siteOf(witness.address), ...ours.slice(0, 999)])
  for (const host of ['S7.Test', 's7.TEST.', 'S998.TEST:80'])
    assert.deepEqual(statusesIn(await many.tell('http', get(`Host: ${host}\r\n${CLOSE}`))), [200], host)
  assert.deepEqual(statusesIn(await many.tell('http', get(`Host: s999.test\r\n${CLOSE}`))), [404])
  witness.testimony()
})
