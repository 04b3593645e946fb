import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { AddressRules } from '../../../src/guards.ts'
import { exchangeBytes, plainGuards, plainPolicy, type Served, serve, siteOf } from '../serve.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n'

async function scene(t: TestContext, addresses: AddressRules, address: string, trustedProxies: string[] = []) {
  const policy = { ...plainPolicy, guards: { ...plainGuards, addresses } }
  const action = { type: 'respond', status: 200, fields: [], body: 'served' } as const
  const site = { ...siteOf({ scheme: 'unix', path: '/none' }, { policy }), action }
  const proxy: Served = await serve([site], { client: { address }, trustedProxies })
  t.after(() => proxy.close())
  return proxy
}

async function statusOf({ port }: Served, fields = ''): Promise<number> {
  return Number((await exchangeBytes(port, `${GET}${fields}\r\n`)).slice(9, 12))
}

const cases: readonly [string, AddressRules, string, number][] = [
  ['an address of an allowed network', { allow: ['10.0.0.0/8'], deny: [] }, '10.1.2.3', 200],
  ['an address of none', { allow: ['10.0.0.0/8'], deny: [] }, '11.1.2.3', 403],
  ['an IPv6 address where IPv4 ones are allowed', { allow: ['10.0.0.0/8'], deny: [] }, '2001:db8::1', 403],
  ['an allowed IPv6 address', { allow: ['2001:db8::/32'], deny: [] }, '2001:db8:ffff::1', 200],
  ['a denied address', { allow: undefined, deny: ['192.0.2.7'] }, '192.0.2.7', 403],
  ['its neighbour', { allow: undefined, deny: ['192.0.2.7'] }, '192.0.2.8', 200],
  ['an address that is allowed and denied', { allow: ['10.0.0.0/8'], deny: ['10.0.0.1'] }, '10.0.0.1', 403],
  ['a peer on a Unix socket among networks', { allow: ['10.0.0.0/8'], deny: [] }, '', 403],
  ['a peer on a Unix socket that is allowed', { allow: ['unix'], deny: [] }, '', 200],
  ['a peer on a Unix socket that is denied', { allow: undefined, deny: ['unix'] }, '', 403],
]

for (const [who, rules, address, status] of cases)
  test(`${who}: ${status}`, async (t) => {
    const proxy = await scene(t, rules, address)
    assert.equal(await statusOf(proxy), status)
    assert.deepEqual(
      proxy.accesses.map(({ why }) => why),
      [status === 200 ? undefined : 'address-denied'],
    )
  })

test('what a client says of its address counts for nothing, and what a trusted proxy says does', async (t) => {
  const rules = { allow: ['10.0.0.1'], deny: [] }
  const forged = 'X-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\n'
  const direct = await scene(t, rules, '192.0.2.1')
  assert.equal(await statusOf(direct, forged), 403)
  const proxied = await scene(t, rules, '192.0.2.1', ['192.0.2.1'])
  assert.equal(await statusOf(proxied, 'X-Forwarded-For: 10.0.0.1\r\n'), 200)
  assert.equal(await statusOf(proxied, 'X-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n'), 403)
})
