import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSet } from '../../../src/edge/address-set.ts'
import { originOf } from '../../../src/edge/forwarding.ts'
import { forwardedValue } from '../../../src/edge/upstream/forwarded.ts'
import { exchangeBytes, serve, siteOf, startUpstream } from '../serve.ts'
import { behindHttp2, ok } from './http2-peer.ts'

/** Of a request on a connection from this address. */
function forwarded(
  address: string,
  fields: string[] = [],
  { authority = 'a.test', trusted = ['10.0.0.0/8', 'unix'] } = {},
) {
  const request = { scheme: 'http', authority, fields } as const
  return forwardedValue(request, originOf(request, { address }, new AddressSet(trusted)))
}

for (const [what, value, expected] of [
  ['IPv4', forwarded('192.0.2.1'), 'for=192.0.2.1;proto=http;host=a.test'],
  ['IPv6, in brackets and quotes', forwarded('2001:db8::1'), 'for="[2001:db8::1]";proto=http;host=a.test'],
  [
    'a host with a port, in quotes',
    forwarded('192.0.2.1', [], { authority: 'a.test:8080' }),
    'for=192.0.2.1;proto=http;host="a.test:8080"',
  ],
  [
    'a host that is an address',
    forwarded('192.0.2.1', [], { authority: '[::1]' }),
    'for=192.0.2.1;proto=http;host="[::1]"',
  ],
  ['a peer without an address', forwarded('', [], { trusted: [] }), 'for=unknown;proto=http;host=a.test'],
  [
    'whom trusted proxies name, hop by hop',
    forwarded('10.0.0.1', [
      'X-Forwarded-For',
      '6.6.6.6, 2001:db8::1, 10.0.0.2',
      'X-Forwarded-Proto',
      'https',
      'X-Forwarded-Host',
      'b.test',
    ]),
    'for="[2001:db8::1]";proto=https;host=b.test, for=10.0.0.2, for=10.0.0.1',
  ],
  [
    'a trusted proxy that has sent its own',
    forwarded('10.0.0.1', ['Forwarded', 'for=192.0.2.9;proto=https', 'X-Forwarded-For', '192.0.2.9']),
    'for=10.0.0.1;proto=http;host=a.test',
  ],
  [
    'somebody who claims to be a proxy',
    forwarded('192.0.2.1', ['Forwarded', 'for=6.6.6.6', 'X-Forwarded-For', '6.6.6.6', 'X-Forwarded-Host', '";for=x']),
    'for=192.0.2.1;proto=http;host=a.test',
  ],
] as const)
  test(`Forwarded tells of ${what} (RFC 7239 §4, §6)`, () => assert.equal(value, expected))

const CLOSE = 'Host: a.test\r\nConnection: close\r\n'

async function echo(overrides: { forwarded?: boolean; via?: boolean }, sent: string, trustedProxies: string[] = []) {
  const upstream = await startUpstream((request, response) => {
    response.setHeader('Via', '1.1 behind')
    response.end(JSON.stringify(request.rawHeaders))
  })
  const proxy = await serve([siteOf(upstream.address, overrides)], { trustedProxies })
  const answer = await exchangeBytes(proxy.port, `GET / HTTP/1.1\r\n${CLOSE}${sent}\r\n`)
  await Promise.all([proxy.close(), upstream.close()])
  const fields: string[] = JSON.parse(/\[.*\]/.exec(answer)![0])
  const all = (name: string): string[] => fields.filter((_, at) => at % 2 === 1 && fields[at - 1] === name)
  return { all, answer }
}

test('neither Forwarded nor Via is sent unless asked for', async () => {
  const { all, answer } = await echo({}, '')
  assert.deepEqual([all('Forwarded'), all('Via')], [[], []])
  assert.equal(answer.match(/\r\nVia: /g)?.length, 1)
})

test('Forwarded is ours alone; only that of a trusted proxy stands before it', async () => {
  const claim = 'Forwarded: for=6.6.6.6\r\nConnection: Forwarded\r\n'
  const ours = 'for=192.0.2.1;proto=http;host=a.test'
  assert.deepEqual((await echo({ forwarded: true }, claim)).all('Forwarded'), [ours])
  const proxied = await echo({ forwarded: true }, 'Forwarded: for=192.0.2.9\r\n', ['192.0.2.1'])
  assert.deepEqual(proxied.all('Forwarded'), ['for=192.0.2.9', ours])
})

test('Via is added in both directions, behind those of others (RFC 9110 §7.6.3)', async () => {
  const { all, answer } = await echo({ via: true }, 'Via: 1.0 before\r\n')
  assert.deepEqual(all('Via'), ['1.0 before', '1.1 castellan'])
  assert.match(answer, /\r\nVia: 1\.1 behind\r\n[\s\S]*\r\nVia: 1\.1 castellan\r\n/)
})

test('Via tells the version of HTTP that a message came by', async (t) => {
  const { client, peer } = await behindHttp2(t, {}, { via: true })
  const one = await client()
  one.say('GET / HTTP/1.0\r\nHost: a.test\r\n\r\n')
  const upstream = await peer(0)
  await upstream.hear(/^HEADERS 1 .*via=1\.0 castellan/)
  upstream.say(ok(1))
  assert.match(await one.hear('\r\n\r\n'), /\r\nVia: 2 castellan\r\n/)
})
