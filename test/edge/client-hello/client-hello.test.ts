import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Alert } from '../../../src/edge/client-hello/alert.ts'
import { type ClientHello, isRefusal, parseClientHello } from '../../../src/edge/client-hello/client-hello.ts'
import { ClientHelloReader, type HelloReading, MAX_HELLO_BYTES } from '../../../src/edge/client-hello/reader.ts'
import { missing } from '../../programs.ts'
import { captureNode, captureOpenssl } from './capture.ts'
import { bytewise, everySplit } from './every-split.ts'
import {
  extension,
  helloBody,
  message,
  protocols,
  record,
  serverName,
  uint16,
  vector8,
  vector16,
} from './hello-bytes.ts'

function parse(...extensions: readonly Buffer[]): ClientHello {
  const result = parseClientHello(helloBody({ extensions }))
  assert.ok(!isRefusal(result), JSON.stringify(result))
  return result
}

function read(pieces: readonly Buffer[]): HelloReading {
  const reader = new ClientHelloReader()
  let reading: HelloReading = { status: 'incomplete' }
  for (const piece of pieces) {
    reading = reader.push(piece)
    if (reading.status !== 'incomplete') return reading
  }
  return reading
}

test('reads what decides the certificate (RFC 8446 §4.1.2)', () => {
  const hello = parse(
    serverName('WWW.Example.COM.'),
    extension(43, vector8(uint16(0x0a0a, 0x0304, 0x0303))),
    extension(13, vector16(uint16(0x0403, 0x0804))),
    extension(10, vector16(uint16(4588, 29, 23))),
    protocols('h2', 'http/1.1'),
    extension(5, Buffer.from([1, 0, 0, 0, 0])),
    extension(0x1234, Buffer.from('unknown')),
  )
  assert.deepEqual(hello, {
    serverName: 'www.example.com',
    versions: [0x0a0a, 0x0304, 0x0303],
    cipherSuites: [0x1301, 0xc02b],
    signatureAlgorithms: [0x0403, 0x0804],
    supportedGroups: [4588, 29, 23],
    protocols: ['h2', 'http/1.1'],
    wantsStaple: true,
    ticket: undefined,
  })
})

test('a hello of TLS 1.2 may have no extensions', () => {
  const hello = parseClientHello(helloBody({ extensions: undefined }))
  assert.ok(!isRefusal(hello))
  assert.deepEqual([hello.serverName, hello.versions, hello.protocols], [undefined, [0x0303], []])
  assert.deepEqual([hello.signatureAlgorithms, hello.supportedGroups], [undefined, undefined])
})

test('without supported_versions the client speaks TLS 1.2 at most, whatever it says (RFC 8446 §4.2.1)', () => {
  for (const [version, expected] of [
    [0x0305, 0x0303],
    [0x0304, 0x0303],
    [0x0303, 0x0303],
    [0x0302, 0x0302],
  ] as const) {
    const hello = parseClientHello(helloBody({ version }))
    assert.ok(!isRefusal(hello))
    assert.deepEqual(hello.versions, [expected])
  }
})

test('a wish for the status of another type than OCSP is none of ours (RFC 6066 §8)', () => {
  assert.equal(parse(extension(5, Buffer.from([2, 9, 9]))).wantsStaple, false)
  assert.equal(parse(extension(5, Buffer.concat([Buffer.from([1]), vector16(uint16(1)), uint16(0)]))).wantsStaple, true)
})

test('the ticket is the first identity, or else the one of TLS 1.2 (RFC 8446 §4.2.11, RFC 5077 §3.2)', () => {
  const identity = (text: string): Buffer => Buffer.concat([vector16(Buffer.from(text)), Buffer.alloc(4)])
  const binders = vector16(vector8(Buffer.alloc(32)))
  const preShared = extension(
    41,
    Buffer.concat([vector16(Buffer.concat([identity('first'), identity('second')])), binders]),
  )
  const ticket = extension(35, Buffer.from('ticket'))
  assert.equal(String(parse(preShared).ticket), 'first')
  assert.equal(String(parse(ticket, preShared).ticket), 'first')
  assert.equal(String(parse(ticket).ticket), 'ticket')
  assert.equal(parse(extension(35, Buffer.alloc(0))).ticket, undefined)
  const lying = parseClientHello(helloBody({ extensions: [extension(41, vector16(uint16(9)))] }))
  assert.deepEqual(lying, { alert: Alert.decodeError, reason: 'a length in it does not fit' })
})

