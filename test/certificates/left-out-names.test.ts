import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CastellanError } from '../../src/errors.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

const names = ['a.test', 'b.test', 'c.test']

/** From now on the CA refuses every order with one of these, and says which of them it was. */
function refuse(machine: Machine, bad: readonly string[], facts: Record<string, unknown> = {}): void {
  machine.ca.before = async (request) => {
    const badNames = request.names.filter((name) => bad.includes(name)).map((name) => ({ name, reason: 'no way' }))
    if (badNames.length > 0) throw Object.assign(new CastellanError('refused', 'some names'), { badNames, ...facts })
  }
}

const ordered = (machine: Machine): string[] => machine.ca.requests.map((request) => request.names.join())

test('the others get theirs at once, and the operator is told of the one that cannot have one', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'])
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  assert.deepEqual(ordered(machine), ['a.test,b.test,c.test', 'a.test,c.test'])
  const [told] = machine.log.of('names-left-out')
  assert.match(told!.message, /is ordered without b\.test, .* b\.test: no way\. Asked for again in 100 minutes/)
  const { held, waiting } = machine.certificates.state
  assert.deepEqual(
    held.map((each) => each.names),
    [['a.test', 'c.test']],
  )
  assert.deepEqual(waiting[0]!.names, ['b.test'])
  assert.match(waiting[0]!.reason, /b\.test: no way/)
  assert.equal(machine.certificates.report()[0]!.leftOut[0]!.name, 'b.test')
  assert.equal(machine.log.of('certificate-failed').length, 0)
  await machine.certificates.stop()
})

test('it is asked for again after 100 minutes and then daily, which costs no certificate, and is told once', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'])
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  await machine.live(99 * MINUTE)
  assert.equal(machine.ca.requests.length, 2)
  await machine.live(2 * MINUTE)
  assert.equal(machine.ca.requests.length, 3)
  await machine.live(10 * DAY)
  assert.equal(machine.ca.requests.length, 13)
  assert.deepEqual(new Set(ordered(machine).slice(2)), new Set(['a.test,b.test,c.test']))
  assert.equal(machine.log.of('names-left-out').length, 1)
  assert.equal(machine.log.of('certificate-issued').length, 1)
  assert.equal(machine.log.of('certificate-kept').length, 11)
  await machine.certificates.stop()
})

test('once it can have one, it is taken back in, over a restart too', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'])
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  machine.ca.recover()
  await machine.start({ names })
  await machine.live(HOUR)
  assert.equal(machine.ca.requests.length, 2)
  await machine.live(HOUR)
  assert.deepEqual(
    machine.certificates.state.held.map((each) => each.names),
    [names],
  )
  assert.match(machine.log.of('names-taken-back')[0]!.message, /^b\.test can be had again, and is in /)
  assert.deepEqual(machine.certificates.report()[0]!.leftOut, [])
  assert.deepEqual((await machine.storage.list('left-out')).length, 0)
  await machine.certificates.stop()
})

test('at a renewal the former certificate serves the name on that the new one lacks, over a restart too', async () => {
  const machine = new Machine()
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  refuse(machine, ['b.test'])
  await machine.live(65 * DAY)
  assert.equal(machine.log.of('certificate-renewed').length, 1)
  const served = () => machine.certificates.state.held.map((each) => each.names.join())
  assert.deepEqual(served(), ['a.test,c.test', 'b.test'])
  assert.deepEqual(machine.certificates.state.waiting, [])
  await machine.certificates.stop()
  await machine.start({ names })
  assert.deepEqual(served(), ['a.test,c.test', 'b.test'])
  machine.ca.recover()
  await machine.live(2 * DAY)
  assert.deepEqual(served(), ['a.test,b.test,c.test'])
  await machine.certificates.stop()
})

test('an operator who has put it right need not wait', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'])
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  const [still] = await machine.certificates.retry({ name: 'b.test' })
  const kept = await still!.outcome
  assert.equal(kept.status, 'not-due')
  machine.ca.recover()
  const [asked] = await machine.certificates.retry('all')
  assert.equal((await asked!.outcome).status, 'obtained')
  assert.deepEqual(
    machine.certificates.state.held.map((each) => each.names),
    [names],
  )
  await machine.certificates.stop()
})

test('names are found bad one after the other; where all are, that is a failure as any other', async () => {
  const machine = new Machine()
  machine.ca.before = async (request) => {
    const [name] = request.names
    if (name === 'a.test' || name === 'b.test')
      throw Object.assign(new CastellanError('refused', 'x'), { badNames: [{ name, reason: 'no' }] })
  }
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  assert.deepEqual(ordered(machine), ['a.test,b.test,c.test', 'b.test,c.test', 'c.test'])
  await machine.certificates.stop()

  const hopeless = new Machine()
  refuse(hopeless, names)
  await hopeless.start({ names })
  await hopeless.untilLogged('certificate-failed')
  assert.equal(hopeless.ca.requests.length, 1)
  assert.equal(hopeless.log.of('names-left-out').length, 0)
  await hopeless.certificates.stop()
})

test('what could only be seen beforehand is looked at every five minutes for an hour, then daily and with insistence', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'], { isForesight: true })
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  await machine.live(30 * MINUTE)
  assert.equal(machine.ca.requests.length, 8)
  await machine.live(3 * DAY)
  assert.ok(machine.ca.requests.length <= 18, `${machine.ca.requests.length}`)
  assert.equal(machine.ca.requests.at(-1)!.isInsistent, true)
  assert.equal(machine.ca.requests[5]!.isInsistent, false)
  await machine.certificates.stop()
})

test('a damaged memory of it only means that the name is asked for once more', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'])
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const [key] = await machine.storage.list('left-out')
  await machine.storage.put(key!, Buffer.from('{"name":'))
  await machine.start({ names })
  await machine.untilLogged('certificate-kept')
  assert.equal(machine.ca.requests.length, 3)
  await machine.certificates.stop()
})

test('certificates for other keys of the same names do without it too, and what they hold of it they keep', async () => {
  const machine = new Machine()
  refuse(machine, ['b.test'])
  const site = { names, keys: ['ecdsa-p256', 'rsa-2048'] as const }
  await machine.start(site)
  await machine.untilLogged('certificate-issued', 2)
  assert.deepEqual(ordered(machine), ['a.test,b.test,c.test', 'a.test,c.test', 'a.test,c.test'])
  assert.equal(machine.log.of('names-left-out').length, 1)
  await machine.live(101 * MINUTE)
  assert.equal(machine.ca.requests.length, 4)
  machine.ca.recover()
  await machine.live(2 * DAY)
  assert.equal(machine.log.of('certificate-issued').length, 4)
  refuse(machine, ['b.test'])
  // One of them renewed by hand: the other is not due, and stays as it is.
  const before = machine.ca.requests.length
  const [, rsa] = machine.certificates.report()
  await Promise.all((await machine.certificates.renew(rsa!.id)).map(({ outcome }) => outcome))
  await machine.live(HOUR)
  assert.equal(machine.ca.requests.length, before + 2)
  assert.deepEqual(
    machine.certificates.state.held.map((each) => each.names.join()),
    ['a.test,b.test,c.test', 'a.test,c.test', 'b.test'],
  )
  await machine.certificates.stop()
})
