import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Circumstances,
  type HeldFacts,
  planStep as plan,
  planAsked,
  planNext,
  renewalTime,
  type Step,
  timeOf,
} from '../../src/certificates/plan.ts'
import { wantedCertificates } from '../../src/certificates/wanted.ts'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-24T12:00:00Z')
const [wanted] = wantedCertificates([
  {
    site: 'a.test',
    names: ['a.test'],
    keys: ['ecdsa-p256'],
    grouping: 'perSite',
    mustStaple: false,
    issuersFor: () => ['ca'],
  },
])

const DIRECTORY = 'https://ca.test/directory'
const authorityOf = (issuer: string): string | undefined => (issuer === 'ca' ? DIRECTORY : undefined)

function planStep(
  certificate: typeof wanted,
  facts: HeldFacts | undefined,
  notBefore: number | undefined,
  now: number,
): Step {
  return plan(certificate!, facts, authorityOf, notBefore, now)
}

function held(lifetimeMs: number, overrides: Partial<HeldFacts> = {}): HeldFacts {
  return {
    names: ['a.test'],
    keyKind: 'ecdsa-p256',
    mustStaple: false,
    issuer: 'ca',
    authority: DIRECTORY,
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
      because: `about ${used === 1 / 2 ? 'half' : 'a third'} of its lifetime is left`,
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
  const because = 'the try before it failed or was cut short, and it waits until then'
  assert.deepEqual(step, { type: 'keep', renewAt: NOW + 80 * DAY, because })
})

