import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { type ConnectionOptions, connect, createServer } from 'node:tls'
import { checkIssued, parseChain } from '../../src/pki/certificate.ts'
import {
  createCertificateAuthority,
  issueCertificate,
  openCertificateAuthority,
} from '../../src/pki/certificate-authority.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { openssl, withoutOpenssl } from './openssl.ts'
import { selfSigned } from './three-step-chain.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** The handshakes and openssl look at the machine's own clock. */
const NOW = Math.floor(Date.now() / 1000) * 1000
const names = ['a.test', '*.b.test', '127.0.0.1', '::1']

const authority = await createCertificateAuthority({ label: 'Castellan internal CA, gateway', now: NOW })
const root = authority.certificate.x509.toString()
const authorityPem = { certificate: root, privateKey: exportPrivateKey(authority.privateKey) }

async function issue(kind: KeyKind): Promise<{ cert: string; key: string }> {
  const { publicKey, privateKey } = await generateKey(kind)
  const cert = await issueCertificate(authority, { names, publicKey, now: NOW, lifetimeMs: 30 * DAY_MS })
  checkIssued(parseChain(cert), { privateKey, names, now: NOW })
  return { cert, key: exportPrivateKey(privateKey) }
}

/** What a client that trusts the root gets to see: the negotiated protocol. Rejects if it refuses the certificate. */
async function handshake(identity: { cert: string; key: string }, options: ConnectionOptions): Promise<string | null> {
  const server = createServer(identity)
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({ host: '127.0.0.1', port, ca: root, ...options })
  try {
    await once(socket, 'secureConnect')
    return socket.getProtocol()
  } finally {
    socket.destroy()
    server.close()
  }
}

