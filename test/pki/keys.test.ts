import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { type KeyKind, keyKinds } from '../../src/pki/key-kind.ts'
import {
  exportPrivateKey,
  generateKey,
  importPrivateKey,
  isSameKey,
  keyKindOf,
  publicKeyFingerprint,
} from '../../src/pki/keys.ts'
import { openssl, withoutOpenssl } from './openssl.ts'

const opensslNames: Record<KeyKind, RegExp> = {
  'ecdsa-p256': /NIST CURVE: P-256/,
  'ecdsa-p384': /NIST CURVE: P-384/,
  'rsa-2048': /2048 bit.*publicExponent: 65537/s,
  'rsa-3072': /3072 bit.*publicExponent: 65537/s,
  'rsa-4096': /4096 bit.*publicExponent: 65537/s,
}

for (const kind of keyKinds)
  test(`a new ${kind} key is of that kind, before and after PKCS #8`, { skip: withoutOpenssl }, async () => {
    const { publicKey, privateKey } = await generateKey(kind)
    const pem = exportPrivateKey(privateKey)
    assert.equal(keyKindOf(publicKey), kind)
    assert.equal(keyKindOf(privateKey), kind)
    assert.match(pem, /^-----BEGIN PRIVATE KEY-----\n/)
    assert.ok(importPrivateKey(pem).equals(privateKey))
    assert.match(await openssl(['pkey', '-in', 'key', '-check', '-text', '-noout'], { key: pem }), opensslNames[kind])
  })

test('the event loop runs on while an RSA key is made', async () => {
  let turns = 0
  let made = false
  const key = generateKey('rsa-3072').finally(() => {
    made = true
  })
  while (!made) {
    turns++
    await new Promise((resolve) => setImmediate(resolve))
  }
  await key
  assert.ok(turns > 10, `only ${turns} turns`)
})

test('keys that Castellan does not make have no kind', () => {
  assert.equal(keyKindOf(generateKeyPairSync('ed25519').publicKey), undefined)
  assert.equal(keyKindOf(generateKeyPairSync('ec', { namedCurve: 'secp521r1' }).publicKey), undefined)
  assert.equal(keyKindOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey), undefined)
  assert.equal(keyKindOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey), undefined)
})

test('the two halves of a key are the same key, two keys are not', async () => {
  const [a, b] = await Promise.all([generateKey('ecdsa-p256'), generateKey('ecdsa-p256')])
  assert.ok(isSameKey(a.publicKey, a.privateKey))
  assert.ok(isSameKey(a.privateKey, a.privateKey))
  assert.ok(!isSameKey(a.publicKey, b.publicKey))
  assert.ok(!isSameKey(a.privateKey, b.publicKey))
  assert.equal(publicKeyFingerprint(a.publicKey), publicKeyFingerprint(a.privateKey))
  assert.notEqual(publicKeyFingerprint(a.publicKey), publicKeyFingerprint(b.publicKey))
  assert.match(publicKeyFingerprint(a.publicKey), /^[0-9a-f]{64}$/)
})

test('PKCS #1 and SEC 1 keys are read too', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey
  assert.ok(importPrivateKey(rsa.export({ type: 'pkcs1', format: 'pem' }).toString()).equals(rsa))
  assert.ok(importPrivateKey(ec.export({ type: 'sec1', format: 'pem' }).toString()).equals(ec))
})

test('a key that cannot be read is refused without a word of it', async () => {
  const pem = exportPrivateKey((await generateKey('ecdsa-p256')).privateKey)
  const body = pem.split('\n')[1]!
  const encrypted = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-128-cbc',
    passphrase: 'secret',
  })
  const damaged = ['', 'garbage', pem.slice(0, 90), pem.replaceAll('BEGIN', 'END'), `${pem}${'x'.repeat(20_000)}`]
  for (const input of [...damaged, encrypted.toString()])
    assert.throws(
      () => importPrivateKey(input),
      (error: Error & { code: string; facts: object }) => {
        assert.equal(error.code, 'key-malformed')
        assert.ok(!JSON.stringify([error.message, error.facts, String(error.cause)]).includes(body.slice(0, 20)))
        return true
      },
    )
})

test('comparing keys of different kinds leaves nothing behind that the next key is read with', async () => {
  const keys = await Promise.all(keyKinds.slice(0, 3).map(generateKey))
  for (const [index, one] of keys.entries())
    for (const other of keys.slice(index + 1)) {
      assert.equal(isSameKey(one.publicKey, other.privateKey), false)
      importPrivateKey(exportPrivateKey(one.privateKey))
    }
})
