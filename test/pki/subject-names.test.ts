import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalName, subjectAlternativeName } from '../../src/pki/subject-names.ts'

const label63 = 'a'.repeat(63)

for (const name of [
  'a.example',
  'localhost',
  '*.a.example',
  '_dmarc.a.example',
  '4.example',
  `${label63}.${label63}.${label63}.${'a'.repeat(61)}`,
  '255.255.255.255',
  '::',
  '::ffff:1.2.3.4',
])
  test(`${name} can be in a certificate`, () => assert.ok(subjectAlternativeName([name], { critical: false })))

for (const name of [
  '',
  '.',
  '*',
  '*.',
  'a..example',
  'a.example.',
  'A.example',
  'bücher.example',
  'a.*.example',
  'f*.example',
  '*.*.example',
  '-a.example',
  'a-.example',
  'a b.example',
  'a.example\0.evil',
  'a.example\n',
  `${label63}a.example`,
  `${label63}.${label63}.${label63}.${'a'.repeat(62)}`,
  '1.2.3',
  '1.2.3.256',
  '*.2.3.4',
  '[::1]',
  'fe80::1%eth0',
  '10.0.0.0/8',
  'http://a.example',
])
  test(`${JSON.stringify(name)} cannot be in a certificate`, () =>
    assert.throws(() => subjectAlternativeName(['a.example', name], { critical: false }), { code: 'name-invalid' }))

test('IPv6 addresses are equal however they are written (RFC 5952)', () => {
  assert.equal(canonicalName('2001:DB8:0:0:0:0:0:1'), '2001:db8::1')
  assert.equal(canonicalName('2001:db8::0001'), '2001:db8::1')
  assert.equal(canonicalName('::ffff:1.2.3.4'), canonicalName('::ffff:102:304'))
  assert.equal(canonicalName('A.Example'), 'a.example')
})
