import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { OctetString } from '@peculiar/asn1-schema'
import {
  AccessDescription,
  AuthorityInfoAccessSyntax,
  Extension,
  GeneralName,
  id_ad_caIssuers,
  id_ad_ocsp,
  id_ce_subjectAltName,
  id_pe_authorityInfoAccess,
  SubjectAlternativeName,
} from '@peculiar/asn1-x509'
import { type Certificate, coversName, formatChain, parseCertificate, parseChain } from '../../src/pki/certificate.ts'
import { commonName, extension } from '../../src/pki/certificate-signing.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { encodeCertificate } from '../../src/pki/pem.ts'
import { subjectAlternativeName } from '../../src/pki/subject-names.ts'
import { DAY_MS, NOW, pemOf, selfSigned, threeStepChain } from './three-step-chain.ts'

const leafOf = async (extensions: Extension[]): Promise<Certificate> => parseChain(await selfSigned({ extensions }))[0]

/** RFC 9773 appendix A. */
const RFC_9773_EXAMPLE = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
`

test('the parts of an ARI identifier are those of RFC 9773 §4.1', () => {
  const [certificate] = parseChain(RFC_9773_EXAMPLE)
  assert.equal(certificate.authorityKeyIdentifier?.toString('base64url'), 'aYhba4dGQEHhs3uEe6CuLN4ByNQ')
  assert.equal(certificate.serialContent.toString('base64url'), 'AIdlQyE')
  assert.equal(certificate.serial, '87654321')
  assert.equal(certificate.issuer, 'CN=Example CA')
  assert.deepEqual(certificate.names, [])
})

test('a certificate tells what it says', async () => {
  const keys = await generateKey('ecdsa-p384')
  const names = ['a.example', '*.b.example', '192.0.2.1', '2001:db8::1']
  const extensions = [subjectAlternativeName(names, { critical: false })]
  const pem = await selfSigned({ subject: commonName('Ä'), extensions }, keys)
  const [certificate] = parseChain(pem)
  assert.deepEqual(certificate.names, names)
  assert.equal(certificate.notBefore, NOW - DAY_MS)
  assert.equal(certificate.notAfter, NOW + DAY_MS)
  assert.equal(certificate.subject, 'CN=Ä')
  assert.equal(certificate.issuer, 'CN=Issuer')
  assert.equal(certificate.isAuthority, false)
  assert.equal(certificate.keyKind, 'ecdsa-p384')
  assert.ok(certificate.publicKey.equals(keys.publicKey))
  assert.equal(certificate.ocspUrl, undefined)
  assert.equal(certificate.mustStaple, false)
  assert.equal(certificate.authorityKeyIdentifier, undefined)
  assert.equal(certificate.subjectKeyIdentifier, undefined)
  assert.match(certificate.fingerprint, /^[0-9a-f]{64}$/)
  assert.equal(certificate.x509.toString(), pem)
})

test('an empty subject is an empty text', async () => {
  assert.equal((await leafOf([])).subject, '')
})

test('names are lower-case, whatever the CA wrote', async () => {
  const names = new SubjectAlternativeName([new GeneralName({ dNSName: 'A.Example' })])
  assert.deepEqual((await leafOf([extension(id_ce_subjectAltName, names)])).names, ['a.example'])
})

test('names that are neither DNS names nor addresses are left out', async () => {
  const names = new SubjectAlternativeName([
    new GeneralName({ rfc822Name: 'a@b.example' }),
    new GeneralName({ directoryName: commonName('c.example') }),
    new GeneralName({ dNSName: 'a.example' }),
    new GeneralName({ uniformResourceIdentifier: 'https://d.example' }),
  ])
  assert.deepEqual((await leafOf([extension(id_ce_subjectAltName, names)])).names, ['a.example'])
})

test('a name that looks like two is one (CVE-2021-44532)', async () => {
  const names = new SubjectAlternativeName([new GeneralName({ dNSName: 'evil.example, DNS:a.example' })])
  const certificate = await leafOf([extension(id_ce_subjectAltName, names)])
  assert.ok(!coversName(certificate.names, 'a.example'))
})

test('the OCSP responder is the first with a web address (RFC 5280 §4.2.2.1)', async () => {
  const access = (accessMethod: string, url: string): AccessDescription =>
    new AccessDescription({ accessMethod, accessLocation: new GeneralName({ uniformResourceIdentifier: url }) })
  const ocsp = new AuthorityInfoAccessSyntax([
    access(id_ad_caIssuers, 'http://ca.example/ca.crt'),
    access(id_ad_ocsp, 'ldap://ocsp.example'),
    access(id_ad_ocsp, 'file:///etc/passwd'),
    access(id_ad_ocsp, 'not an address'),
    access(id_ad_ocsp, 'http://ocsp.example/a'),
    access(id_ad_ocsp, 'http://ocsp.example/b'),
  ])
  assert.equal((await leafOf([extension(id_pe_authorityInfoAccess, ocsp)])).ocspUrl, 'http://ocsp.example/a')
  const issuersOnly = new AuthorityInfoAccessSyntax([access(id_ad_caIssuers, 'http://ca.example/ca.crt')])
  assert.equal((await leafOf([extension(id_pe_authorityInfoAccess, issuersOnly)])).ocspUrl, undefined)
})

test('must-staple is the TLS feature status_request (RFC 7633 §6)', async () => {
  const feature = (hex: string): Extension =>
    new Extension({ extnID: '1.3.6.1.5.5.7.1.24', extnValue: new OctetString(Buffer.from(hex, 'hex')) })
  assert.equal((await leafOf([feature('3003020105')])).mustStaple, true)
  assert.equal((await leafOf([feature('3006020111020105')])).mustStaple, true)
  assert.equal((await leafOf([feature('3003020111')])).mustStaple, false)
})

test('an RSA-PSS or Ed25519 certificate is read and has no kind', async () => {
  const issuer = await generateKey('ecdsa-p256')
  for (const { publicKey } of [
    generateKeyPairSync('ed25519'),
    generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  ]) {
    const [certificate] = parseChain(await selfSigned({ publicKey }, issuer))
    assert.equal(certificate.keyKind, undefined)
  }
})

for (const [year, form] of [
  ['1996', 'UTCTime'],
  ['2049', 'UTCTime'],
  ['2050', 'GeneralizedTime'],
  ['9999', 'GeneralizedTime'],
])
  test(`a certificate ends with ${year}, a ${form} (RFC 5280 §4.1.2.5)`, async () => {
    const notAfter = Date.parse(`${year}-12-31T23:59:59Z`)
    const [certificate] = parseChain(await selfSigned({ notBefore: notAfter - DAY_MS, notAfter }))
    assert.equal(certificate.notAfter, notAfter)
    assert.equal(certificate.notBefore, notAfter - DAY_MS)
    const text = form === 'UTCTime' ? `\x17\x0d${year?.slice(2)}1231235959Z` : `\x18\x0f${year}1231235959Z`
    assert.ok(certificate.x509.raw.includes(text, 0, 'latin1'))
  })

test('the first second of 2050 is a GeneralizedTime', async () => {
  const notAfter = Date.parse('2050-01-01T00:00:00Z')
  const [certificate] = parseChain(await selfSigned({ notBefore: notAfter - 1000, notAfter }))
  assert.ok(certificate.x509.raw.includes('\x17\x0d491231235959Z\x18\x0f20500101000000Z', 0, 'latin1'))
  assert.equal(certificate.notAfter, notAfter)
})

test('a certificate that is cut off anywhere is refused', async () => {
  const { raw } = (await leafOf([subjectAlternativeName(['a.example'], { critical: true })])).x509
  for (let length = 0; length < raw.length; length++)
    assert.throws(() => parseCertificate(raw.subarray(0, length)), { code: 'certificate-malformed' })
})

test('a certificate with something behind it is refused', async () => {
  const { raw } = (await leafOf([])).x509
  assert.throws(() => parseCertificate(Buffer.concat([raw, Buffer.from([0])])), { code: 'certificate-malformed' })
  assert.throws(() => parseCertificate(Buffer.concat([raw, raw])), { code: 'certificate-malformed' })
})

test('a certificate with a flipped byte is read or refused, nothing else', async () => {
  const { raw } = (await leafOf([subjectAlternativeName(['a.example', '::1'], { critical: true })])).x509
  for (let index = 0; index < raw.length; index++)
    for (const flip of [0x01, 0x80, 0xff]) {
      const damaged = Buffer.from(raw)
      damaged[index]! ^= flip
      try {
        parseCertificate(damaged)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'certificate-malformed')
      }
    }
})

test('extensions that contradict RFC 5280 §4.2 are refused', async () => {
  const names = subjectAlternativeName(['a.example'], { critical: true })
  const value = (hex: string): Extension =>
    new Extension({ extnID: id_ce_subjectAltName, extnValue: new OctetString(Buffer.from(hex, 'hex')) })
  const twice = [names, subjectAlternativeName(['b.example'], { critical: true })]
  const oddAddress = [value('3007870500000000ff')]
  const beyondItsEnd = [value('3007820a612e6578')]
  for (const extensions of [twice, oddAddress, beyondItsEnd])
    await assert.rejects(leafOf(extensions), { code: 'certificate-malformed' })
})

test('a chain is written anew in lines of 64 characters, however it was written (RFC 7468 §3)', async () => {
  const { leaf, intermediate } = await threeStepChain()
  const pem = pemOf(leaf, intermediate)
  for (const written of [pem, pem.replaceAll('\n', ' '), pem.replaceAll('-----BEGIN', ' \r\n\t-----BEGIN')])
    assert.equal(formatChain(parseChain(written)), pem)
})

test('a chain is read in its order, and garbage within it is refused', async () => {
  const { root, intermediate, leaf } = await threeStepChain()
  const chain = parseChain(pemOf(leaf, intermediate, root))
  assert.deepEqual(
    chain.map(({ subject, isAuthority }) => [subject, isAuthority]),
    [
      ['', false],
      ['CN=Intermediate', true],
      ['CN=Root', true],
    ],
  )
  const garbage = encodeCertificate(Buffer.from('garbage'))
  assert.throws(() => parseChain(pemOf(leaf) + garbage), { code: 'certificate-malformed' })
  assert.throws(() => parseChain(garbage), { code: 'certificate-malformed' })
})

for (const [certificateName, name, covered] of [
  ['a.example', 'a.example', true],
  ['a.example', 'A.EXAMPLE', true],
  ['a.example', 'b.example', false],
  ['a.example', 'b.a.example', false],
  ['*.a.example', 'b.a.example', true],
  ['*.a.example', 'a.example', false],
  ['*.a.example', 'c.b.a.example', false],
  ['*.a.example', '.a.example', false],
  ['*.a.example', '*.a.example', true],
  ['*.a.example', '*.b.a.example', false],
  ['b.a.example', '*.a.example', false],
  ['f*.a.example', 'foo.a.example', false],
  ['*', 'localhost', false],
  ['*.0.0.1', '127.0.0.1', false],
  ['127.0.0.1', '127.0.0.1', true],
  ['2001:db8::1', '2001:0DB8:0::1', true],
  ['2001:db8::1', '2001:db8::2', false],
] as const)
  test(`a certificate for ${certificateName} ${covered ? 'covers' : 'does not cover'} ${name} (RFC 9525 §6.3)`, () =>
    assert.equal(coversName([certificateName], name), covered))
