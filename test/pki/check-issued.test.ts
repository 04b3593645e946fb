import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { type Certificate, checkIssued, parseChain } from '../../src/pki/certificate.ts'
import { generateKey } from '../../src/pki/keys.ts'
import type { PkiError } from '../../src/pki/pki-error.ts'
import { DAY_MS, NOW, pemOf, threeStepChain } from './three-step-chain.ts'

const HOUR_MS = 60 * 60 * 1000
const { root, intermediate, leaf, privateKey } = await threeStepChain()
const other = await threeStepChain()

type Case = { chain: readonly Certificate[]; key: KeyObject; names: readonly string[]; now: number }

/** A sound chain, for its key and its name, but for what the test changes. */
const check = (change: Partial<Case>): void => {
  const { chain, key, names, now } = {
    chain: [leaf, intermediate],
    key: privateKey,
    names: ['a.example'],
    now: NOW,
    ...change,
  }
  checkIssued(parseChain(pemOf(...chain)), { privateKey: key, names, now })
}

test('a chain is good with or without its root (RFC 8555 §9.1)', () => {
  check({})
  check({ chain: [leaf, intermediate, root] })
  check({ chain: [leaf] })
})

test('a certificate for another key is refused', async () => {
  const { privateKey: foreign } = await generateKey('ecdsa-p256')
  assert.throws(() => check({ key: foreign }), { code: 'certificate-key-mismatch' })
})

test('a certificate without one of the names is refused, and tells which', () => {
  assert.throws(() => check({ names: ['a.example', 'b.example', '*.a.example'] }), {
    code: 'certificate-name-missing',
    message: 'The certificate is not for b.example, *.a.example.',
  })
})

test('more names than were asked for do no harm', () => check({ names: [] }))

test('a certificate is good to its last second, and no longer (RFC 5280 §4.1.2.5)', () => {
  check({ now: NOW + DAY_MS })
  assert.throws(() => check({ now: NOW + DAY_MS + 1 }), { code: 'certificate-expired', message: /clock says/ })
})

test('a clock may be an hour slow, and no more', () => {
  check({ now: NOW - DAY_MS - HOUR_MS })
  assert.throws(() => check({ now: NOW - DAY_MS - HOUR_MS - 1 }), { code: 'certificate-not-yet-valid' })
})

for (const [what, chain] of [
  ['the intermediate behind the root', [leaf, root, intermediate]],
  ['without its intermediate', [leaf, root]],
  ['with an intermediate of the same name and another key', [leaf, other.intermediate]],
  ['with a root of the same name and another key', [leaf, intermediate, other.root]],
  ['with the leaf twice', [leaf, leaf]],
  ['with something behind the root', [leaf, intermediate, root, intermediate]],
] as const)
  test(`a chain ${what} is refused (RFC 8555 §9.1)`, () =>
    assert.throws(() => check({ chain }), { code: 'chain-out-of-order' }))

test('a chain that begins with a CA is refused', () => {
  assert.throws(() => check({ chain: [intermediate, root] }), { code: 'certificate-is-authority' })
})

test('a refusal tells which certificate it is about', () => {
  assert.throws(
    () => check({ now: NOW + 2 * DAY_MS }),
    ({ facts }: PkiError) => facts.serial === leaf.serial && facts.issuer === 'CN=Intermediate',
  )
})
