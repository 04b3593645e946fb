import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { afterEach, beforeEach, test } from 'node:test'
import { decodeProtectedHeader, flattenedVerify } from 'jose'
import { changeAccountKey, deactivateAccount, readAccount } from '../../src/acme/account-care.ts'
import { accountKey } from '../../src/acme/jws.ts'
import { revokeCertificate } from '../../src/acme/revocation.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { Fixture, forever } from './fixture.ts'
import { problem } from './scripted-ca.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await Fixture.open()
  fixture.ca.resources = { keyChange: '/key-change', revokeCert: '/revoke' }
})
afterEach(() => fixture.close())

const PATH = '/account/1'
const newKey = async () => accountKey((await generateKey('ecdsa-p384')).privateKey)

test('a change of the key is signed by the new key, inside a request of the former one (RFC 8555 §7.3.5)', async () => {
  fixture.ca.scripts.set('/key-change', () => ({ body: {} }))
  const { account } = fixture
  const to = await newKey()
  const changed = await changeAccountKey(await fixture.connect(), account, to, forever)
  assert.deepEqual(changed, { key: to, url: account.url })
  const [request] = fixture.ca.to('/key-change')
  assert.equal(request!.header.kid, account.url)
  // biome-ignore lint/suspicious/noExplicitAny: a JWS as it was sent
  const inner = request!.payload as any
  assert.deepEqual(decodeProtectedHeader(inner), {
    alg: 'ES384',
    jwk: to.publicJwk,
    url: `${fixture.ca.origin}/key-change`,
  })
  const { payload } = await flattenedVerify(
    inner,
    createPublicKey({ key: to.publicJwk as Record<string, string>, format: 'jwk' }),
  )
  assert.deepEqual(JSON.parse(Buffer.from(payload).toString()), {
    account: account.url,
    oldKey: account.key.publicJwk,
  })
})

test('a CA without key changes or revocation is said to have none', async () => {
  fixture.ca.resources = {}
  const client = await fixture.connect()
  await assert.rejects(changeAccountKey(client, fixture.account, await newKey(), forever), {
    code: 'acme-not-offered',
    message: /has no way to change an account’s key/,
  })
  const what = { certificate: Buffer.from('x'), reason: 'superseded' } as const
  await assert.rejects(revokeCertificate(client, fixture.account, what, forever), { code: 'acme-not-offered' })
})

test('an account is deactivated, and is believed to be so only if the CA says so (RFC 8555 §7.3.6)', async () => {
  const client = await fixture.connect()
  fixture.ca.scripts.set(PATH, ({ payload }) => ({ body: { status: payload?.status ?? 'valid' } }))
  assert.deepEqual(await readAccount(client, fixture.account, forever), { status: 'valid', contact: [] })
  await deactivateAccount(client, fixture.account, forever)
  assert.deepEqual(fixture.ca.to(PATH).at(-1)!.payload, { status: 'deactivated' })
  fixture.ca.scripts.set(PATH, () => ({ body: { status: 'valid', contact: ['mailto:a@b.test'] } }))
  await assert.rejects(deactivateAccount(client, fixture.account, forever), /says that it is “valid”/)
  assert.deepEqual((await readAccount(client, fixture.account, forever)).contact, ['mailto:a@b.test'])
})

for (const [reason, code] of [
  ['unspecified', 0],
  ['keyCompromise', 1],
  ['superseded', 4],
  ['cessationOfOperation', 5],
] as const)
  test(`a certificate is revoked for the reason ${reason} (RFC 8555 §7.6, RFC 5280 §5.3.1)`, async () => {
    fixture.ca.scripts.set('/revoke', () => ({}))
    const client = await fixture.connect()
    await revokeCertificate(client, fixture.account, { certificate: Buffer.from('DER'), reason }, forever)
    assert.deepEqual(fixture.ca.to('/revoke')[0]!.payload, { certificate: 'REVS', reason: code })
  })

test('what was revoked already is as good as revoked; another refusal is none (RFC 8555 §7.6)', async () => {
  const client = await fixture.connect()
  const what = { certificate: Buffer.from('DER'), reason: 'superseded' } as const
  fixture.ca.scripts.set('/revoke', () => problem('alreadyRevoked', 'it was'))
  await revokeCertificate(client, fixture.account, what, forever)
  fixture.ca.scripts.set('/revoke', () => problem('badRevocationReason', 'not that'))
  await assert.rejects(revokeCertificate(client, fixture.account, what, forever), /not that/)
})
