import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseHost } from '../../src/edge/host.ts'
import { covers, Router } from '../../src/edge/router/router.ts'
import type { SiteSnapshot } from '../../src/edge/snapshot.ts'
import { plainPolicy } from './serve.ts'

for (const [authority, name, port] of [
  ['example.com', 'example.com', undefined],
  ['EXAMPLE.com:8443', 'example.com', 8443],
  ['example.com.', 'example.com', undefined],
  ['example.com:', 'example.com', undefined],
  ['127.0.0.1:80', '127.0.0.1', 80],
  ['[::1]:8443', '::1', 8443],
  ['[2001:DB8::1]', '2001:db8::1', undefined],
] as const)
  test(`reads ${authority}`, () => assert.deepEqual(parseHost(authority), { name, port }))

for (const authority of ['', ':80', 'a b', 'a@b', 'a:1:2', '[a]', '[::1', 'a/b', 'a:99999', 'a\\b', 'a%00', 'ä.test'])
  test(`refuses ${JSON.stringify(authority)} as no host[:port] (RFC 9112 §3.2)`, () =>
    assert.equal(parseHost(authority), undefined))

test('refuses an authority longer than any name', () => assert.equal(parseHost('a'.repeat(10_000)), undefined))

function site(...names: string[]): SiteSnapshot {
  const action = { type: 'redirect', to: 'https://x.test', status: 308 } as const
  return {
    name: names[0]!,
    names,
    action,
    redirectToHttps: true,
    hsts: undefined,
    policy: plainPolicy,
    routes: [],
    isCanonical: false,
    concurrency: undefined,
    forwarded: false,
    via: false,
    tls: undefined,
  }
}

test('an exact name goes ahead of a wildcard, and a wildcard stands for one label', () => {
  const router = new Router([site('*.a.test'), site('www.a.test', 'b.test')])
  assert.equal(router.site('www.a.test')?.name, 'www.a.test')
  assert.equal(router.site('b.test')?.name, 'www.a.test')
  assert.equal(router.site('x.a.test')?.name, '*.a.test')
  for (const name of ['a.test', 'x.y.a.test', 'test', '', '__proto__', 'constructor'])
    assert.equal(router.site(name), undefined, name)
})

test('a certificate covers its names, and by wildcard one label', () => {
  assert.equal(covers(['a.test', '*.b.test'], 'x.b.test'), true)
  assert.equal(covers(['a.test', '*.b.test'], 'a.test'), true)
  for (const name of ['b.test', 'x.y.b.test', 'x.a.test'])
    assert.equal(covers(['a.test', '*.b.test'], name), false, name)
})
