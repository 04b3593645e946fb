import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REQUEST_LIMITS } from '../../../src/edge/http1/limits.ts'
import { acceptedRequest, readRequest } from './traces.ts'

const HOST = 'Host: a.test\r\n'

function requestOf(line: string, fields = HOST): string {
  return `${line}\r\n${fields}\r\n`
}

test('reads method, target, version and fields, and leaves what follows (RFC 9112 §3)', () => {
  const bytes =
    'PUT /a%2fb/../c?q=1 HTTP/1.1\r\nX-One: 1\r\nhOST: a.test:81\r\nx-one:2\r\nContent-Length: 3\r\n\r\nabcGET'
  const read = readRequest(bytes)
  assert.ok(typeof read === 'object')
  assert.equal(read.rest, 'abcGET')
  assert.deepEqual(read.head, {
    request: {
      method: 'PUT',
      scheme: 'http',
      authority: 'a.test:81',
      target: '/a%2fb/../c?q=1',
      version: '1.1',
      fields: ['X-One', '1', 'x-one', '2', 'Content-Length', '3'],
      upgrade: undefined,
      takesTrailers: false,
    },
    framing: 3,
    contentLength: 3,
    isPersistent: true,
    expectsContinue: false,
  })
})

test('white space around a field value is not part of it (RFC 9112 §5)', () => {
  const { request } = acceptedRequest(requestOf('GET / HTTP/1.1', `${HOST}A: \t x y \t\r\nB:\r\nC:   \r\nD: \xe9\r\n`))
  assert.deepEqual(request.fields, ['A', 'x y', 'B', '', 'C', '', 'D', '\xe9'])
})

test('names of object members are plain fields', () => {
  const { request } = acceptedRequest(requestOf('GET / HTTP/1.1', `__proto__: 1\r\n${HOST}constructor: 2\r\n`))
  assert.deepEqual(request.fields, ['__proto__', '1', 'constructor', '2'])
})

test('up to four empty lines before a request are skipped (RFC 9112 §2.2)', () => {
  for (let lines = 0; lines <= 4; lines++)
    assert.equal(acceptedRequest(`${'\r\n'.repeat(lines)}GET /x HTTP/1.1\r\n${HOST}\r\n`).request.target, '/x')
  assert.equal(readRequest(`${'\r\n'.repeat(5)}GET / HTTP/1.1\r\n${HOST}\r\n`), 'empty-lines-excessive')
})

test('a head that has not ended is waited for', () => {
  for (const bytes of ['', 'G', 'GET / HTTP/1.1\r\n', `GET / HTTP/1.1\r\n${HOST}`, `GET / HTTP/1.1\r\n${HOST}\r`])
    assert.equal(readRequest(bytes), undefined, JSON.stringify(bytes))
})

for (const [line, code] of [
  ['GET', 'request-line-malformed'],
  ['GET /', 'version-malformed'],
  ['GET  / HTTP/1.1', 'version-malformed'],
  ['GET / HTTP/1.1 ', 'version-malformed'],
  ['GET / x HTTP/1.1', 'version-malformed'],
  ['GET / http/1.1', 'version-malformed'],
  ['GET / HTTP/1.10', 'version-malformed'],
  ['GET / HTTP/11', 'version-malformed'],
  ['GET / HTTP/1.2', 'version-unsupported'],
  ['GET / HTTP/2.0', 'version-unsupported'],
  ['PRI * HTTP/2.0', 'version-unsupported'],
  ['G(T / HTTP/1.1', 'method-invalid'],
  ['G\xc9T / HTTP/1.1', 'method-invalid'],
  ['GET\t/ HTTP/1.1', 'method-invalid'],
  ['CONNECT a.test:443 HTTP/1.1', 'method-not-served'],
  ['CONNECT / HTTP/1.1', 'method-not-served'],
  ['GET * HTTP/1.1', 'target-invalid'],
  ['GET x HTTP/1.1', 'target-invalid'],
  ['GET ?x HTTP/1.1', 'target-invalid'],
  ['GET /#x HTTP/1.1', 'target-invalid'],
  ['GET /\x7f HTTP/1.1', 'target-invalid'],
  ['GET /\x01 HTTP/1.1', 'target-invalid'],
  ['GET /\xe9 HTTP/1.1', 'target-invalid'],
  ['GET /\t HTTP/1.1', 'target-invalid'],
  ['GET a.test:80 HTTP/1.1', 'target-invalid'],
  ['GET http:///x HTTP/1.1', 'target-invalid'],
  ['GET http://u@a.test/ HTTP/1.1', 'target-invalid'],
  ['GET http://a.test/#x HTTP/1.1', 'target-invalid'],
  ['GET http://a.test\\x HTTP/1.1', 'target-invalid'],
  ['GET ftp://a.test/ HTTP/1.1', 'target-invalid'],
  ['GET / HTTP/1.1\r', 'version-malformed'],
  [' GET / HTTP/1.1', 'request-line-malformed'],
  ['\x16\x03\x01 / HTTP/1.1', 'request-line-malformed'],
] as const)
  test(`refuses the request line ${JSON.stringify(line)}: ${code} (RFC 9112 §3)`, () =>
    assert.equal(readRequest(requestOf(line)), code))

