import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CaaSubject } from '../../src/preflight/caa.ts'
import { type AskProbe, lookBefore } from '../../src/preflight/look.ts'
import type { CaaRecord } from '../../src/preflight/name-resolver.ts'
import type { ProbeAnswer } from '../../src/preflight/probe.ts'
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
  lookBefore([name], subject, fakeResolver(there, caa)).then((faults) => faults.map(({ reason }) => reason))

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
    faults.map(({ name }) => name),
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

test('a CAA record that is critical and of an unknown kind forbids every CA (RFC 8659 §4.1)', async () => {
  const strange = (critical: number) => ({ critical, tbs: 'x' }) as unknown as CaaRecord
  const faults = await look('example.org', { 'example.org': [strange(128), issue('ca.test')] })
  assert.match(faults.join(), /one called tbs that is critical/)
  assert.deepEqual(await look('example.org', { 'example.org': [strange(0), issue('ca.test')] }), [])
})

/** What is met at each address, for each challenge; every question is noted. */
function fakeProbe(met: Readonly<Record<string, ProbeAnswer['outcome']>>): { probe: AskProbe; asked: string[] } {
  const asked: string[] = []
  const probe: AskProbe = async (name, addresses, challenge) => {
    asked.push(`${name} ${challenge}`)
    return addresses.map((address) => {
      return { address, challenge, outcome: met[`${challenge} ${address}`] ?? 'silent', seen: 'answers 404' }
    })
  }
  return { probe, asked }
}

for (const [what, met, isHopeless] of [
  ['somebody else at all doors', { 'http-01 192.0.2.1': 'other', 'tls-alpn-01 192.0.2.1': 'other' }, true],
  ['us at one of two doors', { 'http-01 192.0.2.1': 'ours', 'tls-alpn-01 192.0.2.1': 'other' }, false],
  ['somebody else at one door, and nobody at the other', { 'tls-alpn-01 192.0.2.1': 'other' }, false],
  ['nobody', {}, false],
  ['a redirect', { 'http-01 192.0.2.1': 'elsewhere', 'tls-alpn-01 192.0.2.1': 'other' }, false],
] as const)
  test(`a name that leads to ${what} is ${isHopeless ? '' : 'not '}hopeless`, async () => {
    const { probe } = fakeProbe(met)
    const faults = await lookBefore(['example.org'], subject, fakeResolver(there), probe)
    assert.equal(faults.length === 1, isHopeless)
    if (isHopeless)
      assert.equal(
        faults[0]!.reason,
        'example.org leads to somebody else: 192.0.2.1 port 443 answers 404; 192.0.2.1 port 80 answers 404: let it lead to ' +
          'the address at which this machine is reached',
      )
  })

test('an address is asked itself, and what CAA forbids or leads nowhere is not asked at all', async () => {
  const { probe, asked } = fakeProbe({ 'http-01 192.0.2.9': 'other', 'tls-alpn-01 192.0.2.9': 'other' })
  assert.equal((await lookBefore(['192.0.2.9'], subject, fakeResolver({}), probe)).length, 1)
  assert.deepEqual(asked, ['192.0.2.9 tls-alpn-01', '192.0.2.9 http-01'])
  const resolver = fakeResolver(there, { 'example.org': [issue('other.test')] })
  await lookBefore(['example.org', 'gone.example.com', '*.example.org'], subject, resolver, probe)
  assert.equal(asked.length, 2)
})
