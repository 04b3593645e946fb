import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeCertificateChain, encodeCertificate } from '../../src/pki/pem.ts'
import type { PkiError } from '../../src/pki/pki-error.ts'

const block = (text: string, label = 'CERTIFICATE'): string =>
  encodeCertificate(Buffer.from(text)).replaceAll('CERTIFICATE', label)
const decode = (pem: string): string[] => decodeCertificateChain(pem).map((der) => der.toString())
const refuses = (pem: string, code: PkiError['code']): void =>
  assert.throws(() => decode(pem), { name: 'PkiError', code })

test('a chain is certificates, in their order (RFC 8555 §9.1)', () => {
  assert.deepEqual(decode(block('leaf')), ['leaf'])
  assert.deepEqual(decode(block('leaf') + block('intermediate') + block('root')), ['leaf', 'intermediate', 'root'])
})

test('PEM has lines of 64 characters (RFC 7468 §3)', () => {
  const lines = encodeCertificate(Buffer.alloc(100)).split('\n')
  assert.deepEqual(
    lines.map((line) => line.length),
    [27, 64, 64, 8, 25, 0],
  )
})

test('blanks and CRLF between certificates are let pass', () => {
  const pem = `\r\n  ${block('leaf')}\n\n\t${block('root')}\n \n`
  assert.deepEqual(decode(pem), ['leaf', 'root'])
  assert.deepEqual(decode(pem.replaceAll('\n', '\r\n')), ['leaf', 'root'])
})

for (const blank of ['\v', '\f', '\u00a0', '\u2028', '\u3000', '\ufeff'])
  test(`U+${blank.charCodeAt(0).toString(16).padStart(4, '0')} is no blank in or around a chain`, () => {
    refuses(blank, 'chain-malformed')
    refuses(blank + block('leaf'), 'chain-malformed')
    refuses(block('leaf') + blank, 'chain-malformed')
    refuses(block('leaf') + blank + block('root'), 'chain-malformed')
    refuses(block('leaf').replace('\n', blank), 'chain-malformed')
    refuses(block('leaf').replace('\n', `\n${blank}`), 'chain-malformed')
  })

test('an empty chain is refused', () => {
  refuses('', 'chain-empty')
  refuses(' \r\n\t', 'chain-empty')
})

for (const label of ['PRIVATE KEY', 'EC PRIVATE KEY', 'RSA PRIVATE KEY', 'TRUSTED CERTIFICATE', 'X509 CRL'])
  test(`a chain with a ${label} anywhere is refused (RFC 8555 §11.4)`, () => {
    refuses(block('a', label), 'chain-foreign-block')
    refuses(block('leaf') + block('a', label), 'chain-foreign-block')
    refuses(block('a', label) + block('leaf'), 'chain-foreign-block')
    refuses(block('leaf') + block('a', label) + block('root'), 'chain-foreign-block')
  })

for (const [what, pem] of [
  ['text before it', `issued for you\n${block('leaf')}`],
  ['text between certificates', `${block('leaf')}intermediate:\n${block('root')}`],
  ['text after it', `${block('leaf')}-----BEGIN`],
  ['HTML', '<html><body>504 Gateway Timeout</body></html>'],
  ['no end', block('leaf').slice(0, 40)],
  ['another end', block('leaf').replace('END CERTIFICATE', 'END PRIVATE KEY')],
  ['a certificate begun in a certificate', `-----BEGIN CERTIFICATE-----\n${block('leaf')}`],
  ['headers', block('leaf').replace('\n', '\nProc-Type: 4,ENCRYPTED\n')],
  ['nothing inside', '-----BEGIN CERTIFICATE----------END CERTIFICATE-----'],
  ['a NUL', block('leaf').replace('\n', '\n\0')],
] as const)
  test(`a chain with ${what} is refused`, () => refuses(pem, 'chain-malformed'))

test('a refusal does not repeat what was in the chain', () => {
  const pem = block('leaf') + block('the secret', 'PRIVATE KEY')
  assert.throws(
    () => decode(pem),
    (error: PkiError) =>
      !JSON.stringify([error.message, error.facts]).includes(Buffer.from('the sec').toString('base64')),
  )
})

test('ten certificates are a chain, eleven are not', () => {
  assert.equal(decode(block('a').repeat(10)).length, 10)
  refuses(block('a').repeat(11), 'chain-too-large')
})

test('a megabyte costs no more than looking at its length', () => {
  refuses(block('a'.repeat(700)).repeat(1024), 'chain-too-large')
  refuses(block('a'.repeat(1024 * 1024)), 'chain-too-large')
})

test('hostile text of the full length costs no more than reading it', () => {
  const length = 65_000
  const begin = '-----BEGIN CERTIFICATE-----\n'
  refuses(`${' '.repeat(length)}!`, 'chain-malformed')
  for (const filler of ['\n', ' ', 'A', '=', '-', '-----BEGIN CERTIFICATE-----\n', `${begin}AA\n-----END X-----`]) {
    const start = performance.now()
    refuses(`${begin}${filler.repeat(Math.floor(length / filler.length))}!`, 'chain-malformed')
    assert.ok(performance.now() - start < 1000, `${JSON.stringify(filler)} took ${performance.now() - start} ms`)
  }
})
