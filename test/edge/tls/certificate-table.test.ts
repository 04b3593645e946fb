import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClientHello } from '../../../src/edge/client-hello/client-hello.ts'
import type { CertificateSnapshot } from '../../../src/edge/snapshot.ts'
import { CertificateTable, type Choice } from '../../../src/edge/tls/certificate-table.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'
import { certificate } from './served.ts'

const TLS_1_3 = 0x0304
const TLS_1_2 = 0x0303
const P256_SHA256 = 0x0403
const P384_SHA384 = 0x0503
const RSA_PKCS1_SHA1 = 0x0201
const RSA_PKCS1_SHA256 = 0x0401
const RSA_PSS_SHA256 = 0x0804
const ECDHE_ECDSA = 0xc02b
const ECDHE_RSA = 0xc02f
const [P256, P384, X25519] = [23, 24, 29]

/** A client of today, but for what is said otherwise. */
function hello(differences: Partial<ClientHello> = {}): ClientHello {
  return {
    serverName: 'a.test',
    versions: [TLS_1_3, TLS_1_2],
    cipherSuites: [0x1301, ECDHE_ECDSA, ECDHE_RSA],
    signatureAlgorithms: [P256_SHA256, P384_SHA384, RSA_PSS_SHA256, RSA_PKCS1_SHA256],
    supportedGroups: [X25519, P256, P384],
    protocols: [],
    wantsStaple: false,
    ticket: undefined,
    ...differences,
  }
}

function tableOf(...certificates: readonly CertificateSnapshot[]): CertificateTable {
  const table = new CertificateTable(new RecordingLog())
  for (const each of certificates) table.put(each)
  return table
}

const said = (choice: Choice): string => (choice.type === 'certificate' ? choice.certificate.id : choice.type)

const [p256, p384, rsa2048, rsa3072] = await Promise.all([
  certificate('ecdsa-p256', 'a.test'),
  certificate('ecdsa-p384', 'a.test'),
  certificate('rsa-2048', 'a.test'),
  certificate('rsa-3072', 'a.test'),
])

test('ECDSA goes before RSA, and the smaller key before the larger, in whatever order they come', () => {
  const best = [p256, p384, rsa2048, rsa3072]
  for (let from = 0; from < best.length; from++) {
    const rest = best.slice(from)
    assert.equal(said(tableOf(...rest).choose('a.test', hello())), rest[0]!.id)
    assert.equal(said(tableOf(...rest.reverse()).choose('a.test', hello())), best[from]!.id)
  }
})

const only12 = { versions: [TLS_1_2] }
for (const [who, differences, expected] of [
  ['TLS 1.3 with P-256', { signatureAlgorithms: [P256_SHA256] }, p256.id],
  ['TLS 1.3 with P-384 only: the scheme names the curve', { signatureAlgorithms: [P384_SHA384] }, p384.id],
  ['TLS 1.3 with RSA-PSS', { signatureAlgorithms: [RSA_PSS_SHA256] }, rsa2048.id],
  [
    'TLS 1.3 with PKCS #1 only, which it no longer signs with',
    { signatureAlgorithms: [RSA_PKCS1_SHA256] },
    'unverifiable',
  ],
  ['TLS 1.3 without signature_algorithms', { signatureAlgorithms: undefined }, 'unverifiable'],
  ['TLS 1.3, without groups of the certificates', { supportedGroups: [X25519] }, p256.id],
  ['TLS 1.3 and 1.2: the rules of 1.3', { cipherSuites: [0x1301, ECDHE_RSA] }, p256.id],
  ['TLS 1.2 with everything', only12, p256.id],
  ['TLS 1.2 with ECDSA by SHA-384 only: any curve', { ...only12, signatureAlgorithms: [P384_SHA384] }, p256.id],
  ['TLS 1.2 without P-256', { ...only12, supportedGroups: [X25519, P384] }, p384.id],
  ['TLS 1.2 without a curve of ours', { ...only12, supportedGroups: [X25519] }, rsa2048.id],
  ['TLS 1.2 that says nothing of groups', { ...only12, supportedGroups: undefined }, p256.id],
  ['TLS 1.2 with suites for RSA only', { ...only12, cipherSuites: [ECDHE_RSA] }, rsa2048.id],
  ['TLS 1.2 with algorithms for RSA only', { ...only12, signatureAlgorithms: [RSA_PKCS1_SHA256] }, rsa2048.id],
  ['TLS 1.2 with RSA-PSS only', { ...only12, signatureAlgorithms: [RSA_PSS_SHA256] }, rsa2048.id],
  [
    'TLS 1.2 without signature_algorithms: its suites decide',
    { ...only12, signatureAlgorithms: undefined, cipherSuites: [ECDHE_RSA] },
    rsa2048.id,
  ],
  ['TLS 1.2 with SHA-1 only', { ...only12, signatureAlgorithms: [RSA_PKCS1_SHA1] }, 'unverifiable'],
  ['TLS 1.2 with RSA key exchange only', { ...only12, cipherSuites: [0x009c] }, 'unverifiable'],
  ['TLS 1.2 with DHE only', { ...only12, cipherSuites: [0x009e] }, 'unverifiable'],
  [
    'TLS 1.2 with suites for ECDSA and algorithms for RSA',
    { ...only12, cipherSuites: [ECDHE_ECDSA], signatureAlgorithms: [RSA_PKCS1_SHA256] },
    'unverifiable',
  ],
] as const)
  test(`what it can verify: ${who}`, () => {
    assert.equal(said(tableOf(rsa3072, rsa2048, p384, p256).choose('a.test', hello(differences))), expected)
  })

