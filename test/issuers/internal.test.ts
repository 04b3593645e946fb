import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { type InternalIssuer, openInternalIssuer } from '../../src/issuers/internal.ts'
import type { CertificateRequest } from '../../src/issuers/issuer.ts'
import { type Certificate, checkIssued, parseChain } from '../../src/pki/certificate.ts'
import { createCertificateAuthority } from '../../src/pki/certificate-authority.ts'
import { exportPrivateKey, importPrivateKey } from '../../src/pki/keys.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const AUTHORITY = 'issuers/internal/authority'
const ROOT = 'issuers/internal/root.crt'
const START = Date.parse('2026-11-24T12:00:00Z')
const label = 'Castellan internal CA, gateway'
const request: CertificateRequest = { names: ['a.test', '*.a.test', '127.0.0.1'], keyKind: 'ecdsa-p256' }
const patience = new AbortController().signal

/** One root for all tests that are not about making it. */
const made = await createCertificateAuthority({ label, now: START })
const madePem = made.certificate.x509.toString()
const madeRecord = JSON.stringify({ certificate: madePem, privateKey: exportPrivateKey(made.privateKey) })

type Scene = { storage: MemoryStorage; clock: FakeClock; log: RecordingLog; open: () => Promise<InternalIssuer> }

async function scene(record?: string | Uint8Array, now = START): Promise<Scene> {
  const storage = new MemoryStorage()
  const clock = new FakeClock(now)
  const log = new RecordingLog()
  if (record !== undefined) await storage.put(AUTHORITY, Buffer.from(record))
  return { storage, clock, log, open: () => openInternalIssuer({ storage, clock, log, label }) }
}

async function rootIn(storage: MemoryStorage): Promise<Certificate> {
  return parseChain(String(await storage.get(ROOT)))[0]
}

async function isFromStoredRoot(storage: MemoryStorage, chain: string): Promise<boolean> {
  return parseChain(chain)[0].x509.verify((await rootIn(storage)).publicKey)
}

test('nothing is made or written before the first need', async () => {
  const { storage, log, open } = await scene()
  const issuer = await open()
  assert.equal(issuer.name, 'internal')
  assert.deepEqual(storage.puts, [])
  assert.deepEqual(log.entries, [])
})

test('the first certificate brings a CA, and the log says which file devices must trust', async () => {
  const { storage, log, open } = await scene()
  const { chain, privateKey } = await (await open()).issue(request, patience)
  checkIssued(parseChain(chain), { privateKey: importPrivateKey(privateKey), names: request.names, now: START })
  assert.ok(await isFromStoredRoot(storage, chain))
  const root = await rootIn(storage)
  assert.equal(root.subject, 'CN=Castellan internal CA\\, gateway')
  const [entry, ...others] = log.entries
  assert.equal(entry?.event, 'internal-ca-created')
  assert.match(entry?.message ?? '', /trust memory:issuers\/internal\/root\.crt/)
  assert.equal(entry?.facts.fingerprint, root.fingerprint)
  assert.deepEqual(others, [])
})

test('the certificate stands alone in its chain and is good for thirty days', async () => {
  const { open } = await scene(madeRecord)
  const { chain } = await (await open()).issue(request, patience)
  const [leaf, ...others] = parseChain(chain)
  assert.deepEqual(others, [])
  assert.equal(leaf.notAfter, START + 30 * DAY_MS)
  assert.deepEqual(leaf.names, request.names)
})

for (const keyKind of ['ecdsa-p384', 'rsa-2048'] as const)
  test(`a key of ${keyKind} is made where it is asked for`, async () => {
    const { open } = await scene(madeRecord)
    const { chain, privateKey } = await (await open()).issue({ names: ['::1'], keyKind }, patience)
    const [leaf] = parseChain(chain)
    assert.equal(leaf.keyKind, keyKind)
    assert.ok(leaf.x509.checkPrivateKey(importPrivateKey(privateKey)))
  })