test('the forms of a target (RFC 9112 §3.2)', () => {
  for (const [line, target, authority = 'a.test'] of [
    ['GET / HTTP/1.1', '/'],
    ['GET //x/%2e%2e/\\|"<>{}^` HTTP/1.1', '//x/%2e%2e/\\|"<>{}^`'],
    ['OPTIONS * HTTP/1.1', '*'],
    ['GET http://a.test HTTP/1.1', '/'],
    ['OPTIONS http://a.test HTTP/1.1', '*'],
    ['GET HTTP://A.test?x HTTP/1.1', '/?x', 'A.test'],
    ['GET https://a.test:443/x?y HTTP/1.1', '/x?y', 'a.test:443'],
  ] as const) {
    const { request } = acceptedRequest(requestOf(line))
    assert.deepEqual([request.target, request.authority], [target, authority], line)
  }
})

for (const [fields, code] of [
  ['', 'host-missing'],
  [`${HOST}${HOST}`, 'host-repeated'],
  [`${HOST}host: b.test\r\n`, 'host-repeated'],
  ['Host:\r\n', 'host-invalid'],
  ['Host: a@b\r\n', 'host-invalid'],
  ['Host: a:1:2\r\n', 'host-invalid'],
  ['Host: [a]\r\n', 'host-invalid'],
  ['Host: a/b\r\n', 'host-invalid'],
  ['Host: a, b\r\n', 'host-invalid'],
  ['Host: a:99999\r\n', 'host-invalid'],
] as const)
  test(`refuses the Host ${JSON.stringify(fields)}: ${code} (RFC 9112 §3.2)`, () =>
    assert.equal(readRequest(requestOf('GET / HTTP/1.1', fields)), code))

test('an absolute target and Host name the same place (RFC 9112 §3.2.2)', () => {
  assert.equal(readRequest(requestOf('GET http://b.test/ HTTP/1.1')), 'host-contradicted')
  assert.equal(readRequest(requestOf('GET http://a.test:81/ HTTP/1.1')), 'host-contradicted')
  acceptedRequest(requestOf('GET http://A.TEST:80/ HTTP/1.1'))
  assert.equal(acceptedRequest('GET http://b.test/ HTTP/1.0\r\n\r\n').request.authority, 'b.test')
  assert.equal(readRequest(requestOf('GET http://a.test/ HTTP/1.1', 'Host: a/b\r\n')), 'host-invalid')
})

test('HTTP/1.0 needs no Host', () => {
  assert.equal(acceptedRequest('GET / HTTP/1.0\r\n\r\n').request.authority, '')
})

for (const [section, code] of [
  ['Host: a.test\nX: y\r\n', 'line-feed-bare'],
  ['Host: a.test\r\nX: a\nb\r\n', 'line-feed-bare'],
  ['Host: a.test\rX: y\r\n', 'carriage-return-bare'],
  ['\rHost: a.test\r\n', 'carriage-return-bare'],
  [`${HOST}\rX: y\r\n`, 'carriage-return-bare'],
  ['\tX: y\r\n', 'field-folded'],
  [` X: y\r\n${HOST}`, 'field-folded'],
  [`${HOST}X: y\r\n z\r\n`, 'field-folded'],
  [`${HOST}X: y\r\n\tz\r\n`, 'field-folded'],
  [`${HOST}X : y\r\n`, 'field-name-spaced'],
  [`${HOST}X\t: y\r\n`, 'field-name-spaced'],
  [`${HOST}X\r\n`, 'field-colon-missing'],
  [`${HOST}: y\r\n`, 'field-name-invalid'],
  [`${HOST}X(: y\r\n`, 'field-name-invalid'],
  [`${HOST}X y: z\r\n`, 'field-name-invalid'],
  [`${HOST}\xe9: z\r\n`, 'field-name-invalid'],
  [`${HOST}X: \0\r\n`, 'field-value-invalid'],
  [`${HOST}X: \x1b\r\n`, 'field-value-invalid'],
  [`${HOST}X: \x7f\r\n`, 'field-value-invalid'],
] as const)
  test(`refuses the fields ${JSON.stringify(section)}: ${code} (RFC 9112 §5)`, () =>
    assert.equal(readRequest(requestOf('GET / HTTP/1.1', section)), code))

