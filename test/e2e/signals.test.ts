import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Castellan, makePlace, type Place } from './castellan.ts'

async function makeRedirectingPlace(): Promise<Place> {
  const place = await makePlace()
  await place.configure('workers: 1\nsites: { a.test: { redirectTo: "https://b.example" } }')
  return place
}

test('orders that other servers take, and that would end Node or open its debugger, are refused in words', async (t) => {
  const place = await makeRedirectingPlace()
  const castellan = new Castellan(place.folder)
  t.after(async () => {
    await castellan.stop()
    await place.remove()
  })
  const [ready] = await castellan.until('worker-ready')
  await castellan.until('serving')
  const worker = Number(/\d+/.exec(ready!.message))
  for (const signal of ['SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const) {
    process.kill(worker, signal)
    castellan.process.kill(signal)
    const [refusal] = await castellan.until((line) => line.event === 'signal-ignored' && line.signal === signal)
    assert.match(refusal!.message, new RegExp(`^${signal} changes nothing: .*restart`))
  }
  assert.equal(await castellan.stop(), 0)
  assert.deepEqual(castellan.of('worker-exited'), [])
  assert.equal(castellan.text, '')
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
