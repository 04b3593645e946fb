import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Http2ErrorCode } from '../../../src/edge/http2/http2-error.ts'
import { connectedClient } from './client-script.ts'
import { data, EH, ES, GET, headers, literals, POST, ping, post } from './frames.ts'

// Requests that are malformed are an error of their stream, and nobody gets to see them (RFC 9113 §8.1.1).

const without = (name: string): string[] => {
  const at = GET.indexOf(name)
  return [...GET.slice(0, at), ...GET.slice(at + 2)]
}
const instead = (name: string, value: string): string[] => {
  const at = GET.indexOf(name)
  return [...GET.slice(0, at + 1), value, ...GET.slice(at + 2)]
}

const malformed: readonly (readonly [code: Http2ErrorCode, rule: string, fields: readonly string[]])[] = [
  ['field-name-invalid', 'a name in upper case (§8.2.1)', [...GET, 'X-Upper', '1']],
  ['field-name-invalid', 'a name with a space (§8.2.1)', [...GET, 'x y', '1']],
  ['field-name-invalid', 'a name with a control (§8.2.1)', [...GET, 'x\u0001', '1']],
  ['field-name-invalid', 'a name beyond ASCII (§8.2.1)', [...GET, 'x\u00e9', '1']],
  ['field-name-invalid', 'a name with a colon (§8.2.1)', [...GET, 'x:y', '1']],
  ['field-name-invalid', 'an empty name (§8.2.1)', [...GET, '', '1']],
  ['field-value-invalid', 'a value with NUL (§8.2.1)', [...GET, 'x', 'a\0b']],
  ['field-value-invalid', 'a value with LF (§8.2.1)', [...GET, 'x', 'a\nGET /admin']],
  ['field-value-invalid', 'a value with CR (§8.2.1)', [...GET, 'x', 'a\rb']],
  ['field-value-invalid', 'a value with another control', [...GET, 'x', 'a\u001bb']],
  ['field-value-invalid', 'a value with DEL', [...GET, 'x', 'a\u007fb']],
  ['field-value-invalid', 'a value that starts with a space (§8.2.1)', [...GET, 'x', ' a']],
  ['field-value-invalid', 'a value that ends with a tab (§8.2.1)', [...GET, 'x', 'a\t']],
  ['field-connection-specific', 'connection (§8.2.2)', [...GET, 'connection', 'x-forwarded-for']],
  ['field-connection-specific', 'proxy-connection (§8.2.2)', [...GET, 'proxy-connection', 'close']],
  ['field-connection-specific', 'keep-alive (§8.2.2)', [...GET, 'keep-alive', '1']],
  ['field-connection-specific', 'transfer-encoding (§8.2.2)', [...GET, 'transfer-encoding', 'chunked']],
  ['field-connection-specific', 'upgrade (§8.2.2)', [...GET, 'upgrade', 'h2c']],
  ['field-connection-specific', 'http2-settings (§8.2.2)', [...GET, 'http2-settings', 'AAMAAABkAAQAAP__']],
  ['field-connection-specific', 'te other than trailers (§8.2.2)', [...GET, 'te', 'trailers, gzip']],
  ['pseudo-field-invalid', 'an unknown pseudo-header field (§8.3)', [...GET, ':test', '1']],
  ['pseudo-field-invalid', 'one of a response (§8.3)', [...GET, ':status', '200']],
  ['pseudo-field-late', 'one after a regular field (§8.3)', [...GET.slice(0, 6), 'x', '1', ...GET.slice(6)]],
  ...[0, 2, 4, 6].map(
    (at) => ['pseudo-field-repeated', `${GET[at]} twice (§8.3)`, [...GET, ...GET.slice(at, at + 2)]] as const,
  ),
  [
    'pseudo-field-repeated',
    ':protocol twice (§8.3)',
    [...instead(':method', 'CONNECT'), ':protocol', 'websocket', ':protocol', 'websocket'],
  ],
  ['pseudo-field-missing', 'no :method (§8.3.1)', without(':method')],
  ['pseudo-field-missing', 'no :scheme (§8.3.1)', without(':scheme')],
  ['pseudo-field-missing', 'no :path (§8.3.1)', without(':path')],
  ['authority-invalid', 'neither :authority nor host (§8.3.1)', without(':authority')],
  ['pseudo-field-missing', 'no fields at all (§8.3.1)', []],
  ['path-invalid', 'an empty :path (§8.3.1)', instead(':path', '')],
  ['path-invalid', 'a :path without a slash (§8.3.1)', instead(':path', 'index.html')],
  ['path-invalid', 'a :path in absolute-form (§8.3.1)', instead(':path', 'http://b.test/')],
  ['path-invalid', 'a :path with a space', instead(':path', '/ HTTP/1.1')],
  ['path-invalid', 'a :path with LF', instead(':path', '/\nx')],
  ['path-invalid', 'a :path with a fragment', instead(':path', '/#x')],
  ['path-invalid', 'a :path beyond ASCII', instead(':path', '/\u00e9')],
  ['path-invalid', '* without OPTIONS (§8.3.1)', instead(':path', '*')],
  ['method-invalid', 'a method that is no token (§8.3.1)', instead(':method', 'GET /x HTTP/1.1\r\n')],
  ['method-invalid', 'an empty method (§8.3.1)', instead(':method', '')],
  ['scheme-invalid', 'a scheme other than http and https', instead(':scheme', 'ftp')],
  ['authority-invalid', 'userinfo in :authority (§8.3.1)', instead(':authority', 'user@a.test')],
  ['authority-invalid', 'an empty :authority', instead(':authority', '')],
  ['authority-invalid', 'a path in :authority', instead(':authority', 'a.test/x')],
  ['authority-invalid', 'two ports in :authority', instead(':authority', 'a.test:1:2')],
  ['host-conflict', 'host other than :authority (§8.3.1)', [...GET, 'host', 'b.test']],
  ['host-conflict', 'host with another port than :authority (§8.3.1)', [...GET, 'host', 'a.test:444']],
  ['authority-invalid', 'host twice', [...without(':authority'), 'host', 'a.test', 'host', 'a.test']],
  ['content-length-conflict', 'content-length and no content (§8.1.1)', [...POST, 'content-length', '1']],
  ['content-length-invalid', 'content-length twice', [...POST, 'content-length', '0', 'content-length', '0']],
  ['content-length-invalid', 'a list of content-lengths', [...POST, 'content-length', '0, 0']],
  ['content-length-invalid', 'a signed content-length', [...POST, 'content-length', '+0']],
  ['content-length-invalid', 'an empty content-length', [...POST, 'content-length', '']],
  ['pseudo-field-invalid', 'CONNECT with :path (§8.5)', instead(':method', 'CONNECT')],
  ['pseudo-field-missing', 'CONNECT without :authority (§8.5)', [':method', 'CONNECT']],
  ['pseudo-field-invalid', ':protocol without CONNECT (RFC 8441 §4)', [...GET, ':protocol', 'websocket']],
  [
    'pseudo-field-missing',
    ':protocol and no :path (RFC 8441 §4)',
    [':method', 'CONNECT', ':protocol', 'websocket', ':authority', 'a.test', ':scheme', 'https'],
  ],
  [
    'pseudo-field-invalid',
    'a :protocol that is no token (RFC 8441 §4)',
    [...instead(':method', 'CONNECT'), ':protocol', 'web socket'],
  ],
  [
    'content-length-conflict',
    'content-length of what leaves HTTP',
    [...instead(':method', 'CONNECT'), ':protocol', 'websocket', 'content-length', '0'],
  ],
]

