import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { test } from 'node:test'
import {
  AuthorityKeyIdentifier,
  id_ce_authorityKeyIdentifier,
  id_ce_subjectKeyIdentifier,
  KeyIdentifier,
  SubjectKeyIdentifier,
} from '@peculiar/asn1-x509'
import { type Certificate, checkIssued, parseChain } from '../../src/pki/certificate.ts'
import { commonName, extension } from '../../src/pki/certificate-signing.ts'
import { generateKey } from '../../src/pki/keys.ts'
import type { PkiError } from '../../src/pki/pki-error.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'
import { authority, DAY_MS, NOW, pemOf, signed, threeStepChain } from './three-step-chain.ts'

const HOUR_MS = 60 * 60 * 1000
const { root, intermediate, leaf, privateKey } = await threeStepChain()
const other = await threeStepChain()

const oldKeys = await generateKey('ecdsa-p256')
const oldRoot = await authority('Old root', oldKeys.publicKey, 'Old root', oldKeys.privateKey)
const crossIntermediate = await authority('Intermediate', intermediate.publicKey, 'Old root', oldKeys.privateKey)
const otherName = await authority('Other name', intermediate.publicKey, 'Old root', oldKeys.privateKey)
const [noAuthority] = parseChain(
  await signed(
    { subject: commonName('Intermediate'), issuer: commonName('Old root'), publicKey: intermediate.publicKey },
    oldKeys.privateKey,
  ),
)
const crossRoot = await authority('Root', root.publicKey, 'Old root', oldKeys.privateKey)

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

for (const [what, chain] of [
  ['its intermediate’s cross-sign', [leaf, intermediate, crossIntermediate]],
  ['its intermediate’s cross-sign first', [leaf, crossIntermediate, intermediate]],
  ['two intermediates, each with its root', [leaf, intermediate, crossIntermediate, oldRoot, root]],
  ['one path after the other', [leaf, intermediate, root, crossIntermediate, oldRoot]],
  ['its root’s cross-sign in place of the root', [leaf, intermediate, crossRoot]],
  ['its root and its root’s cross-sign', [leaf, intermediate, root, crossRoot, oldRoot]],
] as const)
  test(`a chain with ${what} is good (RFC 8446 §4.4.2)`, () => check({ chain }))

test('a cross-sign is known by subject and key, whatever identifier its CA gave the key (RFC 5280 §4.2.1.2)', async () => {
  const [top, middle, server] = [oldKeys, await generateKey('ecdsa-p256'), await generateKey('ecdsa-p256')]
  const [own, foreign] = await Promise.all(
    ['own', 'foreign'].map((id) => {
      const identifier = extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(Buffer.from(id)))
      return authority('Middle', middle.publicKey, 'Old root', top.privateKey, identifier)
    }),
  )
  const keyIdentifier = new KeyIdentifier(Buffer.from('own'))
  const extensions = [
    extension(id_ce_authorityKeyIdentifier, new AuthorityKeyIdentifier({ keyIdentifier })),
    subjectAlternativeName(['a.example'], { critical: true }),
  ]
  const content = { issuer: commonName('Middle'), publicKey: server.publicKey, extensions }
  const [end] = parseChain(await signed(content, middle.privateKey))
  check({ chain: [end, own!, foreign!, oldRoot], key: server.privateKey })
  // Clients that go by the identifier look for it in the second place.
  assert.throws(() => check({ chain: [end, foreign!, own!], key: server.privateKey }), { code: 'chain-out-of-order' })
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
  ['with its intermediate twice', [leaf, intermediate, root, intermediate]],
  ['with the leaf behind its intermediate', [leaf, intermediate, leaf]],
  ['with a stranger behind its intermediate', [leaf, intermediate, oldRoot]],
  ['with a stranger behind the root', [leaf, intermediate, root, oldRoot]],
  ['with a stranger of its intermediate’s name', [leaf, intermediate, other.intermediate]],
  ['with the issuer of a certificate that is not there', [leaf, crossIntermediate, root]],
  ['with an issuer ahead of what it signed', [leaf, intermediate, oldRoot, crossIntermediate]],
  ['with two strangers, one signed by the other', [leaf, intermediate, other.intermediate, other.root]],
  ['with its intermediate’s key under another name', [leaf, intermediate, otherName]],
  ['with its intermediate’s key and name in what is no CA', [leaf, intermediate, noAuthority]],
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
