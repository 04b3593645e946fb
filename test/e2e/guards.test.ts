import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { request } from 'node:https'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { Castellan, makePlace, type Place } from './castellan.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

async function run(t: TestContext, config: string, env: Record<string, string> = {}): Promise<Place> {
  const place = await makePlace()
  await place.configure(config)
  const castellan = new Castellan(place.folder, ['run'], { ...process.env, ...env })
  t.after(async () => {
    castellan.process.kill()
    await castellan.exited
    await place.remove()
  })
  await castellan.until('certificate-issued', 2)
  await castellan.until('serving')
  return place
}

/** The status of a request that has a connection of its own, and so whichever worker the system gives it. */
function statusOf({ httpsPort }: Place, auth?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: httpsPort, servername: 'a.localhost', headers: { host: 'a.localhost' } }
    request({ ...options, rejectUnauthorized: false, agent: false, ...(auth && { auth }) }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode!))
    })
      .on('error', reject)
      .end()
  })
}

async function statusesOf(place: Place, count: number): Promise<number[]> {
  const statuses: number[] = []
  for (let turn = 0; turn < count; turn++) statuses.push(await statusOf(place))
  return statuses
}

/** Until the workers have told each other: 50 ms, on a machine that is busy with other tests. */
const TOLD_MS = 1_000

test('a rate limit holds over all workers', async (t) => {
  const place = await run(
    t,
    'workers: 3\nsites: { a.localhost: { respond: 200, rateLimit: { requests: 60, per: 1d } } }\n',
  )
  for (const wave of [30, 30]) {
    assert.deepEqual(await statusesOf(place, wave), Array<number>(wave).fill(200))
    await wait(TOLD_MS)
  }
  assert.deepEqual(await statusesOf(place, 20), Array<number>(20).fill(429))
})

test('what hash-password prints lets in', async (t) => {
  const { stdout } = spawnSync(process.execPath, [PROGRAM, 'hash-password'], {
    input: 'correct horse\n',
    encoding: 'utf8',
  })
  const place = await run(
    t,
    'workers: 1\nsites: { a.localhost: { respond: 200, auth: { basic: { alice: env:ALICE } } } }\n',
    { ALICE: stdout.trim() },
  )
  assert.deepEqual(
    [await statusOf(place), await statusOf(place, 'alice:correct horse'), await statusOf(place, 'alice:wrong')],
    [401, 200, 401],
  )
})
