import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../../src/config/problem.ts'
import { covers, siteNameFormat } from '../../src/config/site-name.ts'

const label63 = 'a'.repeat(63)

test('reads names as lower-case ASCII without trailing dot (RFC 5890), and addresses without brackets (RFC 5952)', () => {
  const names: [string, string][] = [
    ['localhost', 'localhost'],
    ['WWW.Example.COM.', 'www.example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['*.BÜCHER.example', '*.xn--bcher-kva.example'],
    ['a--b.example', 'a--b.example'],
    ['0.example', '0.example'],
    ['constructor', 'constructor'],
    [`${label63}.example`, `${label63}.example`],
    ['*.example.com', '*.example.com'],
    ['*.co.uk', '*.co.uk'],
    ['*.localhost', '*.localhost'],
    ['*.test', '*.test'],
    ['192.0.2.1', '192.0.2.1'],
    ['::1', '::1'],
    ['[2001:DB8:0::1]', '2001:db8::1'],
  ]
  for (const [written, name] of names) assert.equal(siteNameFormat.read(written), name, written)
})

test('refuses what is no name, and says why', () => {
  const names: [string, RegExp][] = [
    ['', /empty/],
    ['http://a.example', /scheme/],
    ['a.example:80', /port/],
    ['[::1]:443', /port/],
    ['a.example/', /path/],
    ['a.example?x', /path/],
    ['u@a.example', /user name/],
    ['a b', /character/],
    ['a\n', /character/],
    ['a\0.example', /character/],
    ['a%41.example', /character/],
    ['a,b.example', /character/],
    ['[a.example]', /character/],
    ['fe80::1%eth0', /character/],
    ['[192.0.2.1]', /character/],
    ['a_b.example', /underscore/],
    ['-a.example', /hyphen/],
    ['a-.example', /hyphen/],
    ['.example', /dot too many/],
    ['a..example', /dot too many/],
    ['a.example..', /dot too many/],
    ['.', /dot too many/],
    [`a${label63}.example`, /label longer than 63/],
    [`${`${label63}.`.repeat(3)}${'a'.repeat(62)}`, /longer than 253/],
    ['*', /is a site of its own/],
    ['*.', /dot too many/],
    ['*.com', /top-level/],
    ['a.*.example', /wildcard/],
    ['*a.example', /wildcard/],
    ['*.*.example.com', /wildcard/],
    ['1.2.3', /IP address/],
    ['256.1.1.1', /IP address/],
    ['1.2.3.4.', /IP address/],
    ['１.２.３.４', /UTS 46/],
    ['xn--\u00fc.example', /UTS 46/],
  ]
  for (const [written, fault] of names) {
    const refusal = siteNameFormat.read(written)
    assert.ok(refusal instanceof Refusal, `${JSON.stringify(written)} was read as ${refusal}`)
    assert.match(refusal.fault ?? '', fault, written)
  }
})

test('a wildcard covers exactly one label (RFC 6125 §6.4.3)', () => {
  assert.ok(covers('a.test', 'a.test'))
  assert.ok(covers('*.a.test', 'b.a.test'))
  for (const name of ['a.test', 'c.b.a.test', '.a.test', 'ba.test']) assert.ok(!covers('*.a.test', name), name)
})
