import assert from 'node:assert/strict'
import { test } from 'node:test'
import { id_kp_serverAuth } from '@peculiar/asn1-x509'
import { derElement, derElements, encodeDer } from '../../src/pki/der-element.ts'
import { createOcspRequest } from '../../src/pki/ocsp-request.ts'
import { readOcspResponse } from '../../src/pki/ocsp-response.ts'
import { encodeCertificate } from '../../src/pki/pem.ts'
import { openssl, withoutOpenssl } from './openssl.ts'
import { type ResponseContent, signedResponse, statusResponse, wrapped } from './signed-response.ts'
import { StapledAuthority } from './stapled-authority.ts'
import { NOW } from './three-step-chain.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE
const times = { notBefore: NOW - DAY, notAfter: NOW + 30 * DAY }

const ca = await StapledAuthority.create(times)
const rsaCa = await StapledAuthority.create(times, 'rsa-2048', 'RSA CA')
const foreignCa = await StapledAuthority.create(times, 'ecdsa-p384', 'Foreign CA')
const [certificate, sibling, ofRsa, responder] = await Promise.all([
  ca.leaf({ names: ['a.test'], ...times }),
  ca.leaf({ names: ['b.test'], ...times }),
  rsaCa.leaf({ names: ['a.test'], ...times }),
  ca.delegate(times),
])
const issuer = ca.root.certificate
const subject = { certificate, issuer, now: NOW }

/** A response that is good, but for what is said otherwise. */
function response(differences: Partial<ResponseContent> = {}): Buffer {
  return signedResponse({
    certificate,
    issuer,
    thisUpdate: NOW - MINUTE,
    nextUpdate: NOW + 7 * DAY,
    signer: responder,
    ...differences,
  })
}

function codeOf(der: Buffer, differences: Partial<typeof subject> = {}): string {
  try {
    return readOcspResponse(der, { ...subject, ...differences }).status.type
  } catch (error) {
    return (error as { code: string }).code
  }
}

test('openssl reads a request, and finds the certificate in it', { skip: withoutOpenssl }, async () => {
  const files = { request: createOcspRequest(certificate, issuer), 'ca.pem': encodeCertificate(issuer.x509.raw) }
  const text = await openssl(['ocsp', '-reqin', 'request', '-req_text'], files)
  assert.match(text, /Hash Algorithm: sha1/)
  assert.ok(text.includes(certificate.serial.toUpperCase()))
  const own = ['ocsp', '-issuer', 'ca.pem', '-cert', 'leaf.pem', '-no_nonce', '-reqout', 'own', '-req_text']
  const theirs = await openssl(own, { ...files, 'leaf.pem': encodeCertificate(certificate.x509.raw) })
  assert.equal(hashesIn(text).length, 2)
  assert.deepEqual(hashesIn(text), hashesIn(theirs))
})

const hashesIn = (text: string): string[] => text.match(/(?<=(Name|Key) Hash: )[0-9A-F]+/g) ?? []

test('a response of the CA itself and one of its delegate are believed', () => {
  for (const signer of [responder, ca.root])
    for (const namesResponderBy of ['name', 'key'] as const)
      for (const hash of ['sha1', 'sha256'] as const)
        assert.equal(codeOf(response({ signer, namesResponderBy, hash })), 'good')
})

test('what it says: status, times, reason', () => {
  assert.deepEqual(readOcspResponse(response(), subject), {
    status: { type: 'good' },
    thisUpdate: NOW - MINUTE,
    until: NOW + 7 * DAY,
  })
  const revoked = { revokedAt: NOW - DAY, reason: 1 }
  assert.deepEqual(readOcspResponse(response({ status: revoked }), subject).status, {
    type: 'revoked',
    revokedAt: NOW - DAY,
    reason: 'keyCompromise',
  })
  const { status } = readOcspResponse(response({ status: { revokedAt: NOW } }), subject)
  assert.deepEqual(status, { type: 'revoked', revokedAt: NOW, reason: undefined })
  assert.equal(codeOf(response({ status: 'unknown' })), 'unknown')
})

test('one among several answers is found', () => {
  assert.equal(codeOf(response({ others: [sibling] })), 'good')
})

test('it lasts no longer than the right of who signed it, and a day without nextUpdate', async () => {
  const signer = await ca.delegate({ notBefore: NOW - DAY, notAfter: NOW + DAY })
  assert.equal(readOcspResponse(response({ signer }), subject).until, NOW + DAY)
  const open = response({ nextUpdate: undefined })
  assert.equal(readOcspResponse(open, subject).until, NOW - MINUTE + DAY)
  assert.equal(codeOf(open, { now: NOW - MINUTE + DAY }), 'ocsp-expired')
})

test('a clock may be five minutes behind', () => {
  assert.equal(codeOf(response({ thisUpdate: NOW + 5 * MINUTE })), 'good')
  assert.equal(codeOf(response({ thisUpdate: NOW + 6 * MINUTE })), 'ocsp-not-yet-valid')
})

for (const algorithm of ['ecdsa-sha256', 'ecdsa-sha384', 'ecdsa-sha512'] as const)
  test(`a signature by ${algorithm} is verified`, () => assert.equal(codeOf(response({ algorithm })), 'good'))

const rsa = { certificate: ofRsa, issuer: rsaCa.root.certificate, signer: rsaCa.root }
const RSA_ALGORITHMS = ['rsa-sha256', 'rsa-sha256-without-null', 'rsa-sha384', 'rsa-sha512'] as const
const PSS_ALGORITHMS = ['rsa-pss-sha256', 'rsa-pss-sha384', 'rsa-pss-sha512'] as const
for (const algorithm of [...RSA_ALGORITHMS, ...PSS_ALGORITHMS])
  test(`a signature by ${algorithm} is verified`, () =>
    assert.equal(codeOf(response({ ...rsa, algorithm }), { certificate: ofRsa, issuer: rsa.issuer }), 'good'))

