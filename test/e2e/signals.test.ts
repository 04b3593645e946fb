import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { missing } from '../programs.ts'
import { Castellan, makePlace, type Place } from './castellan.ts'
import { curl } from './curl.ts'

async function makeRedirectingPlace(): Promise<Place> {
  const place = await makePlace()
  await place.configure('workers: 1\nsites: { a.test: { redirectTo: "https://b.example" } }')
  return place
}

test('signals that other servers take, and that would end Node or open its debugger, end nothing', async (t) => {
  const place = await makeRedirectingPlace()
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  const [ready] = await castellan.until('worker-ready')
  await castellan.until('serving')
  const worker = Number(/\d+/.exec(ready!.message))
  process.kill(worker, 'SIGUSR1')
  castellan.process.kill('SIGUSR1')
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.kill(worker, signal)
  castellan.process.kill('SIGHUP')
  const [reloaded] = await castellan.until('reloaded')
  assert.equal(reloaded!.message, 'The config was taken up: nothing has changed.')
  assert.equal(await castellan.stop(), 0)
  assert.deepEqual(castellan.of('worker-exited'), [])
  assert.equal(castellan.text, '')
})

test('the access log is in its file, and in a new one after SIGUSR1', { skip: missing('curl') }, async (t) => {
  const place = await makePlace()
  const path = join(place.folder, 'access.log')
  await writeFile(
    join(place.folder, 'castellan.yaml'),
    `storage: ./data
listen: { https: [], http: "127.0.0.1:${place.httpPort}" }
log: { format: json, access: { file: access.log, format: combined } }
sites: { a.test: { redirectTo: "https://b.example" } }
`,
  )
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  await castellan.until('serving')
  const visit = (target: string) => curl('-A', 'x', `http://a.test:${place.httpPort}${target}`)
  const lines = async (file: string): Promise<number> => (await readFile(file, 'utf8')).split('\n').length - 1
  await visit('/one')
  while ((await lines(path)) < 1) await wait(5)
  assert.match(await readFile(path, 'utf8'), /^127\.0\.0\.1 - - \[.*\] "GET \/one HTTP\/1\.1" 308 0 "-" "x"\n$/)
  await rename(path, `${path}.1`)
  castellan.process.kill('SIGUSR1')
  // Both workers are told, one after the other; until then they write to the file that was moved.
  for (let count = 0; count < 400 && !existsSync(path); count++) await visit('/two')
  while ((await lines(path)) < 1) await wait(5)
  assert.match(await readFile(path, 'utf8'), /"GET \/two /)
  assert.deepEqual(castellan.of('request'), [])
})

test('SIGTERM ends a start that waits for a port, without a word about the port', async (t) => {
  const place = await makeRedirectingPlace()
  const squatter = createServer()
  await new Promise<void>((resolve) => squatter.listen(place.httpPort, '127.0.0.1', resolve))
  t.after(async () => {
    squatter.close()
    await place.remove()
  })
  const castellan = new Castellan(place.folder)
  // Signals are heard before the storage is opened, and the ports come next.
  while (!existsSync(join(place.folder, 'data/.LOCK-HOLDER'))) await wait(5)
  assert.equal(await castellan.stop(), 0)
  assert.equal(castellan.text, '')
})

test('the echo of a signal is not taken for a second one', async (t) => {
  const place = await makeRedirectingPlace()
  t.after(() => place.remove())
  const castellan = new Castellan(place.folder)
  await castellan.until('serving')
  castellan.process.kill('SIGINT')
  await castellan.until('stopping')
  castellan.process.kill('SIGINT')
  assert.deepEqual(await castellan.exited, { code: 0, signal: null })
  assert.deepEqual(castellan.of('killed'), [])
})
