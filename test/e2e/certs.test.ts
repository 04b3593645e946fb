import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Ledger } from '../../src/certificates/ledger/ledger.ts'
import { openFileStorage } from '../../src/storage/file.ts'
import { systemClock } from '../../src/system/clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'
import { sClient } from './s-client.ts'

// "castellan certs" as an operator uses it, over the program that runs and on what it leaves behind.

const REDIRECT = 'redirectTo: "https://b.example"'

async function makePlaceFor(t: TestContext, config: string): Promise<Place> {
  const place = await makePlace()
  t.after(() => place.remove())
  await place.configure(config)
  return place
}

async function certs(place: Place, ...args: string[]): Promise<{ code: number | null; text: string }> {
  const command = new Castellan(place.folder, ['certs', ...args])
  const { code } = await command.exited
  return { code, text: command.text + command.lines.map((line) => JSON.stringify(line)).join('\n') }
}

/** What it prints for programs. */
async function certsJson(place: Place, ...args: string[]) {
  const command = new Castellan(place.folder, ['certs', ...args, '--json'])
  const { code } = await command.exited
  assert.equal(command.lines.length, 1, command.text)
  // biome-ignore lint/suspicious/noExplicitAny: what a program gets, with no types
  return { code, ...(command.lines[0] as any) }
}

async function limits(place: Place): Promise<string> {
  const command = new Castellan(place.folder, ['limits'])
  assert.equal((await command.exited).code, 0)
  return command.text
}

async function run(t: TestContext, place: Place, issued: number): Promise<Castellan> {
  const castellan = new Castellan(place.folder)
  t.after(() => castellan.stop())
  await castellan.until('certificate-issued', issued)
  await castellan.until('serving')
  return castellan
}

test('list, show, plan and renew over the running program; then the same from the storage', {
  skip: missing('openssl'),
}, async (t) => {
  const place = await makePlaceFor(t, `sites: { a.test: { aliases: [www.a.test], ${REDIRECT} } }`)
  const castellan = await run(t, place, 2)
  assert.equal((await stat(join(place.folder, 'data/control.sock'))).mode & 0o777, 0o600)

  const list = await certs(place, 'list')
  assert.equal(list.code, 0)
  assert.match(
    list.text,
    /^NAME +KEY +ISSUER +GOOD UNTIL +NEXT STEP\na\.test \+1 +ecdsa-p256 +internal +\S+ \(30 days\) +renew \S+\n/,
  )
  const { running, certificates } = await certsJson(place, 'show', 'www.a.test')
  assert.equal(running, true)
  assert.deepEqual(certificates[0].names, ['a.test', 'www.a.test'])
  const { chain } = await sClient(place.httpsPort, ['-servername', 'a.test'])
  const served = chain[0]!.fingerprint256.replaceAll(':', '').toLowerCase()
  assert.equal(certificates[0].held.fingerprint, served)
  assert.match((await certs(place, 'plan')).text, /renew +\S+ \S+ +about a third of its lifetime is left/)

  const renewed = await certs(place, 'renew', 'a.test')
  assert.equal(renewed.code, 0)
  assert.match(renewed.text, /^a\.test \(rsa-2048\): got one from internal, good until /m)
  assert.equal((await castellan.until('certificate-renewed', 2)).length, 2)
  assert.match(castellan.of('asked-by-hand')[0]!.message, /renew a\.test/)
  const { chain: after } = await sClient(place.httpsPort, ['-servername', 'a.test'])
  assert.notEqual(after[0]!.serialNumber, chain[0]!.serialNumber)

  const { spread } = await certsJson(place, 'spread')
  assert.equal(spread.renewals, 2)
  assert.match(castellan.of('asked-by-hand')[1]!.message, /spread out renewals/)
  assert.match(await limits(place), /^Nothing was spent of any rate limit that is known\.$/m)

  const before = await certsJson(place, 'list')
  assert.equal(await castellan.stop(), 0)
  assert.deepEqual(
    (await readdir(join(place.folder, 'data'))).filter((name) => name.startsWith('control')),
    [],
  )
  const at = await certsJson(place, 'list')
  assert.deepEqual({ ...at, running: true }, before)
  assert.equal(at.running, false)
  assert.match(
    (await certs(place, 'list')).text,
    /No Castellan is running with the storage .*: this is what the storage holds\./,
  )
  for (const args of [['renew', 'a.test'], ['retry', '--all'], ['spread']]) {
    const { code, text } = await certs(place, ...args)
    assert.equal(code, 1)
    assert.match(text, /so there is none to do it/)
  }
})

