import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineReader } from '../../src/admin/line-reader.ts'
import { formatRequest, parseReply, parseRequest } from '../../src/admin/protocol.ts'

test('lines are the same at every split', () => {
  const bytes = Buffer.from('one\n\nthree é\nrest')
  for (let at = 0; at <= bytes.length; at++) {
    const reader = new LineReader(100)
    const lines = [...reader.push(bytes.subarray(0, at)), ...reader.push(bytes.subarray(at))]
    assert.deepEqual(lines, ['one', '', 'three é'], `${at}`)
  }
})

test('a line that has no end is kept no longer than a line may be', () => {
  const reader = new LineReader(10)
  assert.deepEqual(reader.push(Buffer.from('0123456789\n01234')), ['0123456789'])
  assert.deepEqual(reader.push(Buffer.from('56789')), [])
  assert.throws(() => reader.push(Buffer.from('x')), { code: 'control-line-too-long' })
})

test('a line too long is refused also where it comes whole', () => {
  assert.throws(() => new LineReader(10).push(Buffer.from('01234567890\n')), { code: 'control-line-too-long' })
})

for (const request of [
  { ask: 'report', name: undefined },
  { ask: 'report', name: 'a.test' },
  { ask: 'retry', name: undefined },
  { ask: 'retry', name: 'a.test' },
  { ask: 'renew', name: 'a.test' },
  { ask: 'probe', name: 'a.test', addresses: ['192.0.2.1', '2001:db8::1'] },
  { ask: 'notify-test' },
  { ask: 'maintenance', site: undefined, action: undefined, forMs: undefined, page: undefined },
  { ask: 'maintenance', site: 'a.test', action: 'hold', forMs: 5000, page: '/sorry.html' },
  { ask: 'revoke', name: 'a.test', reason: 'keyCompromise' },
  { ask: 'import', files: ['/a.pem', '/b c.key'] },
  { ask: 'accounts', action: 'rollover', issuer: undefined },
  { ask: 'accounts', action: 'show', issuer: 'letsencrypt' },
  { ask: 'upstreams' },
  { ask: 'drain', url: 'http://10.0.0.1:80' },
  { ask: 'undrain', url: 'unix:/run/app.sock' },
] as const)
  test(`a request is read as it was written: ${JSON.stringify(request)}, a round trip`, () => {
    assert.deepEqual(parseRequest(formatRequest(request).trimEnd()), request)
  })

for (const [line, code] of [
  ['', 'control-request-invalid'],
  ['{', 'control-request-invalid'],
  ['null', 'control-request-invalid'],
  ['[]', 'control-request-invalid'],
  ['"report"', 'control-request-invalid'],
  ['{"ask":"report"}', 'control-request-invalid'],
  ['{"version":3,"ask":"report"}', 'control-version'],
  ['{"version":"2","ask":"report"}', 'control-version'],
  ['{"version":2}', 'control-request-invalid'],
  ['{"version":2,"ask":"probe","addresses":[]}', 'control-request-invalid'],
  ['{"version":2,"ask":"probe","name":"a"}', 'control-request-invalid'],
  ['{"version":2,"ask":"probe","name":"a","addresses":["b.test"]}', 'control-request-invalid'],
  ['{"version":2,"ask":"__proto__"}', 'control-request-invalid'],
  ['{"version":2,"ask":"toString"}', 'control-request-invalid'],
  ['{"version":2,"ask":["report"]}', 'control-request-invalid'],
  ['{"version":2,"ask":"renew"}', 'control-request-invalid'],
  ['{"version":2,"ask":"maintenance","site":"a.test"}', 'control-request-invalid'],
  ['{"version":2,"ask":"maintenance","action":"on"}', 'control-request-invalid'],
  ['{"version":2,"ask":"maintenance","site":"a.test","action":"down"}', 'control-request-invalid'],
  ['{"version":2,"ask":"maintenance","site":"a.test","action":"on","forMs":-1}', 'control-request-invalid'],
  ['{"version":2,"ask":"maintenance","site":"a.test","action":"on","page":"x.html"}', 'control-request-invalid'],
  ['{"version":2,"ask":"renew","name":null}', 'control-request-invalid'],
  ['{"version":2,"ask":"retry","name":{"length":1}}', 'control-request-invalid'],
  ['{"version":2,"ask":"revoke","name":"a"}', 'control-request-invalid'],
  ['{"version":2,"ask":"revoke","name":"a","reason":"toString"}', 'control-request-invalid'],
  ['{"version":2,"ask":"revoke","name":"a","reason":1}', 'control-request-invalid'],
  ['{"version":2,"ask":"import"}', 'control-request-invalid'],
  ['{"version":2,"ask":"import","files":[]}', 'control-request-invalid'],
  ['{"version":2,"ask":"import","files":["a.pem"]}', 'control-request-invalid'],
  ['{"version":2,"ask":"import","files":["/a.pem",1]}', 'control-request-invalid'],
  ['{"version":2,"ask":"accounts","action":"delete"}', 'control-request-invalid'],
  ['{"version":2,"ask":"accounts","action":"show","issuer":1}', 'control-request-invalid'],
  ['{"version":2,"ask":"drain"}', 'control-request-invalid'],
  ['{"version":2,"ask":"undrain","url":1}', 'control-request-invalid'],
  ['GET / HTTP/1.1\r', 'control-request-invalid'],
] as const)
  test(`no request: ${line}`, () => {
    assert.throws(() => parseRequest(line), { code })
  })

test('what a request has besides is left out', () => {
  assert.deepEqual(parseRequest('{"version":2,"ask":"report","name":"a","more":1,"__proto__":{"x":1}}'), {
    ask: 'report',
    name: 'a',
  })
})

test('a reply of no known type is none', () => {
  for (const line of ['', 'null', '[]', '{"type":"toString"}', '{"type":1}'])
    assert.throws(() => parseReply(line), { code: 'control-reply-invalid' })
  assert.deepEqual(parseReply('{"type":"end"}'), { type: 'end' })
})