for (const [change, because] of [
  [{ keyKind: 'rsa-2048' }, /key of kind ecdsa-p256/],
  [{ issuer: 'other' }, /other is not to issue it any more/],
  [{ authority: 'https://staging.test/' }, /ca was another CA then: https:\/\/staging\.test\//],
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
  const step = planStep(wanted!, late, undefined, late.obtainedAt)
  assert.equal(step.because, 'it came late in its lifetime, and is used for a while first')
})

test('nor one whose certificates expire in a second', () => {
  assert.equal(renewalTime(held(1_000)) - NOW, 10_000)
})

test('what has expired is due', () => {
  const step = planStep(wanted!, held(90 * DAY), undefined, NOW + 91 * DAY)
  assert.ok(step.type === 'renew')
  assert.equal(step.because, 'it has expired')
})

test('what this machine made when its clock was ahead is made anew, beyond what clocks usually differ by', () => {
  const ahead = (ms: number): Step => planStep(wanted!, held(30 * DAY), undefined, NOW - ms)
  assert.equal(ahead(DAY / 24).type, 'keep')
  const step = ahead(DAY / 24 + 1)
  assert.ok(step.type === 'issue')
  assert.equal(step.because, 'it begins in the future, at 2026-11-24T12:00:00Z: the clock was ahead then')
})

test('when a clock that was ahead is set right, a CA’s certificate is renewed no later for it', () => {
  const ahead = held(90 * DAY, { obtainedAt: NOW + 80 * DAY })
  const step = planStep(wanted!, ahead, undefined, NOW)
  assert.ok(step.type === 'keep')
  assert.equal(step.renewAt, renewalTime(held(90 * DAY)))
})

for (const [day, renewDay, because] of [
  [40, 40, 'its CA suggests it'],
  [-1, 1 / 24, 'its CA suggests it earlier, too soon after it came'],
  [89, 81, 'its CA suggests it later, too late for tries that may fail'],
] as const)
  test(`a suggestion of day ${day} of 90 is followed within bounds, and the plan says so`, () => {
    const step = planStep(wanted!, held(90 * DAY, { suggestedAt: NOW + day * DAY }), undefined, NOW)
    assert.deepEqual(step, { type: 'keep', renewAt: NOW + renewDay * DAY, because })
  })

test('what an operator asks for comes before its time, and what is due stays what it is', () => {
  const kept = planStep(wanted!, held(90 * DAY), undefined, NOW)
  assert.deepEqual(planAsked(kept, NOW), { type: 'renew', at: NOW, because: 'it was asked for by hand' })
  const missing = planStep(wanted!, undefined, undefined, NOW)
  assert.equal(planAsked(missing, NOW), missing)
})

test('each step has its time', () => {
  assert.equal(timeOf(planStep(wanted!, held(90 * DAY), undefined, NOW)), renewalTime(held(90 * DAY)))
  assert.equal(timeOf(planStep(wanted!, undefined, NOW + 60, NOW)), NOW + 60)
})

test('a certificate that was revoked is ordered anew at once, but what took its place only after an hour', () => {
  const revoked = 'at 2026-11-24T11:00:00Z (keyCompromise)'
  const because = `it was revoked ${revoked}`
  const at = NOW + 60 * 60_000
  for (const [replacesRevoked, notBefore, expected] of [
    [false, undefined, 0],
    [true, undefined, at],
    [false, NOW + 2 * DAY, NOW + 2 * DAY],
    [true, NOW + 2 * DAY, NOW + 2 * DAY],
  ] as const) {
    const facts = held(90 * DAY, { revoked, replacesRevoked })
    assert.deepEqual(planStep(wanted!, facts, notBefore, NOW), { type: 'issue', at: expected, because })
  }
})

test('a certificate is ordered anew if must-staple is wanted now, or is not any more', () => {
  const insisting = { ...wanted!, mustStaple: true }
  assert.equal(planStep(insisting, held(90 * DAY), undefined, NOW).type, 'issue')
  assert.equal(planStep(insisting, held(90 * DAY, { mustStaple: true }), undefined, NOW).type, 'keep')
  assert.equal(planStep(wanted!, held(90 * DAY, { mustStaple: true }), undefined, NOW).type, 'issue')
})

/** The plan of a certificate whose CA would refuse it until then. */
function planLimited(facts: HeldFacts | undefined, now: number, more: Partial<Circumstances> = {}): Step {
  const limit = () => ({ key: 'x', at: NOW + 365 * DAY, limit: '50 certificates of a.test in 7 days' })
  return planNext({ wanted: wanted!, held: facts, authorityOf, notBefore: undefined, limit, ...more }, now)
}

test('what its CA would refuse waits for the limit, by time and reason', () => {
  const because = 'waits for a rate limit: 50 certificates of a.test in 7 days; next at 2027-11-24T12:00:00Z'
  for (const [facts, now, type, more] of [
    [undefined, NOW, 'issue', {}],
    [held(90 * DAY), NOW + 80 * DAY, 'renew', {}],
    [held(90 * DAY), NOW, 'renew', { askedAt: NOW }],
  ] as const) {
    const step = planLimited(facts, now, more)
    assert.equal(step.type, type)
    assert.equal(timeOf(step), NOW + 365 * DAY)
    assert.equal(step.because, because)
  }
})

test('a limit is not looked at before the time has come', () => {
  const limit = () => assert.fail('it is looked at')
  assert.equal(planLimited(held(90 * DAY), NOW, { limit }).type, 'keep')
  assert.equal(timeOf(planLimited(undefined, NOW, { limit, notBefore: NOW + DAY })), NOW + DAY)
})

test('what was spread out is renewed early, and nothing is renewed late because of it', () => {
  const early = held(90 * DAY, { spreadAt: NOW + 10 * DAY })
  assert.deepEqual(planStep(wanted!, early, undefined, NOW), {
    type: 'keep',
    renewAt: NOW + 10 * DAY,
    because: 'it is spread out, away from others that would be due with it',
  })
  assert.equal(planStep(wanted!, early, undefined, NOW + 11 * DAY).type, 'renew')
  const late = held(90 * DAY, { spreadAt: NOW + 80 * DAY, suggestedAt: NOW + 50 * DAY })
  assert.equal(renewalTime(late), NOW + 50 * DAY)
})
