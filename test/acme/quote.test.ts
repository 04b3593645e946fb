import assert from 'node:assert/strict'
import { test } from 'node:test'
import { quote } from '../../src/acme/quote.ts'

const SECRET = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg'
const pem = (label: string, line = '\n') =>
  [`-----BEGIN ${label}-----`, SECRET, `-----END ${label}-----`, ''].join(line)

test('a text is one printable line of no more than its length', () => {
  assert.equal(quote(' a\r\n\tb\u001b[31m\u202ec '), 'a b [31m c')
  assert.equal(quote('x'.repeat(50), 10), `${'x'.repeat(10)}…`)
  assert.equal(quote('-----BEGIN CERTIFICATE----- MIIB'), '-----BEGIN CERTIFICATE----- MIIB')
  assert.equal(quote('', 10), '')
})

test('no private key is repeated, whatever its kind and however it is broken into lines (RFC 7468 §10, §11)', () => {
  for (const label of ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY', 'ENCRYPTED PRIVATE KEY', 'ec private key'])
    for (const line of ['\n', '\r\n', '\r', ' ', '', '\\n', '\u2028', '\u0000'])
      assert.equal(quote(`before ${pem(label, line)} after`), 'before (a private key, left out)', JSON.stringify(line))
})

test('a private key is left out before the text is cut, wherever the cut falls', () => {
  const text = pem('PRIVATE KEY')
  for (let max = 1; max <= text.length + 1; max++) {
    assert.ok(!quote(`x ${text}`, max).includes('MIGH'), `${max}`)
    assert.ok(!quote(`${'x'.repeat(max * 3)}${text}`, max).includes('MIGH'), `${max}`)
  }
})

test('blanks inside a key’s first line, which look like nothing, do not get it repeated', () => {
  for (const blank of ['\u200b', '\u00ad', '\t', '\u00a0', ' \n '])
    assert.ok(!quote(pem(`EC${blank}PRIVATE${blank}KEY`)).includes('MIGH'), JSON.stringify(blank))
})
