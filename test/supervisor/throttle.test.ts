import assert from 'node:assert/strict'
import { test } from 'node:test'
import { throttle } from '../../src/supervisor/throttle.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

test('runs at once, then once for all that is asked meanwhile, and at once again after a pause', async () => {
  const clock = new FakeClock()
  const start = clock.now()
  const runs: number[] = []
  const ask = throttle(
    () => runs.push(clock.now() - start),
    () => 100,
    clock,
  )
  ask()
  ask()
  assert.deepEqual(runs, [0])
  await clock.advance(50)
  ask()
  await clock.advance(50)
  assert.deepEqual(runs, [0, 100])
  await clock.advance(500)
  assert.deepEqual(runs, [0, 100])
  ask()
  assert.deepEqual(runs, [0, 100, 600])
  await clock.advance(100)
  assert.equal(clock.sleeping, 0)
})

test('says when what was asked for has run', async () => {
  const clock = new FakeClock()
  const steps: string[] = []
  const ask = throttle(
    () => steps.push('run'),
    () => 100,
    clock,
  )
  await ask()
  const next = ask().then(() => steps.push('told'))
  await clock.advance(99)
  assert.deepEqual(steps, ['run'])
  await clock.advance(1)
  await next
  assert.deepEqual(steps, ['run', 'run', 'told'])
})