test('what is left of rate limits is known from the storage too', async (t) => {
  const place = await makePlaceFor(t, `sites: { a.test: { ${REDIRECT} } }`)
  const log = new RecordingLog()
  const storage = await openFileStorage({ folder: join(place.folder, 'data'), clock: systemClock, log })
  const ledger = new Ledger({ storage, clock: systemClock, log })
  const authority = 'https://acme-v02.api.letsencrypt.org/directory'
  const order = { authority, account: 'x', needsAccount: false, names: ['www.example.com'] }
  ledger.limits
    .charge({ ...order, isSuggested: false, isRenewal: false }, systemClock.now())
    .close(true, systemClock.now())
  await ledger.save()
  await storage.close()
  const text = await limits(place)
  assert.match(text, /^letsencrypt +4 +\S+ \S+ +5 certificates for exactly www\.example\.com in 7 days$/m)
  assert.match(text, /^letsencrypt +49 +\S+ \S+ +50 certificates of example\.com in 7 days$/m)
})

test('where nothing was ever stored, looking leaves no trace', async (t) => {
  const place = await makePlaceFor(t, `sites: { a.test: { ${REDIRECT} } }`)
  const { code, text } = await certs(place, 'list')
  assert.equal(code, 0)
  assert.match(text, /a\.test +ecdsa-p256 +internal +none yet +order now/)
  assert.deepEqual(await readdir(place.folder), ['castellan.yaml'])
})

test('export writes what is served, the key for its owner alone, with and without the program', async (t) => {
  const place = await makePlaceFor(t, `sites: { a.test: { ${REDIRECT} } }`)
  const castellan = await run(t, place, 2)
  const exported = async (folder: string): Promise<string[]> => {
    assert.equal((await certs(place, 'export', 'a.test', '--to', folder)).code, 0)
    const files = await readdir(join(place.folder, folder))
    assert.deepEqual(files.sort(), [
      'a.test.ecdsa-p256.crt',
      'a.test.ecdsa-p256.key',
      'a.test.rsa-2048.crt',
      'a.test.rsa-2048.key',
    ])
    for (const file of files.filter((name) => name.endsWith('.key')))
      assert.equal((await stat(join(place.folder, folder, file))).mode & 0o777, 0o600)
    return Promise.all(files.map((file) => readFile(join(place.folder, folder, file), 'utf8')))
  }
  const running = await exported('out')
  assert.ok(new X509Certificate(running[0]!).checkPrivateKey(createPrivateKey(running[1] ?? '')))
  await castellan.stop()
  assert.deepEqual(await exported('again'), running)
  // An older copy with a mode of its own is replaced, and not written into.
  await writeFile(join(place.folder, 'again/a.test.rsa-2048.key'), 'old', { mode: 0o644 })
  assert.deepEqual(await exported('again'), running)
  await writeFile(join(place.folder, 'file'), '')
  const { code, text } = await certs(place, 'export', 'a.test', '--to', 'file')
  assert.equal(code, 1)
  assert.match(text, /^castellan: .*cannot be written/m)
})

