import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ImportError, type ImportSurroundings, readImports } from '../../src/certificates/import.ts'
import { wantedCertificates } from '../../src/certificates/wanted.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { importPrivateKey, publicKeyFingerprint } from '../../src/pki/keys.ts'
import { StapledAuthority } from '../pki/stapled-authority.ts'
import { DAY, Machine } from './machine.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const times = { notBefore: NOW - 30 * DAY, notAfter: NOW + 60 * DAY }
const ca = await StapledAuthority.create(times)

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'castellan-import-'))
})
after(() => rm(folder, { recursive: true, force: true }))

let count = 0
async function write(text: string): Promise<string> {
  const path = join(folder, `${count++}.pem`)
  await writeFile(path, text)
  return path
}

const make = (names: readonly string[], keyKind: KeyKind = 'ecdsa-p256', changes = {}) =>
  ca.issue({ names, keyKind, ...times, ...changes })

function surroundings(names: readonly string[], changes: Partial<ImportSurroundings> = {}): ImportSurroundings {
  const site = { site: names[0]!, names, keys: ['ecdsa-p256', 'rsa-2048'] as const, grouping: 'perSite' as const }
  return {
    wanted: wantedCertificates([{ ...site, mustStaple: false, issuersFor: () => ['ca', 'second'] }]),
    issuers: new Map([['ca', { name: 'ca', authority: 'https://ca.test/dir', settings: '' }]]),
    accountKeys: new Set(),
    now: NOW,
    ...changes,
  }
}

async function refuses(files: readonly string[], around: ImportSurroundings, code: string, message: RegExp) {
  assert.throws(
    () => readImports(files, around),
    (error: ImportError) => {
      assert.ok(error instanceof ImportError)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /PRIVATE KEY/)
      return true
    },
  )
}

test('certificates find their keys and what they are wanted for, in whatever files they are', async () => {
  const [ecdsa, rsa] = [await make(['a.test', '*.a.test']), await make(['a.test', 'www.a.test'], 'rsa-2048')]
  const files = [
    await write(`what openssl says\n${ecdsa.chain}and more\n`),
    await write(ecdsa.privateKey),
    await write(rsa.privateKey + rsa.chain),
  ]
  const imported = readImports(files, surroundings(['a.test', 'www.a.test']))
  assert.deepEqual(
    imported.map(({ wanted, stored }) => [wanted.keyKind, stored.issuer, stored.authority, stored.obtainedAt]),
    [
      ['ecdsa-p256', 'ca', 'https://ca.test/dir', times.notBefore],
      ['rsa-2048', 'ca', 'https://ca.test/dir', times.notBefore],
    ],
  )
  assert.deepEqual(imported[0]!.stored.names, ['a.test', 'www.a.test'])
})

test('what is not wanted, or not usable, is told why, and nothing is taken over', async () => {
  const good = await make(['a.test'])
  const pair = await write(good.chain + good.privateKey)
  const other = await make(['a.test'], 'rsa-2048')
  const around = surroundings(['a.test'])
  await refuses([pair, await write('nothing')], around, 'import-unreadable', /neither a certificate nor a private key/)
  await refuses([pair, join(folder, 'none')], around, 'import-unreadable', /none cannot be imported: ENOENT/)
  await refuses(
    [await write(good.chain)],
    around,
    'import-unpaired',
    /no file has the private key of its certificate for a\.test/,
  )
  await refuses(
    [pair, await write(other.privateKey)],
    around,
    'import-unpaired',
    /no file has a certificate for its private key/,
  )
  await refuses([pair], surroundings(['b.test']), 'import-unwanted', /is not wanted: no site has a\.test/)
  await refuses([pair], surroundings(['a.test', 'b.test']), 'import-unwanted', /this lacks b\.test/)
  const large = await make(['a.test'], 'rsa-3072')
  await refuses(
    [await write(large.chain + large.privateKey)],
    around,
    'import-unwanted',
    /its key is rsa-3072, and a\.test is to have ecdsa-p256, rsa-2048/,
  )
  const old = await make(['a.test'], 'ecdsa-p256', { notAfter: NOW - DAY })
  await refuses([await write(old.chain + old.privateKey)], around, 'import-unusable', /expired/)
})

test('an account’s key is refused as a certificate’s (RFC 8555 §11.1)', async () => {
  const { chain, privateKey } = await make(['a.test'])
  const accountKeys = new Set([publicKeyFingerprint(importPrivateKey(privateKey))])
  await refuses(
    [await write(chain + privateKey)],
    surroundings(['a.test'], { accountKeys }),
    'import-unusable',
    /ACME account/,
  )
})

test('what is imported serves at once, over a restart too, and is renewed in its time', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  const { chain, privateKey } = await make(['a.test'])
  const [asked] = await machine.certificates.import([await write(chain + privateKey)])
  assert.deepEqual(await asked!.outcome, { status: 'obtained', issuer: 'ca', notAfter: times.notAfter })
  assert.equal(machine.certificates.state.held.length, 1)
  assert.equal(machine.log.of('certificate-imported').length, 1)
  await machine.certificates.stop()
  machine.ca.recover()
  await machine.start()
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.live(20 * DAY)
  assert.equal(machine.ca.requests.length, 1)
  await machine.live(15 * DAY)
  assert.equal(machine.log.of('certificate-renewed').length, 1)
  assert.equal(machine.ca.requests.at(-1)!.predecessor?.notAfter, times.notAfter)
  await machine.certificates.stop()
})

test('what is being ordered at that moment is not replaced', async () => {
  const machine = new Machine()
  const gate = Promise.withResolvers<void>()
  machine.ca.before = () => gate.promise
  await machine.start()
  await machine.untilLogged('certificate-requested')
  const { chain, privateKey } = await make(['a.test'])
  await assert.rejects(machine.certificates.import([await write(chain + privateKey)]), { code: 'import-busy' })
  gate.resolve()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
})

test('nothing is ordered for what is being imported, whatever is asked for meanwhile, and the program stops after it', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  machine.ca.recover()
  const put = machine.storage.put.bind(machine.storage)
  const gate = Promise.withResolvers<void>()
  machine.storage.put = async (key, value) => {
    if (key.startsWith('certificates/')) await gate.promise
    return put(key, value)
  }
  const { chain, privateKey } = await make(['a.test'])
  const importing = machine.certificates.import([await write(chain + privateKey)])
  await machine.until(() => machine.certificates.report()[0]!.orderedSince !== undefined)
  const [asked] = await machine.certificates.retry({ name: 'a.test' })
  await machine.clock.advance(DAY)
  assert.equal(machine.ca.requests.length, 1)
  const stopped = machine.certificates.stop().then(() => machine.storage.close())
  gate.resolve()
  assert.equal((await importing).length, 1)
  await stopped
  assert.equal((await asked!.outcome).status, 'stopped')
  assert.equal(machine.certificates.state.held.length, 1)
  assert.deepEqual(machine.log.of('certificate-not-stored'), [])
})
