import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { findAccount, newAccount, type Registration } from '../../src/acme/account.ts'
import { type AccountKey, accountKey } from '../../src/acme/jws.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { Fixture, forever } from './fixture.ts'
import { problem } from './scripted-ca.ts'

let fixture: Fixture
let key: AccountKey
beforeEach(async () => {
  fixture = await Fixture.open()
  key = await accountKey((await generateKey('ecdsa-p256')).privateKey)
  fixture.ca.requests.length = 0
})
afterEach(() => fixture.close())

const externalAccount = { kid: 'kid-1', hmacKey: Buffer.from('secret') }
const register = async (registration: Registration) => newAccount(await fixture.connect(), key, registration, forever)
const sent = () => fixture.ca.to('/new-account').at(-1)?.payload

test('registers with the terms accepted, a contact and nothing else (RFC 8555 §7.3)', async () => {
  const account = await register({ acceptTerms: true, contact: 'ops@example.com' })
  assert.equal(account.url, `${fixture.ca.origin}/account/2`)
  assert.deepEqual(sent(), { termsOfServiceAgreed: true, contact: ['mailto:ops@example.com'] })
  assert.equal(fixture.ca.to('/new-account')[0]?.header.kid, undefined)
})

test('a key that is registered already gets its account (RFC 8555 §7.3)', async () => {
  const first = await register({ acceptTerms: true })
  assert.equal((await register({ acceptTerms: true })).url, first.url)
  assert.equal((await findAccount(fixture.client, key, forever))?.url, first.url)
})

test('looks for an account without making one (RFC 8555 §7.3.1)', async () => {
  assert.equal(await findAccount(fixture.client, key, forever), undefined)
  assert.deepEqual(sent(), { onlyReturnExisting: true })
  fixture.ca.scripts.set('/new-account', () => problem('serverInternal', 'oops'))
  await assert.rejects(findAccount(fixture.client, key, forever), { code: 'acme-problem' })
})

test('terms that the operator has not accepted are shown, and nothing is sent', async () => {
  fixture.ca.meta = { termsOfService: 'https://ca.example/terms' }
  await assert.rejects(register({ acceptTerms: false }), {
    code: 'terms-not-accepted',
    message: /https:\/\/ca\.example\/terms .*“acceptTerms: true”/,
  })
  assert.equal(sent(), undefined)
})

test('a CA without terms needs none accepted, and is told nothing of them', async () => {
  await register({ acceptTerms: false })
  assert.deepEqual(sent(), {})
})

test('an external account is bound where there are credentials (RFC 8555 §7.3.4)', async () => {
  fixture.ca.meta = { externalAccountRequired: true }
  await register({ acceptTerms: true, externalAccount })
  const { protected: header } = sent()!.externalAccountBinding as { protected: string }
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), {
    alg: 'HS256',
    kid: 'kid-1',
    url: `${fixture.ca.origin}/new-account`,
  })
})

test('a CA that needs credentials which are missing is not asked, and the message says what to set', async () => {
  fixture.ca.meta = { externalAccountRequired: true }
  await assert.rejects(register({ acceptTerms: true }), {
    code: 'external-account-required',
    message: /externalAccount: \{ kid, hmacKey \}/,
  })
  assert.equal(sent(), undefined)
})

test('userActionRequired shows where to go and the new terms (RFC 8555 §7.3.3)', async () => {
  fixture.ca.scripts.set('/new-account', () => ({
    ...problem('userActionRequired', 'Terms of service have changed', {
      instance: 'https://ca.example/agreement/?token=W8Ih',
    }),
    headers: { Link: '<https://ca.example/terms/2>;rel="terms-of-service"' },
  }))
  await assert.rejects(register({ acceptTerms: true }), {
    code: 'acme-problem',
    message:
      /Terms of service have changed.*https:\/\/ca\.example\/agreement\/\?token=W8Ih.*https:\/\/ca\.example\/terms\/2/,
  })
})

test('an account that is deactivated or without a URL is refused', async () => {
  fixture.ca.scripts.set('/new-account', () => ({
    headers: { Location: `${fixture.ca.origin}/account/2` },
    body: { status: 'deactivated' },
  }))
  await assert.rejects(register({ acceptTerms: true }), { code: 'account-unusable', message: /“deactivated”/ })
  fixture.ca.scripts.set('/new-account', () => ({ body: { status: 'valid' } }))
  await assert.rejects(register({ acceptTerms: true }), { code: 'acme-response-invalid' })
})
