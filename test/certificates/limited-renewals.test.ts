import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Item } from '../../src/certificates/inventory.ts'
import { LimitedRenewals } from '../../src/certificates/limited-renewals.ts'
import type { Step } from '../../src/certificates/plan.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { DAY, HOUR } from './machine.ts'

/** What is told, as `issuer name count`, with `-` when it is over. */
function watch() {
  const clock = new FakeClock()
  const told: string[] = []
  const limited = new LimitedRenewals({
    clock,
    attention: {
      limited: ({ issuer, wanted, count }) => void told.push(`${issuer} ${wanted.names} ${count}`),
      unlimited: (issuer) => void told.push(`${issuer} -`),
    },
  })
  const step = (key: string): Step => {
    const at = clock.now() + HOUR
    return { type: 'renew', at, because: '', limit: { key, at, limit: '3 certificates' } }
  }
  const item = (name: string, days: number, changes: object = {}) =>
    ({
      wanted: { id: name, names: [name], issuers: ['ca'] },
      held: { certificate: { notAfter: clock.now() + days * DAY } },
      standIns: [],
      ...changes,
    }) as unknown as Item
  return { clock, told, limited, step, item }
}

test('a renewal is told of when half of what was left is over, and by the one that ends first', async () => {
  const { clock, told, limited, step, item } = watch()
  const [a, b] = [item('a', 20), item('b', 30)]
  for (const each of [a, b]) limited.deferred(each, step('x'))
  assert.equal(limited.tellWhatIsDue(clock.now()), clock.now() + 10 * DAY)
  await clock.advance(10 * DAY)
  // It was looked at again meanwhile, which does not begin its wait anew.
  limited.deferred(a, step('x'))
  limited.tellWhatIsDue(clock.now())
  assert.deepEqual(told, ['ca a 1'])
  await clock.advance(5 * DAY)
  assert.equal(limited.tellWhatIsDue(clock.now()), Number.POSITIVE_INFINITY)
  assert.deepEqual(told.slice(1), ['ca a 2'])
  limited.remove(a)
  limited.remove(b)
  assert.deepEqual(told.slice(2), ['ca b 1', 'ca -', 'ca -'])
})

test('a trial, a first order, a name on demand and what is kept are no renewals that wait for a limit', async () => {
  const { clock, told, limited, step, item } = watch()
  limited.deferred(item('a', 1), step('trial ca'))
  limited.deferred(item('b', 1, { held: undefined }), step('x'))
  limited.deferred(item('c', 1, { wanted: { id: 'on-demand/00/c', names: ['c'], issuers: ['ca'] } }), step('x'))
  const kept = item('d', 1)
  limited.deferred(kept, step('x'))
  limited.deferred(kept, { type: 'keep', renewAt: 0, because: '' })
  assert.equal(limited.tellWhatIsDue(clock.now() + DAY), Number.POSITIVE_INFINITY)
  assert.deepEqual(told, [])
})
