import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { SWEEP_INTERVAL_MS, Sweep } from '../../src/edge/sweep.ts'

test('members are looked at in every round, with the time at which it began', () => {
  let now = 5
  const sweep = new Sweep(() => now)
  const rounds: number[] = []
  const member = { sweep: (at: number) => void rounds.push(at) }
  sweep.add(member)
  now = 7
  assert.equal(sweep.now, 5, 'the time stands still between two rounds')
  sweep.run()
  now = 9
  sweep.run()
  sweep.delete(member)
  sweep.run()
  assert.deepEqual(rounds, [7, 9])
  assert.equal(sweep.now, 9)
})

test('a member may leave, and others join, while a round goes on', () => {
  const sweep = new Sweep(() => 0)
  const seen: string[] = []
  const second = { sweep: () => void seen.push('second') }
  const first = {
    sweep: () => {
      seen.push('first')
      sweep.delete(first)
      sweep.add(second)
    },
  }
  sweep.add(first)
  sweep.run()
  sweep.run()
  assert.deepEqual(seen, ['first', 'second', 'second'])
  sweep.delete(second)
})

test('there is one timer while there are members, and none otherwise', (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.after(() => mock.timers.reset())
  let rounds = 0
  const sweep = new Sweep(() => 0)
  const members = [1, 2].map(() => ({ sweep: () => void rounds++ }))
  for (const member of members) sweep.add(member)
  mock.timers.tick(3 * SWEEP_INTERVAL_MS)
  assert.equal(rounds, 6)
  for (const member of members) sweep.delete(member)
  mock.timers.tick(3 * SWEEP_INTERVAL_MS)
  assert.equal(rounds, 6)
})