test('a client that trusts the root certificate trusts the server', async () => {
  const { open } = await scene(undefined, Date.now())
  const issuer = await open()
  const { chain, privateKey } = await issuer.issue(request, patience)
  const server = createServer({ cert: chain, key: privateKey }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { pem } = await issuer.rootCertificate()
  const socket = connect({ host: '127.0.0.1', port, servername: 'b.a.test', ca: pem })
  await once(socket, 'secureConnect')
  assert.equal(socket.authorized, true)
  socket.destroy()
  server.close()
})

test('many first needs at once make one CA', async () => {
  const { storage, log, open } = await scene()
  const issuer = await open()
  const issued = await Promise.all(Array.from({ length: 10 }, () => issuer.issue(request, patience)))
  assert.deepEqual(storage.puts, [AUTHORITY, ROOT])
  assert.equal(log.entries.length, 1)
  for (const { chain } of issued) assert.ok(await isFromStoredRoot(storage, chain))
  assert.equal(new Set(issued.map(({ privateKey }) => privateKey)).size, 10)
})

test('a CA in the storage is used again, and nothing is said or written', async () => {
  const { storage, log, open } = await scene()
  const before = await (await open()).rootCertificate()
  const puts = storage.puts.length
  const again = await open()
  assert.deepEqual(await again.rootCertificate(), before)
  assert.ok(await isFromStoredRoot(storage, (await again.issue(request, patience)).chain))
  assert.equal(storage.puts.length, puts)
  assert.equal(log.entries.length, 1)
})

test('the root certificate is where it is said to be', async () => {
  const { storage, open } = await scene()
  const { pem, location } = await (await open()).rootCertificate()
  assert.equal(location, storage.locate(ROOT))
  assert.equal(String(await storage.get(ROOT)), pem)
})

for (const [what, content] of [
  ['missing', undefined],
  ['of another CA', 'something else'],
] as const)
  test(`a root certificate that is ${what} is written anew`, async () => {
    const { storage, open } = await scene(madeRecord)
    if (content !== undefined) await storage.put(ROOT, Buffer.from(content))
    const issuer = await open()
    assert.equal(String(await storage.get(ROOT)), madePem)
    await storage.delete(ROOT)
    await issuer.rootCertificate()
    assert.equal(String(await storage.get(ROOT)), madePem)
  })

const { certificate, privateKey } = JSON.parse(madeRecord) as { certificate: string; privateKey: string }
const stranger = await createCertificateAuthority({ label, now: START })
for (const [what, record] of [
  ['empty', ''],
  ['cut off', madeRecord.slice(0, madeRecord.length - 100)],
  ['zeros', Buffer.alloc(4096)],
  ['null', 'null'],
  ['of other fields', JSON.stringify({ certificate, key: privateKey })],
  ['of numbers', JSON.stringify({ certificate: 1, privateKey: 2 })],
  [
    'a certificate with the key of another',
    JSON.stringify({ certificate: stranger.certificate.x509.toString(), privateKey }),
  ],
  ['a cut certificate', JSON.stringify({ certificate: certificate.slice(0, 500), privateKey })],
  ['a cut key', JSON.stringify({ certificate, privateKey: privateKey.slice(0, 500) })],
] as const)
  test(`a damaged CA (${what}) is set aside, reported and replaced`, async () => {
    const { storage, log, open } = await scene(record)
    await storage.put(ROOT, Buffer.from(madePem))
    const issuer = await open()
    const [[place, kept] = []] = [...storage.aside]
    assert.deepEqual(kept, Buffer.from(record))
    const [damaged, created] = log.entries
    assert.equal(damaged?.level, 'error')
    assert.equal(damaged?.event, 'internal-ca-damaged')
    for (const words of [storage.locate(AUTHORITY), String(place), storage.locate(ROOT)])
      assert.ok(damaged?.message.includes(words), damaged?.message)
    assert.equal(created?.event, 'internal-ca-created')
    assert.ok(!JSON.stringify(log.entries).includes(privateKey.slice(60, 90)))
    assert.notEqual((await rootIn(storage)).fingerprint, made.certificate.fingerprint)
    assert.ok(await isFromStoredRoot(storage, (await issuer.issue(request, patience)).chain))
  })

test('a root in its last day is set aside, reported and replaced, at the start', async () => {
  const { storage, log, open } = await scene(madeRecord, made.certificate.notAfter - DAY_MS + 1)
  await open()
  assert.equal(storage.aside.size, 1)
  assert.deepEqual(
    log.entries.map(({ level, event }) => [level, event]),
    [
      ['error', 'internal-ca-expired'],
      ['info', 'internal-ca-created'],
    ],
  )
  assert.ok(log.entries[0]?.message.includes(storage.locate(ROOT)))
  assert.notEqual((await rootIn(storage)).fingerprint, made.certificate.fingerprint)
})

test('a root that comes to its end while Castellan runs is replaced once, at the next need', async () => {
  const { storage, clock, log, open } = await scene(madeRecord)
  const issuer = await open()
  await clock.advance(made.certificate.notAfter - START)
  const issued = await Promise.all([issuer.issue(request, patience), issuer.issue(request, patience)])
  assert.equal(storage.aside.size, 1)
  assert.equal(log.of('internal-ca-expired').length, 1)
  for (const { chain } of issued) {
    assert.ok(await isFromStoredRoot(storage, chain))
    assert.equal(parseChain(chain)[0].notAfter, clock.now() + 30 * DAY_MS)
  }
})

test('no certificate outlives the root', async () => {
  const { storage, open } = await scene(madeRecord, made.certificate.notAfter - 10 * DAY_MS)
  const { chain } = await (await open()).issue(request, patience)
  assert.equal(parseChain(chain)[0].notAfter, made.certificate.notAfter)
  assert.equal(storage.aside.size, 0)
})

test('a root with less than a year left is warned of once a day', async () => {
  const { clock, log, open } = await scene(madeRecord, made.certificate.notAfter - 365 * DAY_MS)
  const issuer = await open()
  await issuer.issue(request, patience)
  assert.deepEqual(log.entries, [])
  await clock.advance(1000)
  await issuer.issue(request, patience)
  await issuer.issue(request, patience)
  assert.deepEqual(
    log.entries.map(({ level, event }) => [level, event]),
    [['warn', 'internal-ca-expires']],
  )
  await clock.advance(DAY_MS)
  await issuer.issue(request, patience)
  assert.equal(log.of('internal-ca-expires').length, 2)
})

test('a root that begins in the future is kept, and said once a day to be of no use until then', async () => {
  const { storage, clock, log, open } = await scene(madeRecord, made.certificate.notBefore - 2 * 60 * 60 * 1000)
  const issuer = await open()
  await issuer.issue(request, patience)
  assert.deepEqual(
    log.entries.map(({ level, event }) => [level, event]),
    [['error', 'internal-ca-not-yet-valid']],
  )
  assert.match(log.entries[0]!.message, /begins at 2026-11-24T11:55 UTC.*clock/)
  assert.ok(log.entries[0]!.message.includes(storage.locate(AUTHORITY)))
  await clock.advance(2 * 60 * 60 * 1000)
  await (await open()).issue(request, patience)
  assert.equal(log.entries.length, 1)
  assert.equal(storage.aside.size, 0)
})

test('a clock that is set back silences no warning', async () => {
  const { storage, log } = await scene(madeRecord)
  let now = made.certificate.notAfter - 30 * DAY_MS
  const clock = { now: () => now, sleep: async () => {} }
  const issuer = await openInternalIssuer({ storage, clock, log, label })
  now -= 300 * DAY_MS
  await issuer.issue(request, patience)
  assert.equal(log.of('internal-ca-expires').length, 2)
})

test('a CA that could not be stored is not used, and the next need tries again', async () => {
  const { storage, open } = await scene()
  const issuer = await open()
  storage.fails = (operation) => operation === 'put'
  await assert.rejects(issuer.issue(request, patience), { code: 'storage-unwritable' })
  storage.fails = () => false
  assert.ok(await isFromStoredRoot(storage, (await issuer.issue(request, patience)).chain))
})

test('a storage that cannot be read is no damaged CA: nothing is set aside or replaced', async () => {
  const { storage, log, open } = await scene(madeRecord)
  storage.fails = (operation, key) => operation === 'get' && key === AUTHORITY
  await assert.rejects(open(), { code: 'storage-unreadable' })
  storage.fails = () => false
  assert.equal(String(await storage.get(AUTHORITY)), madeRecord)
  assert.deepEqual(log.entries, [])
})

test('a damaged CA that cannot be set aside is not overwritten', async () => {
  const { storage, open } = await scene('damaged')
  storage.fails = (operation) => operation === 'setAside'
  await assert.rejects(open(), { code: 'storage-unwritable' })
  assert.equal(String(await storage.get(AUTHORITY)), 'damaged')
})

test('a sound CA signs on while its root certificate cannot be written', async () => {
  const { storage, log, open } = await scene(madeRecord)
  storage.fails = (operation) => operation === 'put'
  const issuer = await open()
  const { chain } = await issuer.issue(request, patience)
  assert.ok(parseChain(chain)[0].x509.verify(made.certificate.publicKey))
  assert.equal(log.of('internal-root-unwritten')[0]?.level, 'warn')
})

test('an abort ends the work, before it begins and while a key is made', async () => {
  const { open } = await scene(madeRecord)
  const issuer = await open()
  const reason = new Error('shutting down')
  await assert.rejects(issuer.issue(request, AbortSignal.abort(reason)), reason)
  const controller = new AbortController()
  const issuing = issuer.issue({ ...request, keyKind: 'rsa-2048' }, controller.signal)
  controller.abort(reason)
  await assert.rejects(issuing, reason)
})

test("one caller's abort does not take the new CA from the others", async () => {
  const { storage, open } = await scene()
  const issuer = await open()
  const controller = new AbortController()
  const aborted = assert.rejects(issuer.issue(request, controller.signal), { name: 'AbortError' })
  const other = issuer.issue(request, patience)
  controller.abort()
  await aborted
  assert.ok(await isFromStoredRoot(storage, (await other).chain))
})

test('what is no name is refused', async () => {
  const { open } = await scene(madeRecord)
  const issuer = await open()
  await assert.rejects(issuer.issue({ names: ['a b'], keyKind: 'ecdsa-p256' }, patience), { code: 'name-invalid' })
})
