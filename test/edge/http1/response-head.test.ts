import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptedResponse, readResponse } from './traces.ts'

test('reads version, status, reason and fields, and leaves what follows (RFC 9112 §4)', () => {
  const read = readResponse(
    'HTTP/1.1 203 Quite Fine\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 2\r\n\r\nok',
  )
  assert.ok(typeof read === 'object')
  assert.equal(read.rest, 'ok')
  assert.deepEqual(read.head, {
    head: {
      status: 203,
      reason: 'Quite Fine',
      fields: ['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'Content-Length', '2'],
    },
    framing: 2,
    contentLength: 2,
    isPersistent: true,
    upgrade: undefined,
  })
})

test('the usual reason phrase need not be remembered; none is none (RFC 9112 §4)', () => {
  for (const [line, reason] of [
    ['HTTP/1.1 200 OK', undefined],
    ['HTTP/1.1 404 Not Found', undefined],
    ['HTTP/1.1 200 ', ''],
    ['HTTP/1.1 200', ''],
    ['HTTP/1.1 299 \xe9', '\xe9'],
  ] as const)
    assert.equal(acceptedResponse(`${line}\r\n\r\n`).head.reason, reason, line)
})

test('what the upstream says of its connection (RFC 9112 §9.3)', () => {
  for (const [version, fields, isPersistent] of [
    ['1.1', '', true],
    ['1.1', 'Connection: close\r\n', false],
    ['1.0', '', false],
    ['1.0', 'Connection: keep-alive\r\n', true],
  ] as const)
    assert.equal(acceptedResponse(`HTTP/${version} 200 OK\r\n${fields}\r\n`).isPersistent, isPersistent)
})

for (const [bytes, code] of [
  ['garbage\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1  200 OK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1 20 OK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1 2000 OK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1 +20 OK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1 200 O\x01K\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1 200 O\rK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.2 200 OK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/2.0 200 OK\r\n\r\n', 'status-line-malformed'],
  ['http/1.1 200 OK\r\n\r\n', 'status-line-malformed'],
  ['ICY 200 OK\r\n\r\n', 'status-line-malformed'],
  ['HTTP/1.1 099 x\r\n\r\n', 'status-invalid'],
  ['HTTP/1.1 600 x\r\n\r\n', 'status-invalid'],
  ['HTTP/1.1 200 OK\nA: b\n\n', 'line-feed-bare'],
  ['HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n', 'field-folded'],
  ['HTTP/1.1 200 OK\r\nA : b\r\n\r\n', 'field-name-spaced'],
  ['HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n', 'field-value-invalid'],
  ['\r\nHTTP/1.1 200 OK\r\n\r\n', 'empty-lines-excessive'],
  [`HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(257)}\r\n`, 'fields-too-many'],
] as const)
  test(`refuses the response ${JSON.stringify(bytes.slice(0, 40))}: ${code} (RFC 9112 §4, §5)`, () =>
    assert.equal(readResponse(bytes), code))
