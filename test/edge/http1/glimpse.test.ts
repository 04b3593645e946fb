import assert from 'node:assert/strict'
import { test } from 'node:test'
import { glimpse } from '../../../src/edge/http1/glimpse.ts'

const nothing = { method: undefined, authority: undefined, target: undefined, version: '1.1' }

for (const [what, head, seen] of [
  ['a whole head', 'GET /x HTTP/1.1\r\nHost: a.test\r\n', { method: 'GET', target: '/x', authority: 'a.test' }],
  ['empty lines before it', '\r\n\r\nGET /x HTTP/1.1\r\n', { method: 'GET', target: '/x' }],
  ['HTTP/1.0', 'GET /x HTTP/1.0\r\n', { method: 'GET', target: '/x', version: '1.0' }],
  ['bare line feeds', 'GET /x HTTP/1.1\nhOST:\t a.test \n', { method: 'GET', target: '/x', authority: 'a.test' }],
  ['half a target', 'GET /x', { method: 'GET', target: '/x' }],
  ['half a host, which would be another', 'GET /x HTTP/1.1\r\nHost: a.te', { method: 'GET', target: '/x' }],
  ['half a method', 'GE', {}],
  [
    'the first of two hosts',
    'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n',
    { method: 'GET', target: '/', authority: 'a' },
  ],
  ['an empty host', 'GET / HTTP/1.1\r\nHost: \r\n', { method: 'GET', target: '/' }],
  ['a hello of TLS', '\x16\x03\x01\x02\x00\x01', {}],
  ['nothing', '', {}],
  ['what is hostile, as it is', 'G\x1bT /\x00\xff HTTP/9\r\n', { method: 'G\x1bT', target: '/\x00\xff' }],
] as const)
  test(`sees of a refused head: ${what}`, () => assert.deepEqual(glimpse(head), { ...nothing, ...seen }))

test('what is long is cut', () => {
  const seen = glimpse(`${'M'.repeat(99)} /${'x'.repeat(9_000)} HTTP/1.1\r\nHost: ${'h'.repeat(999)}\r\n`)
  assert.deepEqual([seen.method?.length, seen.target?.length, seen.authority?.length], [32 + 3, 1024 + 3, 255 + 3])
})

test('hostile heads take no longer than their length', () => {
  for (const piece of ['\nhost: \t', ' \t', '\r\n', 'x ', ' HTTP/1.'])
    for (const head of [piece.repeat(200_000), `GET / HTTP/1.1\r\nHost:${piece.repeat(200_000)}`]) {
      const before = performance.now()
      glimpse(head)
      // What grows with the square would take minutes.
      assert.ok(performance.now() - before < 2_000)
    }
})
