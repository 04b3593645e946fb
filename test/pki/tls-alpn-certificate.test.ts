import assert from 'node:assert/strict'
import { createHash, createPrivateKey } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { parseChain } from '../../src/pki/certificate.ts'
import { createTlsAlpnCertificate } from '../../src/pki/tls-alpn-certificate.ts'
import { openssl, withoutOpenssl } from './openssl.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const keyAuthorization = 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ'

for (const [name, entry] of [
  ['a.example', 'DNS:a.example'],
  ['192.0.2.1', 'IP Address:192.0.2.1'],
  ['2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
] as const)
  test(`the certificate for ${name} names it alone (RFC 8737 §3, RFC 8738 §6)`, { skip: withoutOpenssl }, async () => {
    const { certificate } = await createTlsAlpnCertificate({ name, keyAuthorization, now: NOW })
    const text = await openssl(['x509', '-in', 'pem', '-text', '-noout'], { pem: certificate })
    assert.match(text, new RegExp(`X509v3 Subject Alternative Name: *\n *${entry}\n`))
    assert.match(text, /1\.3\.6\.1\.5\.5\.7\.1\.31: critical/)
    const verify = [
      'verify',
      '-x509_strict',
      '-ignore_critical',
      '-attime',
      String(NOW / 1000),
      '-CAfile',
      'pem',
      'pem',
    ]
    assert.match(await openssl(verify, { pem: certificate }), /pem: OK/)
  })

test('acmeIdentifier holds the SHA-256 of the key authorization, as an OCTET STRING (RFC 8737 §3)', async () => {
  const { certificate } = await createTlsAlpnCertificate({ name: 'a.example', keyAuthorization, now: NOW })
  const digest = createHash('sha256').update(keyAuthorization).digest('hex')
  // Extension ::= SEQUENCE { 1.3.6.1.5.5.7.1.31, critical TRUE, extnValue OCTET STRING { OCTET STRING { digest } } }
  const expected = `303106082b0601050507011f0101ff04220420${digest}`
  assert.ok(parseChain(certificate)[0].x509.raw.toString('hex').includes(expected))
})

test('the certificate is valid now, and has a P-256 key of its own each time', async () => {
  const make = () => createTlsAlpnCertificate({ name: 'a.example', keyAuthorization, now: NOW })
  const [first, second] = await Promise.all([make(), make()])
  const [certificate] = parseChain(first.certificate)
  assert.equal(certificate.keyKind, 'ecdsa-p256')
  assert.ok(certificate.x509.checkPrivateKey(createPrivateKey(first.privateKey)))
  assert.ok(certificate.notBefore < NOW && NOW < certificate.notAfter)
  assert.notEqual(first.privateKey, second.privateKey)
  assert.notEqual(certificate.serial, parseChain(second.certificate)[0].serial)
})

test('a handshake for acme-tls/1 gets it (RFC 8737 §3)', async () => {
  const { certificate, privateKey } = await createTlsAlpnCertificate({ name: 'a.example', keyAuthorization, now: NOW })
  const server = createServer({ cert: certificate, key: privateKey, ALPNProtocols: ['acme-tls/1'] })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const options = { servername: 'a.example', ALPNProtocols: ['acme-tls/1'], rejectUnauthorized: false }
  const socket = connect({ host: '127.0.0.1', port, ...options })
  await once(socket, 'secureConnect')
  assert.equal(socket.alpnProtocol, 'acme-tls/1')
  assert.ok(socket.getPeerX509Certificate()?.raw.equals(parseChain(certificate)[0].x509.raw))
  socket.destroy()
  server.close()
})

test('there is none for a wildcard or for what is no name', async () => {
  for (const name of ['*.a.example', '', 'a b'])
    await assert.rejects(createTlsAlpnCertificate({ name, keyAuthorization, now: NOW }), { code: 'name-invalid' })
})
