import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { test } from 'node:test'
import type { Audited } from '../../src/audit/recommendations.ts'
import { missing } from '../programs.ts'
import { Castellan, makePlace } from './castellan.ts'
import { startPebble } from './peers/pebble.ts'

test('an audit judges the program that runs, and the storage that it leaves', {
  skip: missing('pebble'),
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
sites: { a.test: { redirectTo: "https://b.example", redirect: off, issuer: pebble } }
`,
  )
  const audited = async (): Promise<{ code: number | null; running: boolean; of: (id: string) => Audited }> => {
    const command = new Castellan(place.folder, ['audit', '--json'])
    const { code } = await command.exited
    const { running, recommendations } = command.lines[0] as unknown as { running: boolean; recommendations: Audited[] }
    return { code, running, of: (id) => recommendations.find((each) => each.id === id)! }
  }
  assert.equal((await audited()).of('every-name').verdict, 'fail')
  assert.deepEqual(await readdir(place.folder), ['castellan.yaml'], 'looking leaves no trace')
  const castellan = new Castellan(place.folder)
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  const running = await audited()
  assert.equal(running.running, true)
  assert.equal(running.code, 1)
  assert.match(running.of('redirect').evidence, /^a\.test: served over plain HTTP too/)
  assert.equal(running.of('second-ca').verdict, 'fail')
  for (const id of ['every-name', 'both-kinds', 'account-key', 'private-storage', 'reuse', 'early-retry'])
    assert.equal(running.of(id).verdict, 'pass', id)
  assert.match(running.of('accounts').evidence, /^https:\/\/\S+$/)
  await castellan.stop()
  const after = await audited()
  assert.equal(after.running, false)
  assert.equal(after.of('account-key').evidence, '2 certificates compared with 1 account')
})
