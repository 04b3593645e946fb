import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spawnWorker } from '../../src/supervisor/worker-process.ts'

test('a worker that cannot be started is one that has ended, whether the system says so at once or later', async () => {
  // An inherited descriptor that is not open makes node:child_process throw.
  const worker = spawnWorker('bin/castellan.js', [999_999])
  worker.send({ type: 'drain' })
  const cause = await new Promise<string>((resolve) => worker.onExit(resolve))
  assert.match(cause, /^could not be started: .*EBADF/)
  assert.equal(worker.pid, undefined)
  worker.kill()
})
