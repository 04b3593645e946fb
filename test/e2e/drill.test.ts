import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'

async function drill(place: Place, ...args: string[]): Promise<{ code: number | null; text: string }> {
  const command = new Castellan(place.folder, ['drill', ...args])
  const { code } = await command.exited
  return { code, text: command.text }
}

/** All that is in a folder, as one digest. */
async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1))) {
    hash.update(join(entry.parentPath, entry.name))
    if (entry.isFile()) hash.update(await readFile(join(entry.parentPath, entry.name)))
  }
  return hash.digest('hex')
}

test('a drill on the real storage says what an outage would cost, and changes nothing', {
  skip: missing('pebble'),
}, async (t) => {
  const place = await makePlace()
  const pebble = await startPebble({ httpPort: place.httpPort, tlsPort: place.httpsPort, validitySeconds: 20 * 86_400 })
  t.after(async () => {
    await pebble.stop()
    await place.remove()
  })
  await place.configure(
    `acceptTerms: true
issuers: { pebble: { directory: "${pebble.directory}", trust: "${pebble.trust}" } }
sites: { a.test: { redirectTo: "https://b.example", issuer: pebble }, b.test: { redirectTo: "https://b.example" } }
`,
  )
  assert.match((await drill(place, '--ca-down', '1d')).text, /a\.test +ecdsa-p256 +nothing yet +has none/)
  const castellan = new Castellan(place.folder)
  await castellan.until('certificate-issued', 4)
  await castellan.stop()
  const before = await digestOf(join(place.folder, 'data'))
  const short = await drill(place, '--ca-down', '5d')
  assert.equal(short.code, 0, short.text)
  assert.match(
    short.text,
    /None of 4 certificates is missed\.\nStarted anew without its CA, this installation serves all/,
  )
  const long = await drill(place, '--ca-down', '30d')
  assert.equal(long.code, 1)
  assert.match(long.text, /a\.test +rsa-2048 +\S+ \S+ +expires at /)
  assert.match(
    long.text,
    /b\.test .* renewed at \S+ \S+ by a CA that is\s+up/,
    'the CA in the data folder is always up',
  )
  assert.match(long.text, /2 of 4 certificates are missed/)
  assert.equal((await drill(place, '--ca-down', '30d', '--ca', 'zerossl')).code, 0)
  assert.equal(await digestOf(join(place.folder, 'data')), before)
  for (const [args, message, code] of [
    [[], /needs how long the CA is to be down; usage: castellan drill --ca-down DURATION/, 2],
    [['--ca-down', '10'], /takes a duration from 1m to 3650d, such as 10d, not "10"/, 2],
    [['--ca-down', '10d', '--ca', 'peble'], /no CA called "peble"; did you mean "pebble"\?/, 1],
  ] as const) {
    const refused = await drill(place, ...args)
    assert.equal(refused.code, code)
    assert.match(refused.text, message)
  }
})
