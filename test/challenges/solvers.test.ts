import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { reverseName } from '../../src/challenges/reverse-name.ts'
import { solvers } from '../../src/challenges/solvers.ts'

const task = {
  name: 'a.example',
  token: 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA',
  keyAuthorization: 'evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.nP1qzpXGymHBrUEepNY9HCsQk7K8KhOypzEt62jcerQ',
  now: Date.parse('2026-11-24T12:00:00Z'),
}

test('http-01 answers the key authorization under the token (RFC 8555 §8.3)', async () => {
  const { name, token, keyAuthorization } = task
  assert.deepEqual(await solvers['http-01'](task), { type: 'http-01', name, token, keyAuthorization })
})

test('tls-alpn-01 answers a certificate for the name with the digest of the key authorization (RFC 8737 §3)', async () => {
  const answer = await solvers['tls-alpn-01'](task)
  assert.ok(answer.type === 'tls-alpn-01')
  assert.equal(answer.serverName, 'a.example')
  const certificate = new X509Certificate(answer.certificate)
  assert.equal(certificate.subjectAltName, 'DNS:a.example')
  const digest = createHash('sha256').update(task.keyAuthorization).digest()
  assert.ok(certificate.raw.includes(Buffer.concat([Buffer.from('04220420', 'hex'), digest])))
})

test('for an address, tls-alpn-01 is asked for by the reverse name (RFC 8738 §6)', async () => {
  const answer = await solvers['tls-alpn-01']({ ...task, name: '192.0.2.1' })
  assert.ok(answer.type === 'tls-alpn-01')
  assert.equal(answer.serverName, '1.2.0.192.in-addr.arpa')
  assert.equal(new X509Certificate(answer.certificate).subjectAltName, 'IP Address:192.0.2.1')
})

test('reverse names of IPv6 addresses spell out every nibble (RFC 3596 §2.5)', () => {
  const zeros = (count: number): string => '0.'.repeat(count)
  assert.equal(
    reverseName('4321:0:1:2:3:4:567:89ab'),
    'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa',
  )
  assert.equal(reverseName('2001:db8::1'), `1.${zeros(23)}8.b.d.0.1.0.0.2.ip6.arpa`)
  assert.equal(reverseName('::'), `${zeros(32)}ip6.arpa`)
  assert.equal(reverseName('::1'), `1.${zeros(31)}ip6.arpa`)
  assert.equal(reverseName('fe80::'), `${zeros(28)}0.8.e.f.ip6.arpa`)
})
