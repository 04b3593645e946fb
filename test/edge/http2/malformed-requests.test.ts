import assert from 'node:assert/strict'
import { test } from 'node:test'
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

const malformed: readonly (readonly [rule: string, fields: readonly string[]])[] = [
  ['a name in upper case (§8.2.1)', [...GET, 'X-Upper', '1']],
  ['a name with a space (§8.2.1)', [...GET, 'x y', '1']],
  ['a name with a control (§8.2.1)', [...GET, 'x\u0001', '1']],
  ['a name beyond ASCII (§8.2.1)', [...GET, 'x\u00e9', '1']],
  ['a name with a colon (§8.2.1)', [...GET, 'x:y', '1']],
  ['an empty name (§8.2.1)', [...GET, '', '1']],
  ['a value with NUL (§8.2.1)', [...GET, 'x', 'a\0b']],
  ['a value with LF (§8.2.1)', [...GET, 'x', 'a\nGET /admin']],
  ['a value with CR (§8.2.1)', [...GET, 'x', 'a\rb']],
  ['a value with another control', [...GET, 'x', 'a\u001bb']],
  ['a value with DEL', [...GET, 'x', 'a\u007fb']],
  ['a value that starts with a space (§8.2.1)', [...GET, 'x', ' a']],
  ['a value that ends with a tab (§8.2.1)', [...GET, 'x', 'a\t']],
  ['connection (§8.2.2)', [...GET, 'connection', 'x-forwarded-for']],
  ['proxy-connection (§8.2.2)', [...GET, 'proxy-connection', 'close']],
  ['keep-alive (§8.2.2)', [...GET, 'keep-alive', '1']],
  ['transfer-encoding (§8.2.2)', [...GET, 'transfer-encoding', 'chunked']],
  ['upgrade (§8.2.2)', [...GET, 'upgrade', 'h2c']],
  ['http2-settings (§8.2.2)', [...GET, 'http2-settings', 'AAMAAABkAAQAAP__']],
  ['te other than trailers (§8.2.2)', [...GET, 'te', 'trailers, gzip']],
  ['an unknown pseudo-header field (§8.3)', [...GET, ':test', '1']],
  ['one of a response (§8.3)', [...GET, ':status', '200']],
  ['one after a regular field (§8.3)', [...GET.slice(0, 6), 'x', '1', ...GET.slice(6)]],
  ...[0, 2, 4, 6].map((at) => [`${GET[at]} twice (§8.3)`, [...GET, ...GET.slice(at, at + 2)]] as const),
  [':protocol twice (§8.3)', [...instead(':method', 'CONNECT'), ':protocol', 'websocket', ':protocol', 'websocket']],
  ['no :method (§8.3.1)', without(':method')],
  ['no :scheme (§8.3.1)', without(':scheme')],
  ['no :path (§8.3.1)', without(':path')],
  ['neither :authority nor host (§8.3.1)', without(':authority')],
  ['no fields at all (§8.3.1)', []],
  ['an empty :path (§8.3.1)', instead(':path', '')],
  ['a :path without a slash (§8.3.1)', instead(':path', 'index.html')],
  ['a :path in absolute-form (§8.3.1)', instead(':path', 'http://b.test/')],
  ['a :path with a space', instead(':path', '/ HTTP/1.1')],
  ['a :path with LF', instead(':path', '/\nx')],
  ['a :path with a fragment', instead(':path', '/#x')],
  ['a :path beyond ASCII', instead(':path', '/\u00e9')],
  ['* without OPTIONS (§8.3.1)', instead(':path', '*')],
  ['a method that is no token (§8.3.1)', instead(':method', 'GET /x HTTP/1.1\r\n')],
  ['an empty method (§8.3.1)', instead(':method', '')],
  ['a scheme other than http and https', instead(':scheme', 'ftp')],
  ['userinfo in :authority (§8.3.1)', instead(':authority', 'user@a.test')],
  ['an empty :authority', instead(':authority', '')],
  ['a path in :authority', instead(':authority', 'a.test/x')],
  ['two ports in :authority', instead(':authority', 'a.test:1:2')],
  ['host other than :authority (§8.3.1)', [...GET, 'host', 'b.test']],
  ['host with another port than :authority (§8.3.1)', [...GET, 'host', 'a.test:444']],
  ['host twice', [...without(':authority'), 'host', 'a.test', 'host', 'a.test']],
  ['content-length and no content (§8.1.1)', [...POST, 'content-length', '1']],
  ['content-length twice', [...POST, 'content-length', '0', 'content-length', '0']],
  ['a list of content-lengths', [...POST, 'content-length', '0, 0']],
  ['a signed content-length', [...POST, 'content-length', '+0']],
  ['an empty content-length', [...POST, 'content-length', '']],
  ['CONNECT with :path (§8.5)', instead(':method', 'CONNECT')],
  ['CONNECT without :authority (§8.5)', [':method', 'CONNECT']],
  [':protocol without CONNECT (RFC 8441 §4)', [...GET, ':protocol', 'websocket']],
  [
    ':protocol and no :path (RFC 8441 §4)',
    [':method', 'CONNECT', ':protocol', 'websocket', ':authority', 'a.test', ':scheme', 'https'],
  ],
  ['a :protocol that is no token (RFC 8441 §4)', [...instead(':method', 'CONNECT'), ':protocol', 'web socket']],
  [
    'content-length of what leaves HTTP',
    [...instead(':method', 'CONNECT'), ':protocol', 'websocket', 'content-length', '0'],
  ],
]

for (const [rule, fields] of malformed) {
  test(`refuses ${rule}`, async () => {
    const client = await connectedClient()
    const answer = await client.send(headers(1, literals(...fields), EH | ES), ping())
    assert.deepEqual(answer, ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678'])
    assert.equal(client.served.length, 0)
  })
}

const RESET = ['RST_STREAM 1 PROTOCOL_ERROR', 'PING ACK 12345678']

const conflicts: readonly (readonly [rule: string, frames: readonly Buffer[]])[] = [
  ['more content than content-length (§8.1.1)', [post(1, 'content-length', '1'), data(1, 'ab')]],
  ['less content than content-length (§8.1.1)', [post(1, 'content-length', '2'), data(1, 'a', ES)]],
  [
    'less content than content-length before trailers (§8.1.1)',
    [post(1, 'content-length', '2'), headers(1, literals('x', '1'), EH | ES)],
  ],
  ['HEADERS after the head without END_STREAM (§8.1)', [post(1), headers(1, literals('x', '1'))]],
  ['pseudo-header fields in trailers (§8.1)', [post(1), headers(1, literals(':path', '/'), EH | ES)]],
  ['a name in upper case in trailers (§8.2.1)', [post(1), headers(1, literals('X', '1'), EH | ES)]],
  ['transfer-encoding in trailers (§8.2.2)', [post(1), headers(1, literals('transfer-encoding', 'chunked'), EH | ES)]],
]

for (const [rule, frames] of conflicts) {
  test(`breaks off ${rule}`, async () => {
    const client = await connectedClient()
    assert.deepEqual(await client.send(...frames, ping()), RESET)
    const { events } = client.served[0]!
    assert.equal(events.at(-1), 'end aborted 0')
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
  assert.deepEqual(answer, ['HEADERS 1 ES :status=405 content-length=0', 'RST_STREAM 1 NO_ERROR', 'PING ACK 12345678'])
  assert.equal(client.served.length, 0)
})
