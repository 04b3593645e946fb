import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { missing } from '../programs.ts'
import { Castellan, makePlace } from './castellan.ts'
import { curl } from './curl.ts'

test('a ramp of HSTS moves on in the workers that serve, and "certs show" tells where it is', {
  skip: missing('curl'),
}, async (t: TestContext) => {
  const place = await makePlace()
  t.after(() => place.remove())
  await place.configure('sites: { a.test: { redirectTo: "https://b.example", hsts: { ramp: on } } }\n')
  const sent = async (): Promise<string | undefined> => {
    const { output } = await curl('-k', `https://a.test:${place.httpsPort}/`)
    return /^strict-transport-security: (.*?)\r?$/im.exec(output)?.[1]
  }
  const first = new Castellan(place.folder)
  await first.until('certificate-issued', 2)
  await first.until('serving')
  assert.match(first.of('config-warning')[0]!.message, /HSTS is on a ramp to a max-age of 60d/)
  assert.equal(await sent(), 'max-age=300')
  await first.stop()

  const file = join(place.folder, 'data/hsts/sites')
  const { 'a.test': memory } = JSON.parse(await readFile(file, 'utf8'))
  assert.equal(memory.mode, 'ramp')
  const { held: _, ...well } = memory
  await writeFile(file, JSON.stringify({ 'a.test': { ...well, since: memory.since - 86_400_000 } }))
  const second = new Castellan(place.folder)
  t.after(() => second.stop())
  await second.until(({ event, message }) => event === 'hsts' && message.includes('with a max-age of 24 hours'))
  await second.until('serving')
  // It is told when it is written down, and a moment later the workers know it.
  const giveUp = performance.now() + 20_000
  while ((await sent()) !== 'max-age=86400') assert.ok(performance.now() < giveUp, 'the workers never hear of it')
  const show = new Castellan(place.folder, ['certs', 'show', 'a.test'])
  await show.exited
  assert.match(show.text, /^HSTS +is on a ramp to 60 days, with a max-age of 24 hours until /m)
})
