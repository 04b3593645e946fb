import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { createCertificateRequest } from '../../src/pki/certificate-request.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { openssl, withoutOpenssl } from './openssl.ts'

const names = ['a.example', '*.b.example', 'xn--bcher-kva.example', '192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1']

const signatures: readonly [KeyKind, string][] = [
  ['ecdsa-p256', 'ecdsa-with-SHA256'],
  ['ecdsa-p384', 'ecdsa-with-SHA384'],
  ['rsa-2048', 'sha256WithRSAEncryption'],
]

for (const [kind, signature] of signatures)
  test(`openssl verifies a request for a key of ${kind}`, { skip: withoutOpenssl }, async () => {
    const { privateKey } = await generateKey(kind)
    const csr = await createCertificateRequest({ names, privateKey })
    const text = await openssl(['req', '-verify', '-inform', 'der', '-in', 'csr', '-text', '-noout'], { csr })
    assert.match(text, /self-signature verify OK/)
    assert.ok(text.includes(`Signature Algorithm: ${signature}`))
  })

test('a request has every name as subjectAltName and an empty subject', { skip: withoutOpenssl }, async () => {
  const { privateKey } = await generateKey('ecdsa-p256')
  const csr = await createCertificateRequest({ names, privateKey })
  const text = await openssl(['req', '-inform', 'der', '-in', 'csr', '-text', '-noout'], { csr })
  assert.match(text, /Subject: *\n/)
  assert.ok(
    text.includes(
      'DNS:a.example, DNS:*.b.example, DNS:xn--bcher-kva.example, IP Address:192.0.2.1, ' +
        'IP Address:2001:DB8:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:C000:201',
    ),
    text,
  )
})

test('must-staple is the TLS feature status_request (RFC 7633 §4)', { skip: withoutOpenssl }, async () => {
  const { privateKey } = await generateKey('ecdsa-p256')
  for (const mustStaple of [true, false]) {
    const csr = await createCertificateRequest({ names, privateKey, mustStaple })
    const text = await openssl(['req', '-inform', 'der', '-in', 'csr', '-text', '-noout'], { csr })
    assert.equal(/TLS Feature: *\n *status_request/.test(text), mustStaple, text)
    assert.match(text, /DNS:a\.example/)
  }
})

test('no request is made without names, or for a key of an unknown kind', async () => {
  const { privateKey } = await generateKey('ecdsa-p256')
  await assert.rejects(createCertificateRequest({ names: [], privateKey }), { code: 'name-invalid' })
  const ed25519 = generateKeyPairSync('ed25519').privateKey
  await assert.rejects(createCertificateRequest({ names, privateKey: ed25519 }), { code: 'key-unsupported' })
})
