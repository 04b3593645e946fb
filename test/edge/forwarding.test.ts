import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSet } from '../../src/edge/address-set.ts'
import { type Origin, originOf } from '../../src/edge/forwarding.ts'

const PROXY = '10.0.0.1'
const trusted = new AddressSet(['10.0.0.0/8', 'fd00::/8', 'unix'])

function origin(fields: readonly string[], address = PROXY, set = trusted): Origin {
  return originOf({ scheme: 'http', authority: 'a.test', fields }, { address }, set)
}

const claims = ['X-Forwarded-For', '203.0.113.9', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'b.test'] as const

test('whoever is not trusted is itself the client, whatever it claims', () => {
  const itself = { scheme: 'http', host: 'a.test', isFromProxy: false }
  assert.deepEqual(origin(claims, '192.0.2.1'), { ...itself, clientAddress: '192.0.2.1', chain: '192.0.2.1' })
  assert.deepEqual(origin(claims, PROXY, new AddressSet([])), { ...itself, clientAddress: PROXY, chain: PROXY })
})

test('a trusted proxy is believed, and joins the chain', () => {
  assert.deepEqual(origin(claims), {
    clientAddress: '203.0.113.9',
    scheme: 'https',
    host: 'b.test',
    chain: `203.0.113.9, ${PROXY}`,
    isFromProxy: true,
  })
})

test('a trusted proxy that says nothing is the client', () => {
  assert.deepEqual(origin([]), {
    clientAddress: PROXY,
    scheme: 'http',
    host: 'a.test',
    chain: PROXY,
    isFromProxy: true,
  })
})

for (const [what, lines, chain] of [
  ['what stands left of the first untrusted address', ['198.51.100.1, 203.0.113.9'], '203.0.113.9'],
  [
    'trusted proxies on the way are passed',
    ['198.51.100.1, 203.0.113.9, 10.1.1.1, fd00::2'],
    '203.0.113.9, 10.1.1.1, fd00::2',
  ],
  ['several lines are one list', ['198.51.100.1', '203.0.113.9', '10.1.1.1'], '203.0.113.9, 10.1.1.1'],
  ['ports and brackets are borne', ['[2001:db8::1]:4711, 10.1.1.1:80'], '2001:db8::1, 10.1.1.1'],
  ['an IPv4 address that is written as IPv6 is one', ['::ffff:203.0.113.9'], '203.0.113.9'],
  ['what is no address ends it', ['203.0.113.9, unknown, 10.1.1.1'], '10.1.1.1'],
  ['nor is an empty entry one', ['203.0.113.9, , 10.1.1.1'], '10.1.1.1'],
  ['all of them trusted: the first is the client', ['10.1.1.1, 10.1.1.2'], '10.1.1.1, 10.1.1.2'],
] as const)
  test(`the chain is read from the right: ${what}`, () => {
    const fields = lines.flatMap((line) => ['x-forwarded-for', line])
    const { clientAddress, chain: actual } = origin(fields)
    assert.equal(actual, `${chain}, ${PROXY}`)
    assert.equal(clientAddress, chain.split(', ')[0])
  })

test('a proxy on a Unix socket has no address to add', () => {
  assert.deepEqual(origin(claims, '').chain, '203.0.113.9')
})

test('a scheme or a host that is none is not believed', () => {
  const { scheme, host } = origin(['X-Forwarded-Proto', 'ftp', 'X-Forwarded-Host', 'a b'])
  assert.deepEqual([scheme, host], ['http', 'a.test'])
})

test('of several values the nearest proxy’s counts', () => {
  const fields = [
    'X-Forwarded-Proto',
    'http, HTTPS',
    'X-Forwarded-Host',
    'x.test',
    'X-Forwarded-Host',
    'y.test, z.test:8443',
  ]
  const { scheme, host } = origin(fields)
  assert.deepEqual([scheme, host], ['https', 'z.test:8443'])
})
