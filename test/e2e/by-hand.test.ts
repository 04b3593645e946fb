import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { makePair } from '../config/pem-pair.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { type Pebble, startPebble } from './peers/pebble.ts'
import { sClient } from './s-client.ts'

// What an operator does by hand with accounts and certificates, at the real program and Let's Encrypt's test server.

const skip = missing('pebble') || missing('pebble-challtestsrv') || missing('openssl')

async function command(place: Place, ...args: string[]) {
  const run = new Castellan(place.folder, args)
  const { code } = await run.exited
  // biome-ignore lint/suspicious/noExplicitAny: what a program gets, with no types
  return { code, text: run.text, json: run.lines[0] as any }
}

async function startAt(t: TestContext): Promise<{ place: Place; pebble: Pebble; castellan: Castellan }> {
  const place = await makePlace()
  const pebble = await startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort })
  await place.configure(`contact: ops@example.com
acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
sites: { a.test: { redirectTo: "https://b.example", issuer: pebble } }
`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await pebble.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  return { place, pebble, castellan }
}

async function served(place: Place) {
  const { chain } = await sClient(place.httpsPort, ['-servername', 'a.test'])
  return chain[0]!
}

test('a certificate whose key is out is revoked, and one with another key serves at once', { skip }, async (t) => {
  const { place, pebble, castellan } = await startAt(t)
  await castellan.until('certificate-proven', 2)
  const before = await served(place)
  const { code, text } = await command(place, 'certs', 'revoke', 'a.test', '--reason', 'keyCompromise')
  assert.equal(code, 0, text)
  assert.match(text, /^a\.test \(ecdsa-p256\) is revoked: got one from pebble, good until /m)
  assert.match(text, /^a\.test \(rsa-2048\) is revoked: got one from pebble, good until /m)
  const after = await served(place)
  assert.notEqual(after.serialNumber, before.serialNumber)
  assert.ok(!after.publicKey.equals(before.publicKey))
  assert.partialDeepStrictEqual(await pebble.statusOf(before.serialNumber), { Status: 'Revoked', Reason: 1 })
  assert.equal((await pebble.statusOf(after.serialNumber)).Status, 'Valid')
  // Each was proven where it serves before the former one was let go.
  assert.equal(castellan.of('certificate-proven').length, 4)
})

test('the account is shown, gets another key, and is ended', { skip }, async (t) => {
  const { place, pebble, castellan } = await startAt(t)
  const shown = await command(place, 'account', 'show', '--json')
  assert.equal(shown.code, 0)
  const [account] = shown.json.accounts
  assert.equal(account.status, 'valid')
  assert.equal(account.contact, 'ops@example.com')
  const rolled = await command(place, 'account', 'rollover', 'pebble')
  assert.equal(rolled.code, 0, rolled.text)
  assert.match(rolled.text, /It has a new key\./)
  assert.doesNotMatch(rolled.text, new RegExp(account.thumbprint))
  assert.equal((await command(place, 'certs', 'renew', 'a.test')).code, 0)
  assert.equal(pebble.accounts(), 1)

  const ended = await command(place, 'account', 'deactivate', 'pebble')
  assert.equal(ended.code, 0, ended.text)
  assert.match(ended.text, /deactivated for good/)
  assert.equal((await command(place, 'certs', 'renew', 'a.test')).code, 0)
  assert.equal(pebble.accounts(), 2)
  assert.equal((await command(place, 'account', 'rollover', 'peble')).code, 1)
  assert.equal((await command(place, 'account', 'deactivate')).code, 2)
  assert.equal((await command(place, 'account', 'shwo')).code, 2)
  await castellan.stop()
  const stored = await command(place, 'account', 'show')
  assert.match(stored.text, /No Castellan is running[\s\S]*^account +https:/m)
  assert.equal((await command(place, 'account', 'rollover')).code, 1)
})

test('a certificate from elsewhere is taken over, with the program running and without', {
  skip: missing('openssl'),
}, async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  await place.configure('sites: { a.test: { redirectTo: "https://b.example" } }')
  const bring = async (): Promise<{ certificate: string; path: string }> => {
    const { certificate, key } = await makePair('a.test')
    await writeFile(join(place.folder, 'own.pem'), certificate + key)
    return { certificate, path: 'own.pem' }
  }
  const first = await bring()
  const before = await command(place, 'certs', 'import', first.path)
  assert.equal(before.code, 0, before.text)
  assert.match(before.text, /^a\.test \(ecdsa-p256\): taken over, good until .*, to be renewed by internal\.$/m)
  const castellan = new Castellan(place.folder)
  t.after(() => castellan.stop())
  await castellan.until('serving')
  assert.equal((await served(place)).toString(), first.certificate)
  const second = await bring()
  const running = await command(place, 'certs', 'import', second.path)
  assert.equal(running.code, 0, running.text)
  assert.equal((await served(place)).toString(), second.certificate)
  const refused = await command(place, 'certs', 'import', 'none.pem')
  assert.equal(refused.code, 1)
  assert.match(refused.text, /none\.pem cannot be imported: ENOENT/)
})

test('one name that the CA refuses keeps the others of its site from nothing', { skip }, async (t) => {
  const place = await makePlace()
  const { httpPort, httpsPort: tlsPort } = place
  const pebble = await startPebble({ httpPort, tlsPort, domainBlocklist: ['blocked.test'] })
  await place.configure(`acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
sites: { a.test: { aliases: [blocked.test, www.a.test], redirectTo: "https://b.example", issuer: pebble } }
`)
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await pebble.stop()
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  assert.equal((await served(place)).subjectAltName, 'DNS:a.test, DNS:www.a.test')
  const { text } = await command(place, 'certs', 'show', 'a.test')
  assert.match(
    text,
    /^note +without blocked\.test since [\s\S]*?, asked for again at [\s\S]*?: [\s\S]*rejectedIdentifier/m,
  )
  assert.equal(castellan.of('names-left-out').length, 1)
  assert.equal(castellan.of('certificate-failed').length, 0)
})

for (const [how, listen] of [
  ['a Unix socket', 'unix:./https.sock'],
  ['every address', ':PORT'],
] as const)
  test(`a renewed certificate is proven where HTTPS is served at ${how}`, async (t) => {
    const place = await makePlace()
    t.after(() => place.remove())
    await writeFile(
      join(place.folder, 'castellan.yaml'),
      `storage: ./data
listen:
  https: "${listen.replace('PORT', String(place.httpsPort))}"
  http: []
  proxyProtocol: { from: [unix, 127.0.0.0/8] }
log: { format: json, level: debug }
workers: 2
sites: { a.test: { aliases: [b.test, 127.0.0.1], redirectTo: "https://b.example" } }
`,
    )
    const castellan = new Castellan(place.folder)
    t.after(() => castellan.stop())
    await castellan.until('certificate-proven', 2)
    assert.equal((await command(place, 'certs', 'renew', 'a.test')).code, 0)
    assert.equal(castellan.of('certificate-proven').length, 4)
  })
