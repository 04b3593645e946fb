import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseDirectory } from '../../src/acme/directory.ts'

const url = 'https://ca.test/dir'
const urls = {
  newNonce: 'https://ca.test/nonce',
  newAccount: 'https://other.test:8443/account',
  newOrder: 'https://ca.test/order',
}

test('reads the URLs, on any host, and what meta says (RFC 8555 §7.1.1)', () => {
  const meta = {
    termsOfService: 'data:text/plain,x',
    externalAccountRequired: true,
    profiles: { classic: 'c', short: 's' },
  }
  assert.deepEqual(parseDirectory({ ...urls, meta, keyChange: 7, revokeCert: 'https://ca.test/revoke' }, url), {
    url,
    ...urls,
    keyChange: undefined,
    revokeCert: 'https://ca.test/revoke',
    renewalInfo: undefined,
    termsOfService: 'data:text/plain,x',
    externalAccountRequired: true,
    caaIdentities: [],
    profiles: ['classic', 'short'],
    resources: ['newNonce', 'newOrder', 'revokeCert'],
  })
})

test('knows where to ask when to renew, if the server says such things (RFC 9773 §4.1)', () => {
  const renewalInfo = 'https://ca.test/renewal-info'
  assert.equal(parseDirectory({ ...urls, renewalInfo }, url).renewalInfo, renewalInfo)
  assert.throws(() => parseDirectory({ ...urls, renewalInfo: 'ftp://x' }, url), { code: 'acme-response-invalid' })
})

test('does without meta', () => {
  for (const meta of [undefined, null]) {
    const { termsOfService, externalAccountRequired, profiles } = parseDirectory({ ...urls, meta }, url)
    assert.deepEqual([termsOfService, externalAccountRequired, profiles], [undefined, false, []])
  }
})

test('refuses URLs that are not https (RFC 8555 §6.1), carry a password or cannot be signed as they stand', () => {
  const bad = [
    'http://ca.test/order',
    '/order',
    'javascript:1',
    'file:///etc/passwd',
    'https://user:pw@ca.test/',
    '',
    'https://ca.test/a b',
    'https://ca.test/\u202e',
    `https://ca.test/${'x'.repeat(3000)}`,
  ]
  for (const newOrder of bad)
    assert.throws(() => parseDirectory({ ...urls, newOrder }, url), { code: 'acme-response-invalid' }, newOrder)
})

test('allows http where the directory itself is http', () => {
  const newOrder = 'http://127.0.0.1:8080/order'
  assert.equal(parseDirectory({ ...urls, newOrder }, 'http://127.0.0.1:8080/dir').newOrder, newOrder)
})

test('refuses JSON of any other shape, and never a field that is only inherited', () => {
  const shapes: unknown[] = [
    null,
    7,
    'x',
    [],
    {},
    { ...urls, newOrder: undefined },
    { ...urls, newNonce: ['x'] },
    { ...urls, meta: 'x' },
    { ...urls, meta: { profiles: ['a'] } },
    { ...urls, meta: { externalAccountRequired: 'yes' } },
  ]
  for (const shape of shapes)
    assert.throws(() => parseDirectory(shape, url), { code: 'acme-response-invalid' }, JSON.stringify(shape))
  const inherited = parseDirectory(
    JSON.parse(`{"__proto__": {"meta": {"termsOfService": "x"}}, ${JSON.stringify(urls).slice(1)}`),
    url,
  )
  assert.equal(inherited.termsOfService, undefined)
})
