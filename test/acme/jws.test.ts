import assert from 'node:assert/strict'
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { flattenedVerify } from 'jose'
import { accountKey, bindExternalAccount, signRequest } from '../../src/acme/jws.ts'
import { keyKinds } from '../../src/pki/key-kind.ts'
import { generateKey } from '../../src/pki/keys.ts'

/** The key of RFC 7515 appendix A.3. */
const publicJwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const privateKey = createPrivateKey({
  key: { ...publicJwk, d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' },
  format: 'jwk',
})

const url = 'https://ca.test/new-order'
const decode = (text: string): Record<string, unknown> => JSON.parse(Buffer.from(text, 'base64url').toString())

test('signs with exactly alg, kid, nonce and url protected, and nothing unprotected (RFC 8555 §6.2)', async () => {
  const key = await accountKey(privateKey)
  const body = JSON.parse(await signRequest({ a: 1 }, { key, kid: 'https://ca.test/account/1', nonce: 'n-1', url }))
  assert.deepEqual(Object.keys(body).sort(), ['payload', 'protected', 'signature'])
  assert.deepEqual(decode(body.protected), { alg: 'ES256', kid: 'https://ca.test/account/1', nonce: 'n-1', url })
  assert.deepEqual(decode(body.payload), { a: 1 })
  await flattenedVerify(body, createPublicKey(privateKey))
})

test('sends the public key, and nothing of the private one, in place of a kid (RFC 8555 §6.2)', async () => {
  const key = await accountKey(privateKey)
  const body = JSON.parse(await signRequest({}, { key, kid: undefined, nonce: 'n-1', url }))
  const header = decode(body.protected)
  assert.deepEqual(Object.keys(header).sort(), ['alg', 'jwk', 'nonce', 'url'])
  assert.deepEqual(header.jwk, publicJwk)
})

test('a POST-as-GET has an empty payload, not an empty object (RFC 8555 §6.3)', async () => {
  const key = await accountKey(privateKey)
  const body = JSON.parse(await signRequest(undefined, { key, kid: 'k', nonce: 'n-1', url }))
  assert.equal(body.payload, '')
})

test('signs with the algorithm of each kind of key (RFC 7518 §3.1)', async () => {
  const expected = ['ES256', 'ES384', 'RS256', 'RS256', 'RS256']
  for (const [index, kind] of keyKinds.entries()) {
    if (kind === 'rsa-3072' || kind === 'rsa-4096') continue // As rsa-2048, and slow to make.
    const pair = await generateKey(kind)
    const key = await accountKey(pair.privateKey)
    const body = JSON.parse(await signRequest({}, { key, kid: 'k', nonce: 'n', url }))
    assert.equal(decode(body.protected).alg, expected[index])
    await flattenedVerify(body, pair.publicKey)
  }
})

test('the thumbprint is that of RFC 7638', async () => {
  // From: printf '{"crv":"P-256","kty":"EC","x":"…","y":"…"}' | openssl dgst -sha256 -binary | base64
  assert.equal((await accountKey(privateKey)).thumbprint, 'oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U')
})

test('refuses an account key of another kind', async () => {
  const { privateKey: ed25519 } = generateKeyPairSync('ed25519')
  await assert.rejects(accountKey(ed25519), { code: 'key-unsupported' })
})

test('an external account’s key that decodes to nothing is refused, in words (RFC 8555 §7.3.4)', async () => {
  const key = await accountKey(privateKey)
  for (const text of ['A', '', '='])
    await assert.rejects(bindExternalAccount({ kid: 'kid-1', hmacKey: Buffer.from(text, 'base64url') }, key, url), {
      code: 'external-account-invalid',
      message: /external account kid-1 is empty once decoded/,
    })
})

test('binds an external account by HS256 over the public key, without a nonce (RFC 8555 §7.3.4)', async () => {
  const hmacKey = Buffer.from('zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W', 'base64url')
  const newAccount = 'https://ca.test/new-account'
  const binding = await bindExternalAccount({ kid: 'kid-1', hmacKey }, await accountKey(privateKey), newAccount)
  const { protected: header, payload, signature } = binding as Record<string, string>
  assert.deepEqual(decode(header!), { alg: 'HS256', kid: 'kid-1', url: newAccount })
  assert.deepEqual(decode(payload!), publicJwk)
  assert.equal(signature, createHmac('sha256', hmacKey).update(`${header}.${payload}`).digest('base64url'))
})
