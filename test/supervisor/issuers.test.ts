import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishedLimits } from '../../src/certificates/ledger/limits.ts'
import type { AcmeIssuerConfig } from '../../src/config/config.ts'
import { issuerIdentities, limitsOf } from '../../src/supervisor/issuers.ts'

const letsencrypt: AcmeIssuerConfig = {
  name: 'letsencrypt',
  directory: 'https://acme-v02.api.letsencrypt.org/directory',
  trust: undefined,
  externalAccount: undefined,
  profile: undefined,
  preferredChain: undefined,
  challenges: ['http-01'],
  accountKey: 'ecdsa-p256',
  account: 'perIssuer',
  maxNames: undefined,
}
const own: AcmeIssuerConfig = { ...letsencrypt, name: 'own', directory: 'https://ca.example/directory' }
const rate = { count: 7, periodMs: 60_000 }

function issuers(...all: AcmeIssuerConfig[]) {
  return new Map(all.map((issuer) => [issuer.name, issuer]))
}

test('what the config says of rate limits counts instead of what is published, each for itself', () => {
  const limits = limitsOf({ issuers: issuers({ ...letsencrypt, rateLimits: { orders: rate, sameNames: rate } }, own) })
  const published = publishedLimits(letsencrypt.directory)
  assert.deepEqual(limits(letsencrypt.directory), { ...published, orders: rate, sets: rate })
  assert.deepEqual(limits(own.directory), {})
  const more = limitsOf({ issuers: issuers(letsencrypt, { ...own, rateLimits: { certificates: rate } }) })
  assert.deepEqual(more(own.directory), { certificates: rate })
  assert.deepEqual(more(letsencrypt.directory), published)
})

test('other limits are no other way to ask: what waits goes on waiting', () => {
  const identity = (issuer: AcmeIssuerConfig) => {
    const config = { issuers: issuers(issuer), contact: undefined, acceptTerms: true }
    return issuerIdentities(config as never).get(issuer.name)?.settings
  }
  assert.equal(identity({ ...own, rateLimits: { orders: rate } }), identity(own))
  assert.notEqual(identity({ ...own, accountKey: 'rsa-2048' }), identity(own))
})
