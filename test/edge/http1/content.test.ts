import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContentReader } from '../../../src/edge/http1/content-reader.ts'
import { CHUNKED, UNTIL_CLOSE } from '../../../src/edge/http1/framing.ts'
import { REQUEST_LIMITS } from '../../../src/edge/http1/limits.ts'
import { readContent } from './traces.ts'

test('content of a known length is as long as that, and no longer (RFC 9112 §6.2)', () => {
  assert.deepEqual(readContent('abcdeGET', 5), { content: 'abcde', trailers: [], rest: 'GET', refused: undefined })
  assert.deepEqual(readContent('abc', 5), { content: 'abc', trailers: undefined, rest: '', refused: undefined })
})

test('content until the connection closes ends with it, and no other does (RFC 9112 §8)', () => {
  for (const [framing, isWhole] of [
    [UNTIL_CLOSE, true],
    [CHUNKED, false],
    [9, false],
  ] as const) {
    let ends = 0
    const reader = new ContentReader(REQUEST_LIMITS)
    const sink = { onContent: () => {}, onContentEnd: () => ends++ }
    reader.begin(framing)
    reader.read(Buffer.from('3\r\nabc\r\n'), 0, sink)
    assert.equal(reader.close(sink), isWhole)
    assert.equal(ends, isWhole ? 1 : 0)
  }
})

test('chunks are put together, whatever the case of their sizes (RFC 9112 §7.1)', () => {
  const bytes = `5\r\nhello\r\n0A\r\n, chunked \r\n00000000000001\r\n!\r\n0\r\n\r\nGET`
  const { content, trailers, rest } = readContent(bytes, CHUNKED)
  assert.equal(content, 'hello, chunked !')
  assert.deepEqual(trailers, [])
  assert.equal(rest, 'GET')
})

test('chunk extensions are passed over (RFC 9112 §7.1.1)', () => {
  const { content, trailers } = readContent('1;a;b=c;d="e;\\"f"\r\nx\r\n0;last\r\n\r\n', CHUNKED)
  assert.equal(content, 'x')
  assert.deepEqual(trailers, [])
})

test('chunks that have not ended are waited for', () => {
  for (const bytes of [
    '',
    '5',
    '5\r',
    '5\r\n',
    '5\r\nhell',
    '5\r\nhello',
    '5\r\nhello\r\n',
    '0\r\n',
    '0\r\n\r',
    '0\r\nA: b\r\n',
  ])
    assert.deepEqual(
      [readContent(bytes, CHUNKED).trailers, readContent(bytes, CHUNKED).refused],
      [undefined, undefined],
    )
})

for (const [bytes, code] of [
  ['\r\n', 'chunk-size-invalid'],
  ['x\r\n', 'chunk-size-invalid'],
  ['+5\r\n', 'chunk-size-invalid'],
  ['-5\r\n', 'chunk-size-invalid'],
  [' 5\r\n', 'chunk-size-invalid'],
  ['0x5\r\n', 'chunk-size-invalid'],
  ['5_0\r\n', 'chunk-size-invalid'],
  ['5 \r\n', 'chunk-size-invalid'],
  ['5 a;\r\n', 'chunk-size-invalid'],
  ['5 5\r\n', 'chunk-size-invalid'],
  ['5\t\nhello', 'chunk-size-invalid'],
  [' ;a\r\n', 'chunk-size-invalid'],
  ['\xb5\r\n', 'chunk-size-invalid'],
  [';a\r\n', 'chunk-size-invalid'],
  ['5\nhello', 'chunk-line-end-invalid'],
  ['5\rhello', 'chunk-line-end-invalid'],
  ['5;a\nhello', 'chunk-line-end-invalid'],
  ['5;a\0\r\n', 'chunk-extension-invalid'],
  ['5;a\x7f\r\n', 'chunk-extension-invalid'],
  ['5\r\nhellox', 'chunk-end-invalid'],
  ['5\r\nhello\n', 'chunk-end-invalid'],
  ['5\r\nhello\rx', 'chunk-end-invalid'],
  ['20000000000000\r\n', 'chunk-size-too-large'],
  ['FFFFFFFFFFFFFFFFF\r\n', 'chunk-size-too-large'],
  ['10000000000000005\r\n', 'chunk-size-too-large'],
  ['0\r\n\rx', 'carriage-return-bare'],
  ['0\r\nX: a\nb\r\n\r\n', 'line-feed-bare'],
  ['0\r\nX : a\r\n\r\n', 'field-name-spaced'],
  ['0\r\nX\r\n\r\n', 'field-colon-missing'],
  ['0\r\nX: a\r\n b\r\n\r\n', 'field-folded'],
  ['0\r\n X: a\r\n\r\n', 'field-name-invalid'],
] as const)
  test(`refuses the chunks ${JSON.stringify(bytes)}: ${code} (RFC 9112 §7.1)`, () =>
    assert.equal(readContent(bytes, CHUNKED).refused, code))

