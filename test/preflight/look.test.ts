import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CaaSubject } from '../../src/preflight/caa.ts'
import { lookBefore } from '../../src/preflight/look.ts'
import type { CaaRecord } from '../../src/preflight/name-resolver.ts'
import { fakeResolver } from './fake-resolver.ts'

const subject: CaaSubject = {
  identities: ['ca.test'],
  accountUrl: 'https://ca.test/account/1',
  challenges: ['tls-alpn-01', 'http-01'],
}
const there = { 'a.b.example.org': ['192.0.2.1'], 'example.org': ['192.0.2.1'] }
const issue = (value: string): CaaRecord => ({ critical: 0, issue: value }) as CaaRecord
const issuewild = (value: string): CaaRecord => ({ critical: 0, issuewild: value }) as CaaRecord

const look = (name: string, caa: Record<string, readonly CaaRecord[] | 'silent'> = {}): Promise<string[]> =>
  lookBefore([name], subject, fakeResolver(there, caa))

test('a name that leads nowhere is hopeless, and the sentence says what to do', async () => {
  assert.deepEqual(await look('gone.example.org'), [
    'gone.example.org leads nowhere: create an A or AAAA record for it with the address at which this machine is reached',
  ])
})

test('where it leads is not judged, and no answer is none', async () => {
  const resolver = fakeResolver({ 'inner.example.org': ['10.0.0.1'], 'slow.example.org': 'silent' })
  assert.deepEqual(await lookBefore(['inner.example.org', 'slow.example.org'], subject, resolver), [])
})

test('each hopeless name of several is named', async () => {
  const resolver = fakeResolver(there)
  const faults = await lookBefore(['example.org', 'x.example.org', 'y.example.org'], subject, resolver)
  assert.deepEqual(
    faults.map((fault) => fault.split(' ')[0]),
    ['x.example.org', 'y.example.org'],
  )
})

test('addresses are asked nothing of, and a wildcard leads nowhere by nature', async () => {
  const resolver = fakeResolver({})
  assert.deepEqual(await lookBefore(['192.0.2.1', '2001:db8::1', '*.example.org'], subject, resolver), [])
  assert.deepEqual(
    resolver.asked.filter((question) => question.startsWith('addresses')),
    [],
  )
})

test('the CAA records that count are the nearest (RFC 8659 §3)', async () => {
  assert.deepEqual(await look('a.b.example.org'), [])
  assert.deepEqual(await look('a.b.example.org', { 'example.org': [issue('ca.test')] }), [])
  const farther = { 'b.example.org': [issue('ca.test')], 'example.org': [issue('other.test')] }
  assert.deepEqual(await look('a.b.example.org', farther), [])
  assert.deepEqual(await look('a.b.example.org', { 'example.org': [issue('other.test')] }), [
    'the CAA records of example.org do not let this CA issue for a.b.example.org: add example.org. CAA 0 issue "ca.test"',
  ])
})

for (const [what, records, isAllowed] of [
  ['one of several', [issue('other.test'), issue('CA.test ; policy=ev')], true],
  ['nobody', [issue(';')], false],
  ['only a mailbox', [{ critical: 0, iodef: 'mailto:x@example.org' } as CaaRecord], true],
  ['only wildcards of others', [issuewild('other.test')], true],
  ['this account', [issue('ca.test; accounturi=https://ca.test/account/1')], true],
  ['another account', [issue('ca.test; accounturi=https://ca.test/account/2')], false],
  ['one of our methods', [issue('ca.test; validationmethods=dns-01,http-01')], true],
  ['another method', [issue('ca.test; validationmethods=dns-01')], false],
  ['one record that fits of two', [issue('ca.test; validationmethods=dns-01'), issue('ca.test')], true],
] as const)
  test(`CAA records for ${what} ${isAllowed ? 'let' : 'do not let'} the CA issue (RFC 8659 §4.2, RFC 8657)`, async () => {
    const faults = await look('example.org', { 'example.org': records })
    assert.equal(faults.length === 0, isAllowed, faults.join())
  })

test('for a wildcard issuewild goes before issue (RFC 8659 §4.3)', async () => {
  const records = [issue('ca.test'), issuewild('other.test')]
  assert.match((await look('*.example.org', { 'example.org': records }))[0]!, /CAA 0 issuewild "ca\.test"/)
  assert.deepEqual(await look('*.example.org', { 'example.org': [issue('other.test'), issuewild('ca.test')] }), [])
})

test('CAA that cannot be found out is left to the CA, and so is all of it where the CA says not what it is called', async () => {
  assert.deepEqual(await look('example.org', { 'example.org': 'silent' }), [])
  const resolver = fakeResolver(there, { 'example.org': [issue('other.test')] })
  assert.deepEqual(await lookBefore(['example.org'], { ...subject, identities: [] }, resolver), [])
})
