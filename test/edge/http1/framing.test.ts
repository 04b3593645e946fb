import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UNKNOWN_LENGTH } from '../../../src/edge/exchange/exchange.ts'
import { CHUNKED, UNTIL_CLOSE } from '../../../src/edge/http1/framing.ts'
import { acceptedRequest, acceptedResponse, readRequest, readResponse } from './traces.ts'

function post(fields: string, version = '1.1'): string {
  return `POST / HTTP/${version}\r\nHost: a.test\r\n${fields}\r\n`
}

test('a request has content if it says how long it is or that it is chunked (RFC 9112 §6.3)', () => {
  for (const [fields, framing, contentLength] of [
    ['', 0, 0],
    ['Content-Length: 0\r\n', 0, 0],
    ['content-length: 007\r\n', 7, 7],
    ['Content-Length: 9007199254740991\r\n', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['Transfer-Encoding: Chunked\r\n', CHUNKED, UNKNOWN_LENGTH],
  ] as const) {
    const head = acceptedRequest(post(fields))
    assert.deepEqual([head.framing, head.contentLength], [framing, contentLength], fields)
  }
})

const AMBIGUOUS = [
  ['Content-Length: 1\r\nTransfer-Encoding: chunked\r\n', 'framing-ambiguous'],
  ['Transfer-Encoding: chunked\r\nContent-Length: 1\r\n', 'framing-ambiguous'],
  ['Content-Length: 1\r\nContent-Length: 1\r\n', 'content-length-repeated'],
  ['Content-Length: 1\r\ncontent-length: 2\r\n', 'content-length-repeated'],
  ['Content-Length:\r\n', 'content-length-invalid'],
  ['Content-Length: +5\r\n', 'content-length-invalid'],
  ['Content-Length: -1\r\n', 'content-length-invalid'],
  ['Content-Length: 0x5\r\n', 'content-length-invalid'],
  ['Content-Length: 5,5\r\n', 'content-length-invalid'],
  ['Content-Length: 5 5\r\n', 'content-length-invalid'],
  ['Content-Length: 1e3\r\n', 'content-length-invalid'],
  ['Content-Length: 5.0\r\n', 'content-length-invalid'],
  ['Content-Length: \xb2\r\n', 'content-length-invalid'],
  ['Content-Length: 9007199254740992\r\n', 'content-length-invalid'],
  ['Content-Length: 10000000000000000000000\r\n', 'content-length-invalid'],
  ['Transfer-Encoding:\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: identity\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: xchunked\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: "chunked"\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: ,chunked\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: chunked,\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: chunked, chunked\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: chunked, gzip\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: chunked;q=1\r\n', 'transfer-encoding-invalid'],
  ['Transfer-Encoding: \x0bchunked\r\n', 'field-value-invalid'],
  ['Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 'transfer-encoding-repeated'],
  ['Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n', 'transfer-encoding-repeated'],
  ['Transfer-Encoding: gzip, chunked\r\n', 'transfer-encoding-unsupported'],
] as const

for (const [fields, code] of AMBIGUOUS) {
  test(`refuses a request with ${JSON.stringify(fields)}: ${code} (RFC 9112 §6)`, () =>
    assert.equal(readRequest(post(fields)), code))

  test(`refuses a response with ${JSON.stringify(fields)}: ${code} (RFC 9112 §6)`, () =>
    assert.equal(readResponse(`HTTP/1.1 200 OK\r\n${fields}\r\n`), code))
}

test('HTTP/1.0 has no transfer coding (RFC 9112 §6.1)', () => {
  assert.equal(readRequest(post('Transfer-Encoding: chunked\r\n', '1.0')), 'transfer-encoding-of-http-1.0')
  assert.equal(readResponse('HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'), 'transfer-encoding-of-http-1.0')
})

test('the content of a response, by method, status and fields (RFC 9112 §6.3)', () => {
  for (const [method, status, fields, framing, contentLength] of [
    ['GET', 200, 'Content-Length: 3\r\n', 3, 3],
    ['GET', 200, 'Transfer-Encoding: chunked\r\n', CHUNKED, UNKNOWN_LENGTH],
    ['GET', 200, '', UNTIL_CLOSE, UNKNOWN_LENGTH],
    ['HEAD', 200, 'Content-Length: 3\r\n', 0, 3],
    ['HEAD', 200, 'Transfer-Encoding: chunked\r\n', 0, UNKNOWN_LENGTH],
    ['HEAD', 200, '', 0, UNKNOWN_LENGTH],
    ['GET', 304, 'Content-Length: 3\r\n', 0, 3],
    ['GET', 304, '', 0, UNKNOWN_LENGTH],
    ['GET', 204, 'Content-Length: 3\r\n', 0, 0],
    ['GET', 204, 'Transfer-Encoding: chunked\r\n', 0, 0],
    ['GET', 103, 'Content-Length: 3\r\n', 0, 0],
    ['GET', 101, 'Upgrade: x\r\n', 0, 0],
  ] as const) {
    const head = acceptedResponse(`HTTP/1.1 ${status} x\r\n${fields}\r\n`, method)
    assert.deepEqual([head.framing, head.contentLength], [framing, contentLength], `${method} ${status} ${fields}`)
  }
})
