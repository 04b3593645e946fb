import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AcmeIssuerConfig } from '../../src/config/config.ts'
import { issuersFor, maxNamesOf } from '../../src/config/issuers.ts'

test("public names are certified as the config says, by Let's Encrypt if it says nothing", () => {
  assert.deepEqual(issuersFor('www.example.com', undefined), ['letsencrypt'])
  assert.deepEqual(issuersFor('www.example.com', ['zerossl', 'internal']), ['zerossl', 'internal'])
  assert.deepEqual(issuersFor('8.8.8.8', undefined), ['letsencrypt'])
})

test('names that no public CA may certify are never asked of one (CA/Browser Forum BR §4.2.2)', () => {
  for (const name of ['localhost', 'a.test', '*.localhost', '10.0.0.1', '::1', 'intranet']) {
    assert.deepEqual(issuersFor(name, undefined), ['internal'], name)
    assert.deepEqual(issuersFor(name, ['letsencrypt', 'letsencrypt-staging', 'zerossl', 'google']), ['internal'], name)
    assert.deepEqual(issuersFor(name, ['letsencrypt', 'corporate']), ['corporate'], name)
  }
})

test('the fewest names that any of the issuers takes are the most for all of them', () => {
  const issuer = (changes: object) => ({ name: 'x', ...changes }) as AcmeIssuerConfig
  const issuers = new Map([
    ['plain', issuer({})],
    ['short', issuer({ profile: { name: 'shortlived', required: false } })],
    ['server', issuer({ profile: { name: 'tlsserver', required: true } })],
    ['custom', issuer({ profile: { name: 'tlsserver', required: true }, maxNames: 50 })],
    ['other', issuer({ profile: { name: 'own', required: true } })],
  ])
  for (const [names, expected] of [
    [['plain'], 100],
    [['internal'], 100],
    [['short'], 25],
    [['plain', 'server'], 25],
    [['custom', 'plain'], 50],
    [['other'], 100],
  ] as const)
    assert.equal(maxNamesOf(names, issuers), expected, names.join())
})