const whole = record(message(helloBody({ extensions: [serverName('a.test')] })))

test('a hello is found at every split into two segments', () => {
  for (const pieces of everySplit(whole)) assert.equal(read(pieces).status, 'complete', `split at ${pieces[0].length}`)
})

test('a hello is found byte by byte, and not before its last byte', () => {
  assert.equal(read(bytewise(whole)).status, 'complete')
  assert.equal(read(bytewise(whole.subarray(0, -1))).status, 'incomplete')
})

test('a hello is found over two records, split anywhere, and over records of one byte (RFC 8446 §5.1)', () => {
  const inner = message(helloBody({ extensions: [serverName('a.test')] }))
  for (const [first, second] of everySplit(inner))
    assert.equal(read([record(first), record(second)]).status, 'complete', `split at ${first.length}`)
  assert.equal(read([Buffer.concat(bytewise(inner).map((byte) => record(byte)))]).status, 'complete')
  assert.equal(read([record(Buffer.alloc(0)), record(inner)]).status, 'complete')
})

test('all that arrived is kept for whoever carries on', () => {
  const reader = new ClientHelloReader()
  const after = Buffer.from('what follows')
  const sent = Buffer.concat([whole, after])
  reader.push(sent.subarray(0, 20))
  assert.equal(reader.push(sent.subarray(20)).status, 'complete')
  assert.deepEqual(reader.received, sent)
})

test('a hello of 12,000 bytes is found; one beyond the limit is refused before it has arrived', () => {
  const large = record(message(helloBody({ extensions: [extension(21, Buffer.alloc(12_000))] })))
  assert.equal(read(bytewise(large)).status, 'complete')
  const announced = read([record(message(Buffer.alloc(10), 1, 20_000))])
  assert.deepEqual([announced.status, 'alert' in announced && announced.alert], ['refused', Alert.recordOverflow])
  const empties = Buffer.concat(Array.from({ length: 5_000 }, () => record(Buffer.alloc(0))))
  assert.ok(empties.length > MAX_HELLO_BYTES)
  assert.equal(read([empties]).status, 'refused')
})

const clientHellos = [
  ['node, post-quantum', () => captureNode({ ALPNProtocols: ['h2', 'http/1.1'] }), 'app.example.com', 1_000],
  ['node, classic', () => captureNode({ ecdhCurve: 'X25519' }), 'app.example.com', 0],
] as const
for (const [client, capture, name, atLeast] of clientHellos)
  test(`reads what a real client sends: ${client}`, async () => {
    const bytes = await capture()
    assert.ok(bytes.length > atLeast)
    const reading = read(bytewise(bytes))
    assert.ok(reading.status === 'complete', JSON.stringify(reading))
    assert.equal(reading.hello.serverName, name)
    for (const pieces of everySplit(bytes)) assert.deepEqual(read(pieces), reading, `split at ${pieces[0].length}`)
    assert.ok(reading.hello.versions.includes(0x0304))
    assert.ok(reading.hello.signatureAlgorithms?.includes(0x0403))
    assert.equal(reading.hello.supportedGroups?.includes(4588), atLeast > 0)
  })

for (const args of [['-tls1_2'], ['-tls1_3'], ['-status', '-alpn', 'h2']])
  test(`reads what openssl sends: ${args.join(' ')}`, { skip: missing('openssl') }, async () => {
    const reading = read(bytewise(await captureOpenssl(...args)))
    assert.ok(reading.status === 'complete', JSON.stringify(reading))
    assert.equal(reading.hello.serverName, 'a.test')
    assert.equal(reading.hello.wantsStaple, args.includes('-status'))
    assert.deepEqual(reading.hello.protocols, args.includes('-alpn') ? ['h2'] : [])
  })