test('a root signs servers and no other CA (RFC 5280 §4.2.1.9)', { skip: withoutOpenssl }, async () => {
  const text = await openssl(['x509', '-in', 'root', '-text', '-noout'], { root })
  assert.match(text, /Subject: CN = "?Castellan internal CA, gateway/)
  assert.match(text, /Basic Constraints: critical\n *CA:TRUE, pathlen:0\n/)
  assert.match(text, /Key Usage: critical\n *Certificate Sign, CRL Sign\n/)
  assert.match(text, /Subject Key Identifier: *\n/)
  assert.match(text, /Public-Key: \(3072 bit\)/)
  assert.match(await openssl(['verify', '-x509_strict', '-CAfile', 'root', 'root'], { root }), /root: OK/)
})

test('a root is good for ten years', () => {
  const { notBefore, notAfter } = authority.certificate
  assert.equal(notAfter, NOW + 3650 * DAY_MS)
  assert.equal(notBefore, NOW - 5 * 60 * 1000)
})

test('a label of any length makes a root (RFC 5280 appendix A.1, ub-common-name)', async () => {
  const { certificate } = await createCertificateAuthority({ label: 'ü'.repeat(300), now: NOW })
  assert.equal(certificate.subject, `CN=${'ü'.repeat(64)}`)
})

for (const kind of ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'] as const) {
  test(`openssl verifies a certificate for ${kind}, strictly`, { skip: withoutOpenssl }, async () => {
    const { cert: leaf } = await issue(kind)
    for (const name of [
      ['-verify_hostname', 'a.test'],
      ['-verify_hostname', 'any.b.test'],
      ['-verify_ip', '127.0.0.1'],
      ['-verify_ip', '::1'],
    ])
      assert.match(
        await openssl(['verify', '-x509_strict', '-purpose', 'sslserver', ...name, '-CAfile', 'root', 'leaf'], {
          root,
          leaf,
        }),
        /leaf: OK/,
      )
    await assert.rejects(openssl(['verify', '-verify_hostname', 'c.test', '-CAfile', 'root', 'leaf'], { root, leaf }))
  })

  test(`a client that trusts the root trusts a server with ${kind}`, async () => {
    const identity = await issue(kind)
    for (const servername of ['a.test', 'any.b.test'])
      assert.equal(await handshake(identity, { servername }), 'TLSv1.3')
    assert.equal(await handshake(identity, { host: '127.0.0.1' }), 'TLSv1.3')
    assert.equal(await handshake(identity, { servername: 'a.test', maxVersion: 'TLSv1.2' }), 'TLSv1.2')
    await assert.rejects(handshake(identity, { servername: 'c.test' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
    await assert.rejects(handshake(identity, { servername: 'a.test', ca: [] }))
  })
}

test('a client that knows RSA alone can check every signature of an RSA certificate', async () => {
  const rsaOnly: ConnectionOptions = { servername: 'a.test', sigalgs: 'rsa_pss_rsae_sha256:rsa_pkcs1_sha256' }
  assert.equal(await handshake(await issue('rsa-2048'), rsaOnly), 'TLSv1.3')
  const ciphers = 'ECDHE-RSA-AES128-GCM-SHA256'
  assert.equal(await handshake(await issue('rsa-2048'), { ...rsaOnly, maxVersion: 'TLSv1.2', ciphers }), 'TLSv1.2')
  await assert.rejects(handshake(await issue('ecdsa-p256'), rsaOnly))
})

test('a certificate says what it is for, and by whose key (RFC 5280 §4.2.1)', { skip: withoutOpenssl }, async () => {
  const { cert: leaf } = await issue('ecdsa-p256')
  const text = await openssl(['x509', '-in', 'leaf', '-text', '-noout'], { leaf })
  assert.match(text, /Subject: *\n/)
  assert.match(text, /Subject Alternative Name: critical\n/)
  assert.match(text, /Key Usage: critical\n *Digital Signature\n/)
  assert.match(text, /Extended Key Usage: *\n *TLS Web Server Authentication\n/)
  const [certificate] = parseChain(leaf)
  assert.deepEqual(certificate.authorityKeyIdentifier, authority.certificate.subjectKeyIdentifier)
  assert.equal(certificate.subjectKeyIdentifier?.length, 20)
  assert.equal(certificate.isAuthority, false)
})

test('serial numbers are positive, of 16 octets, and differ (RFC 5280 §4.1.2.2)', async () => {
  const { publicKey } = await generateKey('ecdsa-p256')
  const one = async (): Promise<Buffer> => {
    const pem = await issueCertificate(authority, { names, publicKey, now: NOW, lifetimeMs: DAY_MS })
    return parseChain(pem)[0].serialContent
  }
  const serials = await Promise.all(Array.from({ length: 50 }, one))
  assert.equal(new Set(serials.map((serial) => serial.toString('hex'))).size, 50)
  for (const serial of serials) {
    assert.equal(serial.length, 16)
    assert.ok(serial[0]! > 0 && serial[0]! < 0x80)
  }
})

test('a certificate begins five minutes ago, and never ends after its root', async () => {
  const { publicKey } = await generateKey('ecdsa-p256')
  const at = async (now: number): Promise<[number, number]> => {
    const pem = await issueCertificate(authority, { names: ['a.test'], publicKey, now, lifetimeMs: 30 * DAY_MS })
    const [{ notBefore, notAfter }] = parseChain(pem)
    return [notBefore, notAfter]
  }
  assert.deepEqual(await at(NOW), [NOW - 5 * 60 * 1000, NOW + 30 * DAY_MS])
  const lateInLife = authority.certificate.notAfter - DAY_MS
  assert.deepEqual(await at(lateInLife), [lateInLife - 5 * 60 * 1000, authority.certificate.notAfter])
})

test('a root made in 2045 reaches into the 2050s (RFC 5280 §4.1.2.5)', { skip: withoutOpenssl }, async () => {
  const now = Date.parse('2045-01-01T00:00:00Z')
  const { certificate } = await createCertificateAuthority({ label: 'later', now })
  assert.equal(certificate.notAfter, now + 3650 * DAY_MS)
  const pem = certificate.x509.toString()
  const at = (time: string): string[] => [
    'verify',
    '-x509_strict',
    '-attime',
    `${Date.parse(time) / 1000}`,
    '-CAfile',
    'root',
    'root',
  ]
  assert.match(await openssl(at('2054-01-01T00:00:00Z'), { root: pem }), /root: OK/)
  await assert.rejects(openssl(at('2056-01-01T00:00:00Z'), { root: pem }))
})

test('no certificate is made for what is no name', async () => {
  const { publicKey } = await generateKey('ecdsa-p256')
  for (const wrong of [[], [''], ['a.test', 'b c']])
    await assert.rejects(issueCertificate(authority, { names: wrong, publicKey, now: NOW, lifetimeMs: DAY_MS }), {
      code: 'name-invalid',
    })
})

test('a root that was exported signs as before', async () => {
  const opened = await openCertificateAuthority(authorityPem)
  const { publicKey } = await generateKey('ecdsa-p256')
  const leaf = await issueCertificate(opened, { names: ['a.test'], publicKey, now: NOW, lifetimeMs: DAY_MS })
  assert.ok(parseChain(leaf)[0].x509.verify(authority.certificate.publicKey))
})

test('a certificate and a key that make no root are refused', async () => {
  const { cert, key } = await issue('rsa-2048')
  const keys = await generateKey('rsa-3072')
  const changed = Buffer.from(authority.certificate.x509.raw)
  changed[changed.length - 1]! ^= 1
  const base64 = (der: Buffer): string =>
    `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
  const refused: [string, { certificate: string; privateKey: string }, string][] = [
    ['a server', { certificate: cert, privateKey: key }, 'authority-invalid'],
    ['a self-signed server', { certificate: await selfSigned({}, keys), privateKey: key }, 'authority-invalid'],
    ['another key', { ...authorityPem, privateKey: exportPrivateKey(keys.privateKey) }, 'authority-invalid'],
    ['a key of another type', { ...authorityPem, privateKey: key }, 'authority-invalid'],
    ['a changed certificate', { ...authorityPem, certificate: base64(changed) }, 'authority-invalid'],
    ['two certificates', { ...authorityPem, certificate: root + cert }, 'authority-invalid'],
    ['no certificate', { ...authorityPem, certificate: '' }, 'chain-empty'],
    ['no key', { ...authorityPem, privateKey: '' }, 'key-malformed'],
  ]
  for (const [what, pem, code] of refused) await assert.rejects(openCertificateAuthority(pem), { code }, what)
})

test('a key with damage that its public half does not show is refused', async () => {
  const jwk = authority.privateKey.export({ format: 'jwk' })
  const flip = (part = ''): string => part.slice(0, 100) + (part[100] === 'A' ? 'B' : 'A') + part.slice(101)
  const damaged = { ...jwk, d: flip(jwk.d), dp: flip(jwk.dp) }
  const privateKey = exportPrivateKey(createPrivateKey({ key: damaged, format: 'jwk' }))
  await assert.rejects(openCertificateAuthority({ ...authorityPem, privateKey }), { code: 'authority-invalid' })
})
