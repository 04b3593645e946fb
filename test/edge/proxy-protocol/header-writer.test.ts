import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Endpoints } from '../../../src/edge/endpoints.ts'
import { readProxyHeader } from '../../../src/edge/proxy-protocol/header.ts'
import { formatProxyHeader } from '../../../src/edge/proxy-protocol/header-writer.ts'
import { header2, tcp4, tcp6 } from './header-bytes.ts'

const V4: Endpoints = { clientAddress: '192.0.2.1', clientPort: 4711, localAddress: '198.51.100.2', localPort: 443 }
const V6: Endpoints = { clientAddress: '2001:db8::1', clientPort: 4711, localAddress: '::1', localPort: 443 }
const UNIX: Endpoints = { clientAddress: '', clientPort: undefined, localAddress: '', localPort: undefined }

for (const [what, endpoints, line, bytes] of [
  ['IPv4', V4, 'PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n', tcp4()],
  ['IPv6', V6, 'PROXY TCP6 2001:db8::1 ::1 4711 443\r\n', tcp6('20010db8000000000000000000000001')],
  ['a Unix socket', UNIX, 'PROXY UNKNOWN\r\n', header2(0x21, 0x00, Buffer.alloc(0))],
  [
    'a client of IPv4 on a connection of IPv6',
    { ...V6, clientAddress: '192.0.2.1' },
    'PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 443\r\n',
    tcp6('00000000000000000000ffffc0000201'),
  ],
  [
    'a client whose port is not known',
    { ...V4, clientPort: undefined },
    'PROXY TCP4 192.0.2.1 198.51.100.2 0 443\r\n',
    undefined,
  ],
  [
    'a link-local client, without its zone',
    { ...V6, clientAddress: 'fe80::1:2%eth0' },
    'PROXY TCP6 fe80::1:2 ::1 4711 443\r\n',
    tcp6('fe800000000000000000000000010002'),
  ],
] as const)
  test(`a header for ${what}, in both versions`, () => {
    assert.equal(formatProxyHeader('v1', endpoints).toString(), line)
    if (bytes !== undefined) assert.deepEqual(formatProxyHeader('v2', endpoints), bytes)
  })

test('what is written is what is read', () => {
  const addresses = ['::', '1::', '::1:2', '1:2:3:4:5:6:7:8', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '1:0:0:2::3']
  for (const version of ['v1', 'v2'] as const)
    for (const endpoints of [V4, V6, ...addresses.map((clientAddress) => ({ ...V6, clientAddress }))]) {
      const bytes = formatProxyHeader(version, endpoints)
      const read = readProxyHeader(Buffer.concat([bytes, Buffer.from('GET')]))
      assert.deepEqual(read, { length: bytes.length, endpoints })
    }
})