const { decodeError, illegalParameter, unexpectedMessage, recordOverflow, protocolVersion } = Alert
const list = (...entries: readonly Buffer[]): Buffer => extension(0, vector16(Buffer.concat(entries)))
const host = (name: string | Buffer): Buffer => Buffer.concat([Buffer.from([0]), vector16(Buffer.from(name))])

for (const [fault, body, alert] of [
  ['no cipher suites', helloBody({ suites: [] }), decodeError],
  [
    'half a cipher suite',
    Buffer.concat([
      uint16(0x0303),
      Buffer.alloc(32),
      vector8(Buffer.alloc(0)),
      vector16(Buffer.from([1])),
      vector8(Buffer.from([0])),
    ]),
    decodeError,
  ],
  ['no compression method', helloBody({ compression: Buffer.alloc(0) }), decodeError],
  ['a session id of 33 bytes', helloBody({ sessionId: Buffer.alloc(33) }), decodeError],
  ['bytes after the extensions', helloBody({ trailing: Buffer.from([0]) }), decodeError],
  ['a body of nothing', Buffer.alloc(0), decodeError],
  ['a body that ends in the random', Buffer.alloc(20), decodeError],
  ['an extension twice', helloBody({ extensions: [protocols('h2'), protocols('h2')] }), illegalParameter],
  ['server_name twice', helloBody({ extensions: [serverName('a.test'), serverName('b.test')] }), illegalParameter],
  ['two names in one list', helloBody({ extensions: [list(host('a.test'), host('b.test'))] }), illegalParameter],
  ['an empty list of names', helloBody({ extensions: [list()] }), decodeError],
  ['a name of another type', helloBody({ extensions: [serverName('a.test', 1)] }), illegalParameter],
  ['a name of no bytes', helloBody({ extensions: [serverName('')] }), illegalParameter],
  ['a name of 300 bytes', helloBody({ extensions: [serverName('a'.repeat(300))] }), illegalParameter],
  ['a label of 64 bytes', helloBody({ extensions: [serverName(`${'a'.repeat(64)}.test`)] }), illegalParameter],
  ['a NUL in the name', helloBody({ extensions: [serverName('a.test\0.evil')] }), illegalParameter],
  ['a newline in the name', helloBody({ extensions: [serverName('a.test\n')] }), illegalParameter],
  ['a name that is not ASCII', helloBody({ extensions: [serverName('bücher.test')] }), illegalParameter],
  ['two dots in the name', helloBody({ extensions: [serverName('a..test')] }), illegalParameter],
  ['two dots at the end', helloBody({ extensions: [serverName('a.test..')] }), illegalParameter],
  ['a name that is a dot', helloBody({ extensions: [serverName('.')] }), illegalParameter],
  ['a name with a path', helloBody({ extensions: [serverName('../../etc/passwd')] }), illegalParameter],
  ['a wildcard for a name', helloBody({ extensions: [serverName('*.a.test')] }), illegalParameter],
  ['an IPv4 address for a name', helloBody({ extensions: [serverName('127.0.0.1')] }), illegalParameter],
  ['an IPv6 address for a name', helloBody({ extensions: [serverName('::1')] }), illegalParameter],
  ['a list of names longer than it is', helloBody({ extensions: [extension(0, uint16(50))] }), decodeError],
  [
    'bytes after the list of names',
    helloBody({ extensions: [extension(0, Buffer.concat([vector16(host('a.test')), Buffer.from([0])]))] }),
    decodeError,
  ],
  [
    'an extension longer than the hello',
    helloBody({ extensions: [Buffer.concat([uint16(0, 500), Buffer.alloc(3)])] }),
    decodeError,
  ],
  ['an empty list of protocols', helloBody({ extensions: [extension(16, uint16(0))] }), decodeError],
  ['a protocol without a name', helloBody({ extensions: [protocols('')] }), decodeError],
  ['half a signature algorithm', helloBody({ extensions: [extension(13, vector16(Buffer.from([4])))] }), decodeError],
  ['no signature algorithm', helloBody({ extensions: [extension(13, uint16(0))] }), decodeError],
  ['no group', helloBody({ extensions: [extension(10, uint16(0))] }), decodeError],
  ['no version', helloBody({ extensions: [extension(43, Buffer.from([0]))] }), decodeError],
  [
    'bytes after the versions',
    helloBody({ extensions: [extension(43, Buffer.concat([vector8(uint16(0x0304)), Buffer.from([0])]))] }),
    decodeError,
  ],
  ['an empty wish for a status', helloBody({ extensions: [extension(5, Buffer.alloc(0))] }), decodeError],
  ['half a wish for a status', helloBody({ extensions: [extension(5, Buffer.from([1, 0, 0]))] }), decodeError],
  [
    'bytes after the wish for a status',
    helloBody({ extensions: [extension(5, Buffer.from([1, 0, 0, 0, 0, 0]))] }),
    decodeError,
  ],
  ['half a version', helloBody({ extensions: [extension(43, vector8(Buffer.from([3])))] }), decodeError],
  ['half a group', helloBody({ extensions: [extension(10, vector16(Buffer.from([0])))] }), decodeError],
] as const)
  test(`refuses ${fault}`, () => {
    const result = parseClientHello(body)
    assert.ok(isRefusal(result), 'it was taken')
    assert.equal(result.alert, alert)
    const reading = read(bytewise(record(message(body))))
    assert.deepEqual([reading.status, 'alert' in reading && reading.alert], ['refused', alert])
  })