test('lines that end with a line feed alone are refused at once, not waited for', () => {
  assert.equal(readRequest('GET / HTTP/1.1\nHost: a.test\n\n'), 'line-feed-bare')
})

test('the line, the fields and their number have limits (RFC 9112 §3, RFC 6585 §5)', () => {
  const limits = { ...REQUEST_LIMITS, startLineBytes: 40, fieldBytes: 60, fieldCount: 3 }
  const read = (line: string, fields: string): unknown => readRequest(requestOf(line, fields), limits)
  assert.equal(typeof read(`GET /${'x'.repeat(26)} HTTP/1.1`, HOST), 'object')
  assert.equal(read(`GET /${'x'.repeat(27)} HTTP/1.1`, HOST), 'request-line-too-long')
  assert.equal(read('x'.repeat(200), HOST), 'request-line-too-long')
  assert.equal(typeof read('GET / HTTP/1.1', `${HOST}X: ${'x'.repeat(41)}\r\n`), 'object')
  assert.equal(read('GET / HTTP/1.1', `${HOST}X: ${'x'.repeat(42)}\r\n`), 'fields-too-large')
  assert.equal(read('GET / HTTP/1.1', `${HOST}X: ${'x'.repeat(90)}\r\n`), 'fields-too-large')
  assert.equal(readRequest(`GET / HTTP/1.1\r\n${HOST}X: ${'x'.repeat(200)}`, limits), 'fields-too-large')
  assert.equal(typeof read('GET / HTTP/1.1', `${HOST}A: 1\r\nB: 2\r\n`), 'object')
  assert.equal(read('GET / HTTP/1.1', `${HOST}A: 1\r\nB: 2\r\nC: 3\r\n`), 'fields-too-many')
})

test('what the client says of its connection (RFC 9112 §9.3)', () => {
  for (const [version, field, isPersistent] of [
    ['1.1', '', true],
    ['1.1', 'Connection: close\r\n', false],
    ['1.1', 'Connection: x\r\nConnection: Keep-Alive ,CLOSE\r\n', false],
    ['1.1', 'Connection: closed\r\n', true],
    ['1.0', '', false],
    ['1.0', 'Connection: Keep-Alive\r\n', true],
  ] as const)
    assert.equal(acceptedRequest(requestOf(`GET / HTTP/${version}`, HOST + field)).isPersistent, isPersistent, field)
})

test('100-continue is the one expectation there is, of requests with content in HTTP/1.1 (RFC 9110 §10.1.1)', () => {
  const expecting = (version: string, fields: string): unknown =>
    acceptedRequest(requestOf(`PUT / HTTP/${version}`, HOST + fields)).expectsContinue
  assert.equal(expecting('1.1', 'Expect: 100-Continue\r\nContent-Length: 1\r\n'), true)
  assert.equal(expecting('1.1', 'Expect: 100-continue\r\n'), false)
  assert.equal(expecting('1.0', 'Expect: 100-continue\r\nContent-Length: 1\r\n'), false)
  assert.equal(readRequest(requestOf('PUT / HTTP/1.1', `${HOST}Expect: x\r\n`)), 'expectation-unsupported')
})

test('an upgrade is one that Connection nominates, without content, and not to h2c (RFC 9110 §7.8)', () => {
  const upgrade = (fields: string, version = '1.1'): unknown =>
    acceptedRequest(requestOf(`GET / HTTP/${version}`, HOST + fields)).request.upgrade
  assert.equal(upgrade('Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'), 'websocket')
  assert.equal(upgrade('Upgrade: websocket\r\n'), undefined)
  assert.equal(upgrade('Connection: Upgrade\r\n'), undefined)
  assert.equal(upgrade('Connection: Upgrade\r\nUpgrade: h2c\r\n'), undefined)
  assert.equal(upgrade('Connection: Upgrade\r\nUpgrade: x, H2C\r\n'), undefined)
  assert.equal(upgrade('Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n'), undefined)
  assert.equal(upgrade('Connection: Upgrade\r\nUpgrade: x\r\n', '1.0'), undefined)
})

test('who reads trailers says so (RFC 9110 §10.1.4)', () => {
  const takes = (fields: string): unknown =>
    acceptedRequest(requestOf('GET / HTTP/1.1', HOST + fields)).request.takesTrailers
  assert.equal(takes(''), false)
  assert.equal(takes('TE: gzip;q=0.5, Trailers\r\n'), true)
  assert.equal(takes('TE: gzip\r\n'), false)
})
