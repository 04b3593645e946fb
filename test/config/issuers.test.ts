import assert from 'node:assert/strict'
import { test } from 'node:test'
import { issuersFor } from '../../src/config/issuers.ts'

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