for (const algorithm of ['rsa-sha1', 'rsa-pss-short-salt'] as const)
  test(`a signature by ${algorithm} is refused`, () => {
    const code = codeOf(response({ ...rsa, algorithm }), { certificate: ofRsa, issuer: rsa.issuer })
    assert.equal(code, 'ocsp-algorithm-unsupported')
  })

const late = { thisUpdate: NOW - 2 * DAY, nextUpdate: NOW - DAY }
const past = { notBefore: NOW - 10 * DAY, notAfter: NOW - DAY }
const coming = { notBefore: NOW + DAY, notAfter: NOW + 10 * DAY }
const foreigner = await foreignCa.delegate(times)
const impostor = await StapledAuthority.create(times, 'ecdsa-p384', 'CA')
const criticalExtension = encodeDer(0x30, encodeDer(0x30, Buffer.from('06022a030101ff040100', 'hex')))
const plainExtension = encodeDer(0x30, encodeDer(0x30, Buffer.from('06022a03040100', 'hex')))

for (const [what, der, code] of [
  ['one that is over', response(late), 'ocsp-expired'],
  ['one from the future', response({ thisUpdate: NOW + DAY }), 'ocsp-not-yet-valid'],
  ['one of a foreign CA', response({ signer: foreignCa.root }), 'ocsp-signer-unauthorized'],
  ['one of the delegate of a foreign CA', response({ signer: foreigner }), 'ocsp-signer-unauthorized'],
  ['one of a CA of the same name', response({ signer: impostor.root }), 'ocsp-signer-unauthorized'],
  [
    "one of a CA of the same name without that one's certificate",
    response({ signer: impostor.root, certificates: [] }),
    'ocsp-signature-invalid',
  ],
  [
    'one of a server of the CA',
    response({ signer: await ca.delegate(times, { purposes: [id_kp_serverAuth], name: 'a.test' }) }),
    'ocsp-signer-unauthorized',
  ],
  [
    'one whose signer has no purposes',
    response({ signer: await ca.delegate(times, { purposes: [] }) }),
    'ocsp-signer-unauthorized',
  ],
  ['one whose signer has expired', response({ signer: await ca.delegate(past) }), 'ocsp-signer-unauthorized'],
  ['one whose signer is not valid yet', response({ signer: await ca.delegate(coming) }), 'ocsp-signer-unauthorized'],
  ['one without the certificate of its signer', response({ certificates: [] }), 'ocsp-signer-unauthorized'],
  ['one with the certificate of another', response({ certificates: [sibling] }), 'ocsp-signer-unauthorized'],
  ['one about another serial number', response({ certificate: sibling }), 'ocsp-other-certificate'],
  ['one about another issuer', response({ issuer: foreignCa.root.certificate }), 'ocsp-other-certificate'],
  ['a signature with SHA-1', response({ algorithm: 'ecdsa-sha1' }), 'ocsp-algorithm-unsupported'],
  ['a critical extension', response({ extensions: criticalExtension }), 'ocsp-malformed'],
  ['a critical extension of the one answer', response({ singleExtensions: criticalExtension }), 'ocsp-malformed'],
  ['an extension', response({ extensions: plainExtension, singleExtensions: plainExtension }), 'good'],
  ['an end ahead of the beginning', response({ nextUpdate: NOW - DAY }), 'ocsp-malformed'],
  ['nothing', Buffer.alloc(0), 'ocsp-malformed'],
  ['a web page', Buffer.from('<html>captive portal</html>'), 'ocsp-malformed'],
  ['success without an answer', statusResponse(0), 'ocsp-malformed'],
  ['a status that does not exist', statusResponse(4), 'ocsp-malformed'],
  ['malformedRequest', statusResponse(1), 'ocsp-refused'],
  ['tryLater', statusResponse(3), 'ocsp-refused'],
  ['unauthorized', statusResponse(6), 'ocsp-refused'],
  ['something behind it', Buffer.concat([response(), Buffer.of(5, 0)]), 'ocsp-malformed'],
] as const)
  test(`${what}: ${code}`, () => assert.equal(codeOf(der), code))

test('it is refused with any byte changed, and cut off anywhere', () => {
  // Signed by the CA itself: nothing in it is outside of the signature or the frame.
  const der = response({ signer: ca.root })
  assert.equal(codeOf(der), 'good')
  for (let at = 0; at < der.length; at++) {
    const changed = Buffer.from(der)
    changed[at]! ^= 0x01
    assert.match(codeOf(changed), /^ocsp-/, `byte ${at}`)
    assert.equal(codeOf(der.subarray(0, at)), 'ocsp-malformed')
  }
})

test('a status that is tampered with inside is not believed', () => {
  const revoked = response({ status: { revokedAt: NOW - DAY }, signer: ca.root })
  const [, outer] = derElements(derElement(revoked, 0x30).content)
  const [, octets] = derElements(derElement(outer!.content, 0x30).content)
  const [, algorithm, signature] = derElements(derElement(octets!.content, 0x30).content)
  const good = response({ signer: ca.root })
  const [, goodOuter] = derElements(derElement(good, 0x30).content)
  const [, goodOctets] = derElements(derElement(goodOuter!.content, 0x30).content)
  const [goodData] = derElements(derElement(goodOctets!.content, 0x30).content)
  const mixed = wrapped(encodeDer(0x30, goodData!.whole, algorithm!.whole, signature!.whole))
  assert.equal(codeOf(mixed), 'ocsp-signature-invalid')
})
