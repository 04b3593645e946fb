import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Castellan, makePlace } from './castellan.ts'

const DAY_MS = 86_400_000

test('a site that is taken out of the config leaves its certificates parked, and then in the archive', async (t) => {
  const place = await makePlace()
  t.after(() => place.remove())
  const site = (name: string): string =>
    `${name}: { redirectTo: "https://c.example", certificate: { keys: ecdsa-p256 } }`
  await place.configure(`sites: { ${site('a.test')}, ${site('b.test')} }\n`)
  const first = new Castellan(place.folder)
  await first.until('certificate-issued', 2)
  await first.stop()
  const certificate = await readFile(join(place.folder, 'data/certificates/b.test.ecdsa-p256'), 'utf8')

  await place.configure(`sites: { ${site('a.test')} }\n`)
  const second = new Castellan(place.folder)
  const [parked] = await second.until('certificate-parked')
  assert.equal(parked!.certificate, 'b.test.ecdsa-p256')
  await second.until('serving')
  await second.stop()
  const memory = join(place.folder, 'data/parked/certificates')
  const since = JSON.parse(await readFile(memory, 'utf8'))['b.test.ecdsa-p256']
  await writeFile(memory, JSON.stringify({ 'b.test.ecdsa-p256': since - 30 * DAY_MS }))

  const third = new Castellan(place.folder)
  const [archived] = await third.until('certificate-archived')
  await third.until('serving')
  await third.stop()
  assert.equal(await readFile(String(archived!.file), 'utf8'), certificate)
  assert.deepEqual(await readdir(join(place.folder, 'data/certificates')), ['a.test.ecdsa-p256'])
})