test('an exact name goes before a wildcard, which stands for one label and serves whom the exact one cannot', async () => {
  const exact = await certificate('ecdsa-p256', 'x.a.test')
  const wildcard = await certificate('rsa-2048', '*.a.test')
  const table = tableOf(wildcard, exact)
  const rsaOnly = hello({ signatureAlgorithms: [RSA_PSS_SHA256] })
  assert.deepEqual(
    [
      said(table.choose('x.a.test', hello())),
      said(table.choose('y.a.test', hello())),
      said(table.choose('x.a.test', rsaOnly)),
      said(table.choose('x.y.a.test', hello())),
      said(table.choose('a.test', hello())),
    ],
    [exact.id, wildcard.id, wildcard.id, 'unknown-name', 'unknown-name'],
  )
})

test('names that objects have are names like others', () => {
  const table = tableOf(p256)
  for (const name of ['__proto__', 'constructor', 'tostring', 'hasownproperty'])
    assert.equal(said(table.choose(name, hello())), 'unknown-name')
})

test('one is put once, and when one goes the others of its names stay', () => {
  const table = tableOf(p256, rsa2048)
  const successor = { ...p256, id: 'successor' }
  for (const each of [successor, { ...rsa2048 }]) table.put(each)
  table.remove(p256.id)
  assert.equal(said(table.choose('a.test', hello())), 'successor')
  table.remove('successor')
  assert.equal(said(table.choose('a.test', hello())), rsa2048.id)
  table.remove(rsa2048.id)
  table.remove(rsa2048.id)
  assert.deepEqual([said(table.choose('a.test', hello())), table.has('a.test')], ['unknown-name', false])
})

test('certificates of no use are none, and said to be so once each', () => {
  const log = new RecordingLog()
  const table = new CertificateTable(log)
  table.put({ ...p256, id: 'strange', names: ['s.test'], key: 'brainpoolP256r1' })
  table.put(p256)
  for (let times = 0; times < 3; times++) table.markUnusable(p256.id, 'it is damaged')
  assert.deepEqual([said(table.choose('a.test', hello())), table.has('a.test')], ['unknown-name', false])
  assert.equal(said(table.choose('s.test', hello())), 'unknown-name')
  assert.deepEqual(
    log.entries.map(({ level, event, facts }) => [level, event, facts.names]),
    [
      ['error', 'certificate-unusable', ['s.test']],
      ['error', 'certificate-unusable', ['a.test']],
    ],
  )
  table.put(rsa2048)
  assert.equal(said(table.choose('a.test', hello())), rsa2048.id)
})