for (const [what, bytes, alert] of [
  ['another message first', record(message(Buffer.alloc(4), 2)), unexpectedMessage],
  [
    'another record within the hello',
    Buffer.concat([record(whole.subarray(5, 20)), record(Buffer.alloc(2), 21)]),
    unexpectedMessage,
  ],
  ['a record of no version', Buffer.from([22, 9, 0, 0, 5, 1, 0, 0, 0, 0]), protocolVersion],
  ['a record of 64 KiB', record(Buffer.alloc(4), 22, 65_535), recordOverflow],
  ['SSL 2', Buffer.from('802e0100020015000000100100800300800700c0', 'hex'), undefined],
  ['an SSH client', Buffer.from('SSH-2.0-OpenSSH_9\r\n'), undefined],
  ['a mail client', Buffer.from('EHLO a.test\r\n'), undefined],
  ['a method in lower case', Buffer.from('get / HTTP/1.1\r\n'), undefined],
  ['a method that goes on', Buffer.from('GETS / HTTP/1.1\r\n'), undefined],
  ['zeros', Buffer.alloc(50), undefined],
] as const)
  test(`is not taken in by ${what}`, () => {
    const reading = read(bytewise(bytes))
    assert.deepEqual([reading.status, 'alert' in reading ? reading.alert : 'none'], ['refused', alert])
  })

test('a connection that is nothing yet is waited for', () => {
  for (const start of ['', 'G', 'GE', 'GET', 'OPTION', '\x16', '\x16\x03', '\x16\x03\x01\xff'])
    assert.equal(read([Buffer.from(start, 'latin1')]).status, 'incomplete', start)
})

for (const method of ['GET', 'POST', 'OPTIONS', 'CONNECT', 'PRI'])
  test(`knows plain HTTP by its method: ${method}`, () => {
    assert.equal(read(bytewise(Buffer.from(`${method} / HTTP/1.1\r\n`))).status, 'plain-http')
  })

test('mutated hellos are taken or refused, and never thrown over', () => {
  // A small generator of its own, so that a failure can be repeated.
  let state = 20261124
  const random = (below: number): number => {
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return state % below
  }
  const seeds = [
    whole,
    record(message(helloBody({ extensions: [protocols('h2'), extension(13, vector16(uint16(0x0403)))] }))),
  ]
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(seeds[round % 2]!)
    for (let change = random(4); change >= 0; change--) bytes[random(bytes.length)] = random(256)
    const cut = random(bytes.length)
    const reading = read([bytes.subarray(0, cut), bytes.subarray(cut)])
    assert.ok(['incomplete', 'complete', 'refused', 'plain-http'].includes(reading.status))
  }
})
