import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HpackEncoder, maxEncodedBytes } from '../../../../src/edge/http2/hpack/encoder.ts'
import { encoded, hex, newDecoder } from './bytes.ts'

/** The first octet of the only field of a block of its own tells its representation (RFC 7541 §6). */
function representation(name: string, value: string): string {
  const first = encoded(new HpackEncoder(), [name, value])[0]!
  if (first >= 0x80) return 'indexed'
  if (first >= 0x40) return 'incremental indexing'
  return first >= 0x10 ? 'never indexed' : 'without indexing'
}

test('a field of the static table is its index (RFC 7541 §6.1)', () => {
  const encoder = new HpackEncoder()
  const fields = [':status', '200', ':status', '404', 'accept-encoding', 'gzip, deflate', 'content-type', '']
  assert.deepEqual(encoded(encoder, fields), hex('88 8d 90 9f'))
})

test('sensitive fields are never indexed (RFC 7541 §7.1.3)', () => {
  for (const [name, value] of [
    ['authorization', 'Bearer 0123456789012345678901234567890123456789'],
    ['Authorization', ''],
    ['proxy-authorization', 'Basic YTpi'],
    ['set-cookie', 'session=0123456789012345678901234567890123456789; Secure'],
    ['Set-Cookie', 'a=1'],
    ['SET-COOKIE', 'a=1'],
    ['cookie', 'session=01234567890'],
  ] as const)
    assert.equal(representation(name, value), 'never indexed', name)
})

test('fields that change, long cookies, and names of which nothing is known are not indexed (RFC 7541 §6.2.2)', () => {
  for (const [name, value] of [
    ['content-length', '12345'],
    ['etag', '"0123456789"'],
    ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['last-modified', 'Mon, 21 Oct 2013 20:13:21 GMT'],
    ['location', '/elsewhere'],
    [':path', '/search?q=1'],
    ['x-request-id', '0123456789'],
    ['cookie', 'session=012345678901'],
    ['x-csrf-token', '0123456789'],
    ['__proto__', 'constructor'],
  ] as const)
    assert.equal(representation(name, value), 'without indexing', name)
})

test('fields that recur enter the table, and are one octet from then on (RFC 7541 §6.2.1)', () => {
  const fields = ['server', 'nginx', 'content-type', 'text/html', 'x-frame-options', 'DENY', 'user-agent', 'curl/8']
  const encoder = new HpackEncoder()
  for (let at = 0; at < fields.length; at += 2)
    assert.equal(representation(fields[at]!, fields[at + 1]!), 'incremental indexing', fields[at]!)
  const first = encoded(encoder, fields)
  assert.deepEqual(encoded(encoder, fields), hex('c1 c0 bf be'))
  assert.deepEqual(newDecoder().decode(first).fields, fields)
})

test('a name that is in the dynamic table only is referred to there (RFC 7541 §6.2.1)', () => {
  const encoder = new HpackEncoder()
  encoded(encoder, ['x-frame-options', 'DENY', 'server', 'nginx'])
  assert.deepEqual(encoded(encoder, ['x-frame-options', '~~']).subarray(0, 2), hex('7f 00'))
})

test('names are written in lower case, however they are given (RFC 9113 §8.2)', () => {
  for (const names of [
    ['content-type', 'Content-Type', 'CONTENT-TYPE', 'cOnTeNt-TyPe'],
    ['etag', 'ETag', 'Etag', 'ETAG'],
    ['x-frame-options', 'X-Frame-Options', 'X-FRAME-OPTIONS'],
    ['www-authenticate', 'WWW-Authenticate', 'Www-Authenticate'],
    ['x-unknown-name', 'X-Unknown-Name', 'X-UNKNOWN-name'],
  ]) {
    const blocks = names.map((name) => encoded(new HpackEncoder(), [name, 'value']).toString('hex'))
    assert.equal(new Set(blocks).size, 1, names.join())
    assert.deepEqual(newDecoder().decode(hex(blocks[0]!)).fields, [names[0]!, 'value'])
  }
})

test('a value is any octets, and its length any number', () => {
  const octets = Buffer.from([...Array(256).keys()]).toString('latin1')
  const encoder = new HpackEncoder()
  const decoder = newDecoder()
  for (const name of ['server', 'etag', 'set-cookie', 'x-unknown'])
    for (const value of [octets, ...[0, 1, 126, 127, 128, 254, 255, 256, 16_510, 16_511].map((it) => 'v'.repeat(it))])
      assert.deepEqual(decoder.decode(encoded(encoder, [name, value])).fields, [name, value])
})

test('pseudo-header fields come first (RFC 9113 §8.3)', () => {
  const block = encoded(new HpackEncoder(), ['server', 'nginx', 'date', 'now'], [':status', '302'])
  assert.deepEqual(newDecoder().decode(block).fields, [':status', '302', 'server', 'nginx', 'date', 'now'])
})

