import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HeldFacts, planStep, renewalTime } from '../../src/certificates/plan.ts'
import { spokenDuration } from '../../src/certificates/spoken-time.ts'
import { type SiteCertificates, wantedCertificates } from '../../src/certificates/wanted.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-24T12:00:00Z')
const [wanted] = wantedCertificates([site()])

function site(overrides: Partial<SiteCertificates> = {}): SiteCertificates {
  return {
    site: 'a.test',
    names: ['a.test'],
    keys: ['ecdsa-p256'],
    grouping: 'perSite',
    issuersFor: () => ['ca'],
    ...overrides,
  }
}

function held(lifetimeMs: number, overrides: Partial<HeldFacts> = {}): HeldFacts {
  return {
    names: ['a.test'],
    keyKind: 'ecdsa-p256',
    issuer: 'ca',
    notBefore: NOW,
    notAfter: NOW + lifetimeMs,
    obtainedAt: NOW,
    fingerprint: '00000000ff',
    ...overrides,
  }
}

for (const [lifetime, ms, used] of [
  ['90 days', 90 * DAY, 2 / 3],
  ['45 days', 45 * DAY, 2 / 3],
  ['10 years', 3650 * DAY, 2 / 3],
  ['10 days', 10 * DAY, 2 / 3],
  ['160 hours', (160 / 24) * DAY, 1 / 2],
  ['2 hours', DAY / 12, 1 / 2],
  ['2 minutes', DAY / 720, 1 / 2],
] as const)
  test(`a certificate of ${lifetime} is renewed when ${used === 1 / 2 ? 'half' : 'a third'} of that is left`, () => {
    const at = NOW + ms * used
    assert.ok(Math.abs(renewalTime(held(ms)) - at) <= 1)
    assert.deepEqual(planStep(wanted!, held(ms), undefined, at - 1000), {
      type: 'keep',
      renewAt: renewalTime(held(ms)),
    })
    assert.equal(planStep(wanted!, held(ms), undefined, at + 1000).type, 'renew')
  })

test('certificates that were issued together are renewed over a twentieth of their lifetime', () => {
  const times = Array.from({ length: 1_000 }, (_, index) =>
    renewalTime(
      held(90 * DAY, {
        fingerprint: Math.floor((index / 1_000) * 2 ** 32)
          .toString(16)
          .padStart(8, '0'),
      }),
    ),
  )
  assert.ok(Math.max(...times) - Math.min(...times) > 4.4 * DAY)
  assert.ok(Math.max(...times) <= NOW + 60 * DAY)
  assert.ok(Math.min(...times) >= NOW + 55 * DAY)
})

test('what is missing is issued at once, and after a failure when its time has come', () => {
  assert.deepEqual(planStep(wanted!, undefined, undefined, NOW), { type: 'issue', at: 0, because: 'there is none yet' })
  assert.deepEqual(planStep(wanted!, undefined, NOW + 60, NOW), {
    type: 'issue',
    at: NOW + 60,
    because: 'there is none yet',
  })
})

test('a failed renewal waits for its next try', () => {
  const step = planStep(wanted!, held(90 * DAY), NOW + 80 * DAY, NOW + 70 * DAY)
  assert.deepEqual(step, { type: 'keep', renewAt: NOW + 80 * DAY })
})

for (const [change, because] of [
  [{ keyKind: 'rsa-2048' }, /key of kind ecdsa-p256/],
  [{ issuer: 'other' }, /other is not to issue it any more/],
  [{ names: ['b.test'] }, /it lacks a\.test/],
  [{ names: ['a.test', 'b.test'] }, /names that are not wanted/],
] as const)
  test(`a certificate that is not what is wanted is issued anew: ${because.source}`, () => {
    const step = planStep(wanted!, held(90 * DAY, change), undefined, NOW)
    assert.ok(step.type === 'issue')
    assert.match(step.because, because)
  })

test('a CA whose certificates are due as soon as they come is not asked without end', () => {
  const late = held(90 * DAY, { obtainedAt: NOW + 89 * DAY })
  assert.ok(renewalTime(late) - late.obtainedAt >= (DAY / 4) * 0.99)
})

test('a site wants a certificate of each kind for all of its names', () => {
  const certificates = wantedCertificates([site({ names: ['a.test', 'b.test'], keys: ['ecdsa-p256', 'rsa-2048'] })])
  assert.deepEqual(
    certificates.map(({ names, keyKind, issuers }) => [names, keyKind, issuers]),
    [
      [['a.test', 'b.test'], 'ecdsa-p256', ['ca']],
      [['a.test', 'b.test'], 'rsa-2048', ['ca']],
    ],
  )
})

test('names with different issuers, or with perName, stand on certificates of their own; more than 100 are split', () => {
  const issuersFor = (name: string): string[] => (name === 'b.test' ? ['internal'] : ['ca'])
  const names = ['a.test', 'b.test', 'c.test']
  const namesOf = (given: SiteCertificates): (readonly string[])[] =>
    wantedCertificates([given]).map((each) => each.names)
  assert.deepEqual(namesOf(site({ names, issuersFor })), [['a.test', 'c.test'], ['b.test']])
  assert.deepEqual(namesOf(site({ names, grouping: 'perName' })), [['a.test'], ['b.test'], ['c.test']])
  const many = Array.from({ length: 250 }, (_, index) => `n${index}.test`)
  assert.deepEqual(
    namesOf(site({ names: many })).map(({ length }) => length),
    [100, 100, 50],
  )
})

test('ids are storage keys, readable, and never the same', () => {
  const long = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}`
  const sites = [
    site(),
    site({ names: ['a.test', 'b.test'] }),
    site({ names: ['a.test', 'c.test'] }),
    site({ names: ['*.a.test'] }),
    site({ names: ['fd00::1'] }),
    site({ names: [`${long}.x.test`] }),
    site({ names: [`${long}.y.test`] }),
  ]
  const ids = wantedCertificates(sites).map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  for (const id of ids) assert.match(id, /^[a-z0-9._@*-]{1,200}$/)
  assert.equal(ids[0], 'a.test.ecdsa-p256')
  assert.match(ids[1]!, /^a\.test\.[0-9a-f]{12}\.ecdsa-p256$/)
})

for (const [ms, words] of [
  [1_000, '1 second'],
  [54_000, '1 minute'],
  [66_000, '1 minute'],
  [10 * 60_000, '10 minutes'],
  [100 * 60_000, '2 hours'],
  [DAY, '24 hours'],
  [3 * DAY, '3 days'],
] as const)
  test(`${ms} ms are ${words}`, () => assert.equal(spokenDuration(ms), words))
