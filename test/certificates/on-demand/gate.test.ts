import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../../../src/certificates/ledger/address-network.ts'
import { registeredDomain } from '../../../src/certificates/ledger/registered-domain.ts'
import { Gate, isPublicSuffix } from '../../../src/certificates/on-demand/gate.ts'
import { HourlyLimit } from '../../../src/certificates/on-demand/hourly-limit.ts'

const HOUR = 3_600_000

test('so many within any hour, and how long until there may be another', () => {
  const limit = new HourlyLimit(2)
  assert.equal(limit.waitMs(0), 0)
  limit.take(0)
  limit.take(1000)
  assert.equal(limit.waitMs(1000), HOUR - 1000)
  assert.equal(limit.waitMs(HOUR - 1), 1)
  assert.equal(limit.waitMs(HOUR), 0)
  limit.take(HOUR)
  assert.equal(limit.waitMs(HOUR), 1000)
})

test('a clock that is set back makes no hour longer', () => {
  const limit = new HourlyLimit(1)
  limit.take(10 * HOUR)
  assert.equal(limit.waitMs(0), 0)
})

test('registered domains are those below a public suffix, with those that hosters give away', () => {
  const cases = [
    ['a.b.shop.co.uk', 'shop.co.uk'],
    ['shop.co.uk', 'shop.co.uk'],
    ['a.me.github.io', 'me.github.io'],
    ['a.b.corp.test', 'corp.test'],
    ['co.uk', 'co.uk'],
    ['a.xn--bcher-kva.de', 'xn--bcher-kva.de'],
  ]
  for (const [name, domain] of cases) assert.equal(registeredDomain(name!), domain)
})

test('only a suffix of the public DNS is nobody’s own', () => {
  for (const name of ['co.uk', 'com.br']) assert.equal(isPublicSuffix(name), true, name)
  for (const name of ['shop.co.uk', 'github.io', 'a.test']) assert.equal(isPublicSuffix(name), false, name)
})

test('of IPv6 a client has a /64, however it is written', () => {
  assert.equal(networkOf('192.0.2.1'), '192.0.2.1')
  assert.equal(networkOf('2001:db8::1'), '2001:db8::/64')
  assert.equal(networkOf('2001:db8:0:0:1:2:3:4'), '2001:db8::/64')
  assert.equal(networkOf('2001:db8:0:1::'), '2001:db8:0:1::/64')
  assert.equal(networkOf('::1'), '::/64')
  assert.equal(networkOf(''), '')
})

test('clients without an address are not taken for one', () => {
  const gate = new Gate({ names: 5, namesPerDomain: 5, namesPerAddress: 1, questions: 5 }, { now: () => 0 })
  for (const name of ['a.test', 'b.test']) assert.equal(gate.enter(name, '', true), undefined)
  assert.equal(gate.enter('c.test', '192.0.2.1', true), undefined)
  assert.deepEqual(gate.enter('d.test', '192.0.2.1', true), { by: 'namesPerAddress', forMs: HOUR })
})

test('what a flood of addresses makes it remember is bounded, and the limit in all holds', () => {
  const limits = { names: 5, namesPerDomain: 5, namesPerAddress: 1, questions: 50_000 }
  const gate = new Gate(limits, { now: () => 0 })
  const by = new Map<string, number>()
  for (let index = 0; index < 60_000; index++) {
    const closed = gate.enter(`x${index}.test`, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`, true)
    by.set(closed?.by ?? 'open', (by.get(closed?.by ?? 'open') ?? 0) + 1)
  }
  assert.deepEqual(
    [...by],
    [
      ['open', 50_000],
      ['questions', 10_000],
    ],
  )
})
