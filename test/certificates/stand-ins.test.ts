import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SiteCertificates } from '../../src/certificates/wanted.ts'
import { DAY, HOUR, Machine } from './machine.ts'

/** A machine that has been served certificates for these sites, and is switched off. */
async function after(...sites: Partial<SiteCertificates>[]): Promise<Machine> {
  const machine = new Machine()
  await machine.start(...sites)
  await machine.until(() => machine.certificates.state.waiting.length === 0)
  await machine.certificates.stop()
  machine.ca.fail('not now')
  return machine
}

function served(machine: Machine): string[] {
  return machine.certificates.state.held.flatMap(({ names }) => names).sort()
}

for (const [change, before, now, expected] of [
  ['an alias is added', { names: ['a.test'] }, { names: ['a.test', 'b.test'] }, ['a.test']],
  ['an alias is removed', { names: ['a.test', 'b.test'] }, { names: ['a.test'] }, ['a.test']],
  ['the first name is another', { names: ['a.test', 'b.test'] }, { names: ['z.test', 'a.test'] }, ['a.test']],
  [
    'each name shall have its own',
    { names: ['a.test', 'b.test'] },
    { names: ['a.test', 'b.test'], grouping: 'perName' },
    ['a.test', 'b.test'],
  ],
  [
    'all names shall stand on one',
    { names: ['a.test', 'b.test'], grouping: 'perName' },
    { names: ['a.test', 'b.test'] },
    ['a.test', 'b.test'],
  ],
  ['a wildcard covered it', { names: ['*.a.test'] }, { names: ['b.a.test'] }, ['b.a.test']],
] as const)
  test(`the former certificate serves on when ${change}, until the new one is there`, async () => {
    const machine = await after(before)
    await machine.start(now)
    await machine.untilLogged('certificate-failed')
    assert.deepEqual(served(machine), expected)
    const ids = machine.certificates.state.held.map(({ id }) => id)
    assert.equal(new Set(ids).size, ids.length)
    machine.ca.recover()
    await machine.live(3 * HOUR)
    assert.deepEqual(served(machine), [...now.names].sort())
    assert.deepEqual(machine.certificates.state.waiting, [])
    for (const { id } of machine.certificates.state.held) assert.ok(!ids.includes(id))
    await machine.certificates.stop()
  })

test('what a stand-in does not cover waits, and a failure says for how long the stand-in is good', async () => {
  const machine = await after({ names: ['a.test'] })
  await machine.start({ names: ['a.test', 'b.test'] })
  await machine.untilLogged('certificate-failed')
  assert.deepEqual(
    machine.certificates.state.waiting.flatMap(({ names }) => names),
    ['b.test'],
  )
  const [failed] = machine.log.of('certificate-failed')
  assert.equal(failed!.level, 'warn')
  assert.match(failed!.message, /Could not get .* The former one serves for another 90 days\./)
  await machine.certificates.stop()
})

test('only a certificate with the same kind of key stands in', async () => {
  const machine = await after({ names: ['a.test'], keys: ['rsa-2048'] })
  await machine.start({ names: ['a.test', 'b.test'], keys: ['ecdsa-p256'] })
  assert.deepEqual(machine.certificates.state.held, [])
  await machine.certificates.stop()
})

test('nothing stands in that another site still wants', async () => {
  const machine = await after({ names: ['*.a.test'] })
  await machine.start({ names: ['*.a.test'] }, { names: ['b.a.test'] })
  assert.deepEqual(served(machine), ['*.a.test'])
  await machine.certificates.stop()
})

test('a good one stands in ahead of one that covers more but has expired, which is better than none', async () => {
  const machine = await after({ names: ['a.test', 'b.test'] })
  await machine.clock.advance(100 * DAY)
  machine.ca.recover()
  await machine.start({ names: ['a.test', 'c.test'] })
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  machine.ca.fail('not now')
  await machine.start({ names: ['a.test', 'b.test', 'd.test'] })
  assert.deepEqual(
    machine.certificates.state.held.map(({ names }) => names),
    [['a.test'], ['b.test']],
  )
  await machine.certificates.stop()
})

test('what cannot be read keeps nothing from starting', async () => {
  const machine = await after({ names: ['a.test'] })
  const damaged = 'certificates/z.test.ecdsa-p256'
  await machine.storage.put(damaged, Buffer.from('{'))
  await machine.start({ names: ['a.test', 'b.test'] })
  assert.deepEqual(served(machine), ['a.test'])
  assert.deepEqual([...machine.storage.aside], [], 'it is not ours to judge')
  await machine.certificates.stop()
  machine.storage.fails = (operation, key) => operation === 'get' && key === damaged
  await machine.start({ names: ['a.test', 'b.test'] })
  assert.equal(machine.log.of('stand-ins-unreadable').length, 1)
  assert.deepEqual(served(machine), ['a.test'])
  await machine.certificates.stop()
})
