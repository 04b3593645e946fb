import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { FromWorker } from '../../src/supervisor/messages.ts'
import { spawnWorker, type WorkerProcess } from '../../src/supervisor/worker-process.ts'

const CASTELLAN = join(import.meta.dirname, '../../bin/castellan.js')

/** A real process, ended with the test. */
function spawn(t: TestContext, program: string): WorkerProcess {
  const worker = spawnWorker(program, [])
  const gone = new Promise((resolve) => worker.onExit(resolve))
  t.after(() => {
    worker.kill()
    return gone
  })
  return worker
}

test('a worker that cannot be started is one that has ended, whether the system says so at once or later', async () => {
  // An inherited descriptor that is not open makes node:child_process throw.
  const worker = spawnWorker('bin/castellan.js', [999_999])
  worker.send({ type: 'drain', withinMs: 1_000, gently: false })
  const cause = await new Promise<string>((resolve) => worker.onExit(resolve))
  assert.match(cause, /^could not be started: .*EBADF/)
  assert.equal(worker.pid, undefined)
  worker.kill()
})

test('a worker gives a sign of life, even before it is told what to serve', async (t) => {
  const worker = spawn(t, CASTELLAN)
  const heard = new Promise<FromWorker>((resolve) => worker.onMessage(resolve))
  worker.send({ type: 'heartbeat' })
  assert.deepEqual(await heard, { type: 'alive' })
})

test('a worker has what it needs of the environment, and no secrets', async (t) => {
  const set = { TZ: 'Asia/Kolkata', SSL_CERT_FILE: '/etc/roots.pem', EAB_KEY: 'secret', NOTIFY_SOCKET: '/run/notify' }
  Object.assign(process.env, set)
  t.after(() => {
    for (const name of Object.keys(set)) delete process.env[name]
  })
  const worker = spawn(t, join(import.meta.dirname, 'worker-that-tells-its-environment.ts'))
  const heard = await new Promise<unknown>((resolve) => worker.onMessage(resolve))
  const environment = heard as NodeJS.ProcessEnv
  assert.deepEqual(
    [environment.TZ, environment.SSL_CERT_FILE, environment.PATH],
    [set.TZ, set.SSL_CERT_FILE, process.env.PATH],
  )
  assert.doesNotMatch(JSON.stringify(environment), /EAB_KEY|secret|NOTIFY_SOCKET/)
})