test('wrong names and wrong uses are told with what was meant', async (t) => {
  const place = await makePlaceFor(t, `sites: { shop.test: { ${REDIRECT} } }`)
  await run(t, place, 2)
  for (const args of [
    ['show', 'shpo.test'],
    ['retry', 'shpo.test'],
    ['renew', 'shpo.test'],
    ['export', 'shpo.test', '--to', 'x'],
  ]) {
    const { code, text } = await certs(place, ...args)
    assert.equal(code, 1, args.join(' '))
    assert.equal(text, 'castellan: No certificate is wanted for "shpo.test"; did you mean "shop.test"?\n')
  }
  for (const [args, message] of [
    [['lsit'], /did you mean "list"\?/],
    [[], /there are list, show, plan, retry, renew, spread, revoke, import, export/],
    [['show'], /needs a name; usage: castellan certs show NAME/],
    [['list', '--jsn'], /Unknown option '--jsn'; usage: castellan certs list/],
  ] as const) {
    const { code, text } = await certs(place, ...args)
    assert.equal(code, 2)
    assert.match(text, message)
  }
  const { code, text } = await certs(place, 'list', '--config', 'none.yaml')
  assert.equal(code, 1)
  assert.match(text, /^castellan: the config has a problem:\n {2}none\.yaml/)
})

test('a killed program’s socket is no hindrance, nor is a storage whose path is too long for one', async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  const deep = join('a'.repeat(60), 'b'.repeat(60))
  await mkdir(join(place.folder, deep), { recursive: true })
  for (const storage of ['data', deep]) {
    const config = `storage: ./${storage}
listen: { https: "127.0.0.1:${place.httpsPort}", http: "127.0.0.1:${place.httpPort}" }
log: { format: json }
sites: { a.test: { ${REDIRECT} } }
`
    await writeFile(join(place.folder, 'castellan.yaml'), config)
    const killed = new Castellan(place.folder)
    await killed.until('certificate-issued', 2)
    await killed.stop('SIGKILL')
    assert.equal((await certsJson(place, 'list')).running, false)
    const again = new Castellan(place.folder)
    await again.until('serving')
    assert.equal((await certsJson(place, 'list')).running, true, storage)
    assert.equal(await again.stop(), 0)
    assert.deepEqual(
      (await readdir(join(place.folder, storage))).filter((name) => name.startsWith('control')),
      [],
    )
  }
})

test('after a failure that an operator has put right, a retry gets the certificates at once', {
  skip: missing('pebble') || missing('openssl'),
}, async (t) => {
  const place = await makePlace()
  const pebble = await startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort })
  t.after(async () => {
    await pebble.stop()
    await place.remove()
  })
  await place.configure(
    `acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
sites: { a.test: { ${REDIRECT}, issuer: pebble } }
`,
  )
  await pebble.pause()
  const castellan = new Castellan(place.folder)
  t.after(() => castellan.stop())
  await castellan.until('ca-out-of-order')
  await castellan.until('serving')
  assert.match(
    (await certs(place, 'list')).text,
    /none yet[\s\S]* {4}waits for the CA: pebble is out of order since [\s\S]*ECONNREFUSED/,
  )
  const again = await certs(place, 'retry', 'a.test')
  assert.equal(again.code, 1)
  assert.match(again.text, /^a\.test \(rsa-2048\): failed\. pebble: .*The next try is at /m)

  await pebble.restart()
  const began = Date.now()
  const { code, outcomes } = await certsJson(place, 'retry', '--all')
  assert.equal(code, 0)
  assert.deepEqual(outcomes.map(({ keyKind, status }: Record<string, string>) => `${keyKind} ${status}`).sort(), [
    'ecdsa-p256 obtained',
    'rsa-2048 obtained',
  ])
  assert.ok(Date.now() - began < 50_000, 'long before the next try by itself')
  assert.match((await certs(place, 'retry', '--all')).text, /^Nothing waits to be tried again\.$/m)
  const { chain } = await sClient(place.httpsPort, ['-servername', 'a.test'])
  assert.ok(chain[0]?.checkHost('a.test'))
  const { text } = await certs(place, 'show', 'a.test')
  assert.match(text, /^chain +CN=Pebble Intermediate/m)
  assert.doesNotMatch(text, /failed|waits/)
})