test('white space before an extension is taken (RFC 9112 §7.1.1)', () => {
  assert.deepEqual(
    readContent('5 \t;a\r\nhello\r\n0 ;b\r\n\r\n', CHUNKED),
    readContent('5\r\nhello\r\n0\r\n\r\n', CHUNKED),
  )
  assert.equal(readContent(`5${' '.repeat(300)};a\r\n`, CHUNKED).refused, 'chunk-line-too-long')
})

test('what may surround chunks has limits', () => {
  const limits = { ...REQUEST_LIMITS, chunkLineBytes: 10, chunkExtensionBytes: 20, trailerBytes: 20, trailerCount: 2 }
  const read = (bytes: string): unknown => readContent(bytes, CHUNKED, limits).refused
  assert.equal(read(`1;${'a'.repeat(7)}\r\nx\r\n`), undefined)
  assert.equal(read(`1;${'a'.repeat(9)}\r\nx\r\n`), 'chunk-line-too-long')
  assert.equal(read(`${'0'.repeat(12)}1\r\nx\r\n`), 'chunk-line-too-long')
  assert.equal(read('1;aaaaaaa\r\nx\r\n'.repeat(3)), 'chunk-extensions-excessive')
  assert.equal(read('0\r\nA: 1\r\nB: 2\r\n\r\n'), undefined)
  assert.equal(read('0\r\nA:\r\nB:\r\nC:\r\n\r\n'), 'trailers-too-many')
  assert.equal(read(`0\r\nA: ${'x'.repeat(30)}`), 'trailers-too-large')
})

test('trailers are kept, but for those that would rule what is decided already (RFC 9110 §6.5.1)', () => {
  const ruling = [
    ...['Content-Length: 5', 'Transfer-Encoding: chunked', 'Host: b.test', 'Connection: X-Hop', 'X-Hop: 1', 'TE: x'],
    ...['Authorization: Basic x', 'Cookie: a', 'Set-Cookie: a', 'X-Forwarded-For: 6.6.6.6', 'Content-Type: x'],
    ...['Content-Encoding: gzip', 'Upgrade: x', 'Expect: 100-continue', 'Location: x'],
  ]
  const bytes = `1\r\nx\r\n0\r\nX-Sum: 1\r\n${ruling.join('\r\n')}\r\nDate: now\r\n\r\nGET`
  const { trailers, rest } = readContent(bytes, CHUNKED)
  assert.deepEqual(trailers, ['X-Sum', '1', 'Date', 'now'])
  assert.equal(rest, 'GET')
})

test('one reader reads message after message', () => {
  const reader = new ContentReader(REQUEST_LIMITS)
  const read: string[] = []
  const sink = { onContent: (piece: Buffer) => read.push(String(piece)), onContentEnd: () => read.push('end') }
  const bytes = Buffer.from('0\r\nA: b\r\n\r\nab2\r\ncd\r\n0\r\n\r\n')
  let at = 0
  for (const framing of [CHUNKED, 2, CHUNKED]) {
    reader.begin(framing)
    at = reader.read(bytes, at, sink)
  }
  assert.equal(at, bytes.length)
  assert.deepEqual(read, ['end', 'ab', 'end', 'cd', 'end'])
})
