import assert from 'node:assert/strict'
import fileSystem from 'node:fs'
import { mkdir, mkdtemp, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { OwnCertificates } from '../../src/certificates/own-files.ts'
import { unpack } from '../../src/certificates/packed-certificate.ts'
import type { IssuedCertificate } from '../../src/issuers/issuer.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { FakeIssuer } from '../fakes/fake-issuer.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { Machine } from './machine.ts'
import { weakLeaf } from './weak-chain.ts'

const folder = await mkdtemp(join(tmpdir(), 'castellan-own-'))
after(() => rm(folder, { recursive: true, force: true }))

let version = 0

class Site {
  readonly clock = new FakeClock()
  readonly log = new RecordingLog()
  readonly issuer = new FakeIssuer('own', this.clock)
  readonly certificate = join(folder, `${++version}.crt`)
  readonly key = join(folder, `${version}.key`)
  readonly own = new OwnCertificates(
    [{ site: 'a.test', names: ['a.test', 'b.test'], files: [{ certificate: this.certificate, key: this.key }] }],
    this.clock,
    this.log,
  )

  make(...names: string[]): Promise<IssuedCertificate> {
    return this.issuer.issue({ names, keyKind: 'ecdsa-p256' }, new AbortController().signal)
  }

  async write(path: string, text: string): Promise<void> {
    await writeFile(path, text)
    // A change within the clock tick of the file system must be seen in the test as well.
    const at = new Date(1_700_000_000_000 + ++version * 1000)
    await utimes(path, at, at)
  }
}

test('files are served for the site’s names, whatever stands between their blocks', async () => {
  const site = new Site()
  const { chain, privateKey } = await site.make('a.test', 'b.test')
  await site.write(site.certificate, `subject=CN = a.test\r\n${chain}\nissuer=…\n${privateKey}`)
  await site.write(site.key, privateKey)
  assert.equal(await site.own.refresh(), true)
  assert.deepEqual(
    site.own.held.map(({ names }) => names),
    [['a.test', 'b.test']],
  )
  assert.doesNotMatch(unpack(site.own.held[0]!.packed).chain, /PRIVATE KEY|subject/)
  assert.deepEqual(site.own.waiting, [])
  assert.equal(await site.own.refresh(), false)
})

test('files are served as every reader of PEM takes them, however their lines are broken', async () => {
  const site = new Site()
  const { chain, privateKey } = await site.make('a.test', 'b.test')
  await site.write(site.certificate, chain.replaceAll('\n', ' '))
  await site.write(site.key, privateKey)
  assert.equal(await site.own.refresh(), true)
  assert.equal(unpack(site.own.held[0]!.packed).chain, chain)
})

test('files that OpenSSL does not serve replace nothing', async () => {
  const site = new Site()
  const first = await site.make('a.test', 'b.test')
  await site.write(site.certificate, first.chain)
  await site.write(site.key, first.privateKey)
  await site.own.refresh()
  const before = site.own.held
  const weak = await weakLeaf('a.test', 'b.test')
  await site.write(site.certificate, weak.chain)
  await site.write(site.key, weak.privateKey)
  assert.equal(await site.own.refresh(), false)
  assert.deepEqual(site.own.held, before)
  const [entry] = site.log.of('own-certificate-unusable')
  assert.match(entry!.message, /ee key too small\. The former one serves on/)
  assert.doesNotMatch(JSON.stringify(site.log.entries), /-----BEGIN|MII[A-Z]/)
})

test('a pair that is half replaced keeps the former one, and is said once', async () => {
  const site = new Site()
  const first = await site.make('a.test', 'b.test')
  await site.write(site.certificate, first.chain)
  await site.write(site.key, first.privateKey)
  await site.own.refresh()
  const before = site.own.held
  const other = exportPrivateKey((await generateKey('ecdsa-p256')).privateKey)
  await site.write(site.key, other)
  for (let times = 0; times < 3; times++) assert.equal(await site.own.refresh(), false)
  assert.deepEqual(site.own.held, before)
  const errors = site.log.of('own-certificate-unusable')
  assert.equal(errors.length, 1)
  assert.match(errors[0]!.message, /The key is not that of the certificate\. The former one serves on/)
  assert.doesNotMatch(JSON.stringify(site.log.entries), /-----BEGIN/)
})

for (const [fault, damage] of [
  ['no certificate in the file', async (site: Site) => site.write(site.certificate, 'nothing')],
  [
    'a certificate cut short',
    async (site: Site) => site.write(site.certificate, (await site.make('a.test')).chain.slice(0, 300)),
  ],
  ['no key in the file', async (site: Site) => site.write(site.key, 'nothing')],
  ['a file that is gone', async (site: Site) => rm(site.key)],
  ['a folder in place of a file', async (site: Site) => replaceByFolder(site.key)],
  ['a file as large as a disk', async (site: Site) => truncate(site.certificate, 2 ** 30)],
] as const)
  test(`${fault}: said by file, and the names wait until it is put right`, async () => {
    const site = new Site()
    const { chain, privateKey } = await site.make('a.test', 'b.test')
    await site.write(site.certificate, chain)
    await site.write(site.key, privateKey)
    await damage(site)
    assert.equal(await site.own.refresh(), false)
    assert.equal(site.own.held.length, 0)
    assert.match(site.own.waiting[0]!.reason, /must be put right/)
    assert.match(site.log.of('own-certificate-unusable')[0]!.message, new RegExp(site.certificate))
    await rm(site.key, { recursive: true, force: true })
    await site.write(site.certificate, chain)
    await site.write(site.key, privateKey)
    assert.equal(await site.own.refresh(), true)
    assert.deepEqual(site.own.waiting, [])
  })

/** Opening files fails like this, as it does on a machine that has come to its limits. The function given ends it. */
function failOpening(t: TestContext, code: string, path = ''): () => void {
  const { openSync } = fileSystem
  const { mock } = t.mock.method(fileSystem, 'openSync', (...args: Parameters<typeof openSync>) => {
    if (String(args[0]).includes(path)) throw Object.assign(new Error(`${code}: cannot open`), { code })
    return openSync(...args)
  })
  syncBuiltinESMExports()
  const end = (): void => {
    mock.restore()
    syncBuiltinESMExports()
  }
  t.after(end)
  return end
}

for (const which of ['certificate', 'key'] as const)
  test(`the machine’s fault at opening the ${which} is said once, and the same files are read when it is over`, async (t) => {
    const site = new Site()
    const { chain, privateKey } = await site.make('a.test', 'b.test')
    await site.write(site.certificate, chain)
    await site.write(site.key, privateKey)
    const end = failOpening(t, 'EMFILE', site[which])
    for (let times = 0; times < 3; times++) assert.equal(await site.own.refresh(), false)
    const errors = site.log.of('own-certificate-unusable')
    assert.equal(errors.length, 1)
    assert.match(errors[0]!.message, /EMFILE: cannot open\. There is none to serve for it until they can be read/)
    end()
    assert.equal(await site.own.refresh(), true)
    assert.equal(unpack(site.own.held[0]!.packed).chain, chain)
  })

test('new files are read when the machine’s fault is over; until then the former serve', async (t) => {
  const site = new Site()
  const first = await site.make('a.test', 'b.test')
  await site.write(site.certificate, first.chain)
  await site.write(site.key, first.privateKey)
  await site.own.refresh()
  const before = site.own.held
  const second = await site.make('a.test', 'b.test')
  await site.write(site.certificate, second.chain)
  const end = failOpening(t, 'EACCES')
  assert.equal(await site.own.refresh(), false)
  assert.deepEqual(site.own.held, before)
  assert.match(site.log.of('own-certificate-unusable')[0]!.message, /The former one serves on until they can be read/)
  end()
  assert.equal(await site.own.refresh(), true)
  assert.equal(unpack(site.own.held[0]!.packed).chain, second.chain)
})

test('another fault of the machine is said, and so is the same one when it comes back', async (t) => {
  const site = new Site()
  const { chain, privateKey } = await site.make('a.test', 'b.test')
  await site.write(site.certificate, chain)
  await site.write(site.key, privateKey)
  const said = async (): Promise<number> => {
    await site.own.refresh()
    return site.log.of('own-certificate-unusable').length
  }
  const endFirst = failOpening(t, 'EMFILE')
  assert.deepEqual([await said(), await said()], [1, 1])
  endFirst()
  const endSecond = failOpening(t, 'EACCES')
  assert.deepEqual([await said(), await said()], [2, 2])
  endSecond()
  assert.equal(await said(), 2)
  await site.write(site.certificate, chain)
  const endThird = failOpening(t, 'EACCES')
  assert.deepEqual([await said(), await said()], [3, 3])
  endThird()
  assert.equal(await said(), 3)
  await site.write(site.certificate, chain)
  failOpening(t, 'EACCES')
  assert.deepEqual([await said(), await said()], [4, 4])
})

test('files that are gone for a while are missed once each time, though they come back as they were', async () => {
  const site = new Site()
  const inner = join(folder, `${++version}.mounted`)
  await mkdir(inner)
  const [certificate, key] = [join(inner, 'a.crt'), join(inner, 'a.key')]
  const { chain, privateKey } = await site.make('a.test', 'b.test')
  await site.write(certificate, chain)
  await site.write(key, privateKey)
  const files = [{ certificate, key }]
  const own = new OwnCertificates([{ site: 'a.test', names: ['a.test', 'b.test'], files }], site.clock, site.log)
  assert.equal(await own.refresh(), true)
  const before = own.held
  for (const times of [1, 2]) {
    await rename(inner, `${inner}.aside`)
    for (let look = 0; look < 3; look++) assert.equal(await own.refresh(), false)
    assert.equal(site.log.of('own-certificate-unusable').length, times)
    await rename(`${inner}.aside`, inner)
    assert.equal(await own.refresh(), false)
    assert.deepEqual(own.held, before)
  }
})

test('files that are changed and still wrong are said to be so again', async () => {
  const site = new Site()
  await site.write(site.key, 'nothing')
  for (const times of [1, 2]) {
    await site.write(site.certificate, 'nothing')
    for (let look = 0; look < 3; look++) await site.own.refresh()
    assert.equal(site.log.of('own-certificate-unusable').length, times)
  }
})

async function replaceByFolder(path: string): Promise<void> {
  await rm(path)
  await mkdir(path)
}

test('what clients will refuse is served all the same, with a remark', async () => {
  const site = new Site()
  const { chain, privateKey } = await site.make('a.test')
  await site.write(site.certificate, chain)
  await site.write(site.key, privateKey)
  await site.clock.advance(100 * 86_400_000)
  assert.equal(await site.own.refresh(), true)
  assert.match(site.log.of('own-certificate-lacks-names')[0]!.message, /does not cover b\.test/)
  assert.equal(site.log.of('own-certificate-expired').length, 1)
})

test('an intermediate that is added to the chain is served', async () => {
  const site = new Site()
  const { chain: leaf, privateKey } = await site.make('a.test', 'b.test')
  const { chain: intermediate } = await site.make('intermediate.test')
  const chain = `${leaf}${intermediate}`
  await site.write(site.certificate, leaf)
  await site.write(site.key, privateKey)
  await site.own.refresh()
  const [before] = site.own.held
  await site.write(site.certificate, chain)
  assert.equal(await site.own.refresh(), true)
  assert.equal(unpack(site.own.held[0]!.packed).chain, chain)
  assert.notEqual(site.own.held[0]!.id, before!.id)
})

test('each of several certificates serves the names that it covers, and each the name that none does', async () => {
  const { clock, log, make, write } = siteFunctions()
  const files = ['one', 'two'].map((name) => ({
    certificate: join(folder, `${name}.crt`),
    key: join(folder, `${name}.key`),
  }))
  for (const [index, name] of ['a.test', 'b.test'].entries()) {
    const { chain, privateKey } = await make(name)
    await write(files[index]!.certificate, chain)
    await write(files[index]!.key, privateKey)
  }
  const own = new OwnCertificates([{ site: 'a.test', names: ['a.test', 'b.test', 'c.test'], files }], clock, log)
  await own.refresh()
  assert.deepEqual(
    own.held.map(({ names }) => names),
    [
      ['a.test', 'c.test'],
      ['b.test', 'c.test'],
    ],
  )
  for (const { message } of log.of('own-certificate-lacks-names')) assert.match(message, /does not cover c\.test:/)
})

function siteFunctions() {
  const site = new Site()
  return { clock: site.clock, log: site.log, make: site.make.bind(site), write: site.write.bind(site) }
}

test('files that are replaced are served within 10 seconds, and stopping ends the looking', async () => {
  const site = new Site()
  const first = await site.make('a.test', 'b.test')
  await site.write(site.certificate, first.chain)
  await site.write(site.key, first.privateKey)
  const machine = new Machine()
  const { certificate, key } = site
  machine.ownFiles = [{ site: 'a.test', names: ['a.test', 'b.test'], files: [{ certificate, key }] }]
  await machine.start({ names: ['c.test'] })
  assert.equal(unpack(machine.certificates.state.held[0]!.packed).chain, first.chain)
  await machine.untilLogged('certificate-issued')
  const second = await site.make('a.test', 'b.test')
  await site.write(certificate, second.chain)
  await site.write(key, second.privateKey)
  machine.states.length = 0
  await machine.clock.advance(10_000)
  await machine.until(() => machine.states.length > 0)
  assert.ok(machine.states[0]!.held.some(({ packed }) => unpack(packed).chain === second.chain))
  assert.ok(!machine.states[0]!.held.some(({ packed }) => unpack(packed).chain === first.chain))
  await machine.certificates.stop()
  assert.equal(machine.clock.sleeping, 0)
})
