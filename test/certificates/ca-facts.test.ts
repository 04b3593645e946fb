import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesSince, learn, type Sighting } from '../../src/certificates/ca-facts.ts'

const DAY = 86_400_000
const CA = 'https://ca.test/dir'
const said = {
  terms: 'https://ca.test/terms-1',
  profiles: ['classic'],
  profile: undefined,
  resources: ['newNonce', 'newOrder'],
  caaIdentities: ['ca.test'],
  externalAccountRequired: false,
}
const first: Sighting = {
  keyKind: 'ecdsa-p256',
  profile: '',
  lifetimeMs: 90 * DAY,
  intermediate: 'CN=E7 (aa)',
  root: 'CN=X1',
  keyRule: 'ecdsa-with-SHA384',
  hasOcsp: true,
  said,
}
const known = learn(undefined, CA, first)
const changes = (seen: Partial<Sighting>, authority = CA) => changesSince(known, authority, { ...first, ...seen })

test('a CA that is seen for the first time, or is another one, has not changed; nor has one that stays the same', () => {
  assert.deepEqual(changesSince(undefined, CA, first), [])
  assert.deepEqual(changes({}), [])
  assert.deepEqual(changes({ root: 'CN=X2' }, 'https://other.test/dir'), [])
  assert.deepEqual(changes({ keyKind: 'rsa-2048', intermediate: 'CN=R12 (bb)', keyRule: 'sha256', lifetimeMs: 1 }), [])
  assert.deepEqual(changes({ profile: 'shortlived', lifetimeMs: 6 * DAY }), [])
  assert.deepEqual(changes({ said: undefined }), [])
  assert.deepEqual(changes({ lifetimeMs: 90 * DAY - 1000 }), [])
})

for (const [what, seen, words] of [
  ['intermediate', { intermediate: 'CN=E8 (cc)' }, /ecdsa-p256 keys are signed by an intermediate .* CN=E8 \(cc\)$/],
  ['root', { root: 'CN=X2' }, /ends at another root, CN=X2$/],
  ['key rule', { keyRule: 'ecdsa-with-SHA256' }, /are made otherwise than before: ecdsa-with-SHA256$/],
  ['lifetime', { lifetimeMs: 45 * DAY }, /live for 45 days and not 90 days any more$/],
  ['OCSP', { hasOcsp: false }, /name no OCSP responder any more$/],
  [
    'terms',
    { said: { ...said, terms: 'https://ca.test/terms-2' } },
    /terms of service have changed: https:\/\/ca\.test\/terms-2 –/,
  ],
  ['terms that are gone', { said: { ...said, terms: undefined } }, /no terms of service any more$/],
  ['profile', { said: { ...said, profiles: ['classic', 'tlsserver'] } }, /^it has the profile “tlsserver” now$/],
  ['profile that is gone', { said: { ...said, profiles: [] } }, /^it has the profile “classic” no more$/],
  [
    'directory entry',
    { said: { ...said, resources: [...said.resources, 'renewalInfo'] } },
    /directory entry “renewalInfo” now$/,
  ],
  ['CAA identity', { said: { ...said, caaIdentities: [] } }, /CAA identity “ca\.test” no more$/],
  [
    'external account',
    { said: { ...said, externalAccountRequired: true } },
    /takes only external accounts from now on$/,
  ],
] as const)
  test(`a change is told in words, and only once: ${what}`, () => {
    const sighting: Sighting = { ...first, ...seen }
    const [change, ...more] = changesSince(known, CA, sighting)
    assert.match(change!, words)
    assert.deepEqual(more, [])
    assert.deepEqual(changesSince(learn(known, CA, sighting), CA, sighting), [])
  })

test('of intermediates that a CA chooses at random, each is told once', () => {
  const both = learn(known, CA, { ...first, intermediate: 'CN=E8 (cc)' })
  for (const intermediate of ['CN=E7 (aa)', 'CN=E8 (cc)'])
    assert.deepEqual(changesSince(both, CA, { ...first, intermediate }), [])
})

test('what is remembered has a bound', () => {
  let many = known
  for (let index = 0; index < 200; index++) many = learn(many, CA, { ...first, intermediate: `CN=${index}` })
  assert.equal(many.kinds['ecdsa-p256']!.intermediates.length, 50)
})
