import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readProxyHeader } from '../../../src/edge/proxy-protocol/header.ts'
import { header2, TCP4, tcp4, tcp6 } from './header-bytes.ts'

const AFTER = Buffer.from('GET / HTTP/1.1\r\n')

/** The header is found whole, and nothing shorter than it is taken for one. */
function readAtEveryLength(header: Buffer): ReturnType<typeof readProxyHeader> {
  for (let length = 0; length < header.length; length++)
    assert.equal(readProxyHeader(header.subarray(0, length)), 'incomplete', `${length} bytes`)
  const reading = readProxyHeader(Buffer.concat([header, AFTER]))
  assert.ok(typeof reading === 'object' && 'length' in reading, JSON.stringify(reading))
  assert.equal(reading.length, header.length)
  return reading
}

const longest = `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`

for (const [line, endpoints] of [
  [
    'PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n',
    { clientAddress: '192.0.2.1', clientPort: 56_324, localAddress: '192.0.2.2', localPort: 443 },
  ],
  [
    'PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n',
    { clientAddress: '2001:db8::1', clientPort: 1, localAddress: '2001:db8::2', localPort: 65535 },
  ],
  ['PROXY UNKNOWN\r\n', undefined],
  ['PROXY UNKNOWN whatever it says here\r\n', undefined],
] as const)
  test(`version 1, at every length: ${line.trim()}`, () => {
    assert.deepEqual(readAtEveryLength(Buffer.from(line)), { length: line.length, endpoints })
  })

test('version 1: the longest line', () => {
  assert.equal(longest.length, 104)
  readAtEveryLength(Buffer.from(longest))
})

for (const [what, text] of [
  ['another protocol', 'PROXY UDP4 192.0.2.1 192.0.2.2 1 443\r\n'],
  ['an address of the other family', 'PROXY TCP4 2001:db8::1 192.0.2.2 1 443\r\n'],
  ['a name', 'PROXY TCP4 localhost 192.0.2.2 1 443\r\n'],
  ['two spaces', 'PROXY TCP4  192.0.2.1 192.0.2.2 1 443\r\n'],
  ['a port with a zero before it', 'PROXY TCP4 192.0.2.1 192.0.2.2 01 443\r\n'],
  ['a port above 65535', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n'],
  ['a port with a sign', 'PROXY TCP4 192.0.2.1 192.0.2.2 +1 443\r\n'],
  ['no port', 'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n'],
  ['one word more', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 443 x\r\n'],
  ['a line that does not end', `PROXY UNKNOWN ${'x'.repeat(107)}`],
  ['a bare line feed', `PROXY UNKNOWN\n${'x'.repeat(107)}`],
  ['lower case', 'proxy UNKNOWN\r\n'],
  ['no header at all', 'GET / HTTP/1.1\r\n'],
  ['a TLS record', Buffer.from([22, 3, 1, 0, 5])],
] as const)
  test(`version 1 refuses ${what}`, () => {
    const reading = readProxyHeader(Buffer.from(text as string))
    assert.ok(typeof reading === 'object' && 'refused' in reading, JSON.stringify(reading))
  })

test('what can be no header is refused at its first byte that tells', () => {
  for (const start of ['G', 'PROXx', '\r\n\r\n\0\r\nQUIX'])
    assert.deepEqual(readProxyHeader(Buffer.from(start)), { refused: 'there is none' })
})

const v4 = { clientAddress: '192.0.2.1', clientPort: 4711, localAddress: '198.51.100.2', localPort: 443 }
/** A type-length-value: type, two bytes of length, content. */
const noop = Buffer.from([0x04, 0, 3, 1, 2, 3])

for (const [what, bytes, endpoints] of [
  ['TCP over IPv4', tcp4(), v4],
  ['with values behind the addresses', tcp4(Buffer.concat([noop, noop])), v4],
  [
    'TCP over IPv6',
    tcp6('20010db8000000000000000000000001'),
    { ...v4, clientAddress: '2001:db8::1', localAddress: '::1' },
  ],
  ['an IPv4 address written as IPv6', tcp6('00000000000000000000ffffc0000201'), { ...v4, localAddress: '::1' }],
  ['a Unix socket', header2(0x21, 0x31, Buffer.alloc(216)), undefined],
  ['a proxy that does not know', header2(0x21, 0x00, Buffer.alloc(0)), undefined],
  ['a proxy that speaks for itself', header2(0x20, 0x00, Buffer.alloc(0)), undefined],
  ['the same with addresses, which count for nothing', header2(0x20, 0x11, Buffer.alloc(12)), undefined],
  ['the same of a family to come', header2(0x20, 0x77, Buffer.from('anything')), undefined],
] as const)
  test(`version 2, at every length: ${what}`, () => {
    assert.deepEqual(readAtEveryLength(bytes), { length: bytes.length, endpoints })
  })

for (const [what, bytes] of [
  ['version 1 in this form', header2(0x11, 0x11, TCP4)],
  ['a command to come', header2(0x22, 0x11, TCP4)],
  ['UDP', header2(0x21, 0x12, TCP4)],
  ['addresses that are cut off', header2(0x21, 0x11, TCP4.subarray(0, 11))],
  ['a value that reaches beyond the header', tcp4(Buffer.from([0x04, 0, 4, 1, 2, 3]))],
  ['a value without its length', tcp4(Buffer.from([0x04, 0]))],
  ['more than 8 KiB, before it has come', header2(0x21, 0x11, Buffer.alloc(8 * 1024)).subarray(0, 16)],
] as const)
  test(`version 2 refuses ${what}`, () => {
    const reading = readProxyHeader(bytes)
    assert.ok(typeof reading === 'object' && 'refused' in reading, JSON.stringify(reading))
  })
