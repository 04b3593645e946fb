import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AcmeIssuerConfig, accountPlace, settingsDigest } from '../../src/issuers/acme-config.ts'

const config: AcmeIssuerConfig = {
  name: 'corporate',
  directory: 'https://ca.test/directory',
  acceptTerms: true,
  challenges: ['http-01'],
  accountKey: 'ecdsa-p256',
  account: 'perSite',
}

test('each site’s account has a place of its own that is a storage key, however long its name is', () => {
  const long = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(60)).join('.')
  const places = ['a.test', 'b.test', 'fd00::1', `${long}.x`, `${long}.y`].map((site) => accountPlace(config, site))
  assert.equal(places[0], 'issuers/corporate/accounts/a.test')
  assert.equal(new Set(places).size, places.length)
  for (const place of places)
    for (const segment of place.split('/')) assert.match(segment, /^[a-z0-9._@*-]{1,200}$/, place)
  assert.equal(accountPlace({ ...config, account: 'perIssuer' }, 'a.test'), 'issuers/corporate/account')
})

test('settings are others whenever one of them is, and never show a secret', () => {
  const digest = settingsDigest(config)
  assert.match(digest, /^[0-9a-f]{16}$/)
  assert.equal(settingsDigest({ ...config }), digest)
  assert.equal(
    settingsDigest(Object.fromEntries(Object.entries(config).reverse()) as AcmeIssuerConfig),
    digest,
    'the order of the keys is none of them',
  )
  const externalAccount = { kid: 'kid', hmacKey: 'c2VjcmV0' }
  const others: Partial<AcmeIssuerConfig>[] = [
    { directory: 'https://ca.test/other' },
    { acceptTerms: false },
    { contact: 'ops@a.test' },
    { externalAccount },
    { externalAccount: { ...externalAccount, hmacKey: 'c2VjcmV1' } },
    { challenges: ['tls-alpn-01'] },
    { trust: 'another root' },
  ]
  const digests = others.map((other) => settingsDigest({ ...config, ...other }))
  assert.equal(new Set([digest, ...digests]).size, others.length + 1)
})