for (const [code, rule, fields] of malformed) {
  test(`refuses ${rule}`, async () => {
    const client = await connectedClient()
    const answer = await client.send(headers(1, literals(...fields), EH | ES), ping())
    assert.deepEqual(client.streamErrors, [code])
    assert.deepEqual(answer, ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
    assert.equal(client.served.length, 0)
    assert.deepEqual(
      client.refused.map(({ status, why }) => [status, why]),
      [[0, code]],
    )
  })
}

test('what a refused request seems to say is told', async () => {
  const client = await connectedClient()
  await client.send(headers(1, literals(...instead(':path', `/${'\u001b'.repeat(2_000)}`)), EH | ES))
  await client.send(headers(3, literals(':method', 'G T', 'host', 'b.test'), EH | ES))
  const [first, second] = client.refused
  assert.deepEqual([first?.method, first?.authority, first?.version], ['GET', 'a.test', '2'])
  assert.equal(first?.target, `/${'\u001b'.repeat(1_023)}...`)
  assert.deepEqual([second?.method, second?.authority, second?.target], ['G T', 'b.test', undefined])
})

const RESET = ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678']

const conflicts: readonly (readonly [code: Http2ErrorCode, rule: string, frames: readonly Buffer[]])[] = [
  [
    'content-length-conflict',
    'more content than content-length (§8.1.1)',
    [post(1, 'content-length', '1'), data(1, 'ab')],
  ],
  [
    'content-length-conflict',
    'less content than content-length (§8.1.1)',
    [post(1, 'content-length', '2'), data(1, 'a', ES)],
  ],
  [
    'content-length-conflict',
    'less content than content-length before trailers (§8.1.1)',
    [post(1, 'content-length', '2'), headers(1, literals('x', '1'), EH | ES)],
  ],
  [
    'trailers-unfinished',
    'HEADERS after the head without END_STREAM (§8.1)',
    [post(1), headers(1, literals('x', '1'))],
  ],
  [
    'pseudo-field-invalid',
    'pseudo-header fields in trailers (§8.1)',
    [post(1), headers(1, literals(':path', '/'), EH | ES)],
  ],
  [
    'field-name-invalid',
    'a name in upper case in trailers (§8.2.1)',
    [post(1), headers(1, literals('X', '1'), EH | ES)],
  ],
  [
    'field-connection-specific',
    'transfer-encoding in trailers (§8.2.2)',
    [post(1), headers(1, literals('transfer-encoding', 'chunked'), EH | ES)],
  ],
]

for (const [code, rule, frames] of conflicts) {
  test(`breaks off ${rule}`, async () => {
    const client = await connectedClient()
    assert.deepEqual(await client.send(...frames, ping()), RESET)
    assert.deepEqual(client.streamErrors, [code])
    const { events } = client.served[0]!
    assert.equal(events.at(-1), 'end aborted 0')
    assert.equal(client.served[0]!.outcome?.why, code)
    assert.deepEqual(client.refused, [])
    assert.ok(!events.some((event) => event.startsWith('content-end')))
  })
}

test('a CONNECT for a tunnel is answered 405', async () => {
  const client = await connectedClient()
  const answer = await client.send(
    headers(1, literals(':method', 'CONNECT', ':authority', 'a.test:443')),
    data(1, 'x'),
    ping(),
  )
  assert.deepEqual(answer, [
    'HEADERS 1 ES :status=405 content-length=0 date=Thu, 01 Jan 1970 00:00:00 GMT allow=GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
    'RST_STREAM 1 NO_ERROR',
    'PING ACK 12345678',
  ])
  assert.equal(client.served.length, 0)
  assert.deepEqual([client.refused[0]?.status, client.refused[0]?.why], [405, 'method-not-served'])
})