test('a field with more than three quarters of the table is not indexed, and evicts nothing', () => {
  const encoder = new HpackEncoder()
  encoded(encoder, ['server', 'nginx'])
  const policy = 'content-security-policy'
  assert.equal(encoded(encoder, [policy, 'x'.repeat(3072 - 32 - policy.length + 1)])[0], 0)
  assert.deepEqual(encoded(encoder, ['server', 'nginx']), hex('be'))
  assert.equal(encoded(encoder, [policy, 'x'.repeat(3072 - 32 - policy.length)])[0], 0x40)
  assert.deepEqual(encoded(encoder, ['server', 'nginx']), hex('bf'))
})

test('without room nothing is written and nothing changes', () => {
  const fields = ['server', 'nginx', 'x-frame-options', 'DENY', 'etag', '"1"']
  const pseudo = [':status', '302']
  const encoder = new HpackEncoder()
  encoder.setMaxTableBytes(1000)
  const expected = encoded(new HpackEncoder(), fields, pseudo)
  const room = maxEncodedBytes(pseudo, fields)
  for (let bytes = 0; bytes < room; bytes++) {
    const out = Buffer.alloc(bytes)
    assert.equal(encoder.encode(pseudo, fields, out, 0), -1)
    assert.ok(out.every((octet) => octet === 0))
  }
  const out = Buffer.alloc(room + 9)
  const end = encoder.encode(pseudo, fields, out, 9)
  assert.deepEqual(out.subarray(9, end), Buffer.concat([hex('3fc907'), expected]))
})

test('maxEncodedBytes is enough for the worst: two size updates, names and values that no code shortens', () => {
  for (const [name, bytes] of [
    ['server', 200],
    ['x-frame-options', 300],
    ['x-unknown', 20_000],
    ['', 0],
  ] as const) {
    const fields = [name, '\x00'.repeat(bytes), name, '~'.repeat(bytes)]
    const encoder = new HpackEncoder()
    encoder.setMaxTableBytes(300)
    encoder.setMaxTableBytes(4000)
    assert.ok(encoded(encoder, fields).length <= maxEncodedBytes([], fields))
  }
})

test('maxEncodedBytes has room for two size updates without a field', () => {
  const encoder = new HpackEncoder()
  encoder.setMaxTableBytes(300)
  encoder.setMaxTableBytes(4000)
  const out = Buffer.alloc(maxEncodedBytes([], []))
  assert.equal(encoder.encode([], [], out, 0), out.length)
  assert.deepEqual(out, hex('3f8d02 3f811f'))
})

test('a character that is no octet loses what is beyond it, and the block stays whole', () => {
  const [encoder, decoder] = [new HpackEncoder(), newDecoder()]
  for (const name of ['server', 'etag'])
    for (const [value, octets] of [
      ['caf\u0165 and tea', 'cafe and tea'],
      ['\u0100\u2013', '\x00\x13'],
      ['caf\u0165 and tea', 'cafe and tea'],
    ] as const)
      assert.deepEqual(decoder.decode(encoded(encoder, [name, value])).fields, [name, octets])
})

test('a smaller table of the peer is followed at the beginning of the next block (RFC 7541 §4.2)', () => {
  const encoder = new HpackEncoder()
  encoded(encoder, ['server', 'nginx'])
  encoder.setMaxTableBytes(0)
  assert.deepEqual(encoded(encoder, [':status', '200']), hex('20 88'))
  assert.deepEqual(encoded(encoder, [':status', '200']), hex('88'))
  assert.equal(encoded(encoder, ['server', 'nginx'])[0]! >>> 6, 0, 'nothing is indexed in a table without room')
})

test('a table of the peer that shrank and grew between two blocks is signalled with both sizes (RFC 7541 §4.2)', () => {
  const encoder = new HpackEncoder()
  encoded(encoder, ['server', 'nginx'])
  for (const bytes of [2000, 40, 300, 65_536]) encoder.setMaxTableBytes(bytes)
  assert.deepEqual(encoded(encoder, [':status', '200']), hex('3f09 3fe11f 88'))
  assert.deepEqual(encoded(encoder, [':status', '200']), hex('88'))
  assert.notDeepEqual(encoded(encoder, ['server', 'nginx']), hex('be'))
})

test('a peer that offers more than 4,096 octets, or the same again, is told nothing', () => {
  const encoder = new HpackEncoder()
  encoder.setMaxTableBytes(65_536)
  encoder.setMaxTableBytes(4096)
  assert.deepEqual(encoded(encoder, [':status', '200']), hex('88'))
})

test('a size that only grows is signalled once (RFC 7541 §4.2)', () => {
  const encoder = new HpackEncoder()
  encoder.setMaxTableBytes(100)
  encoded(encoder, [])
  encoder.setMaxTableBytes(200)
  encoder.setMaxTableBytes(300)
  assert.deepEqual(encoded(encoder, []), hex('3f8d02'))
})
