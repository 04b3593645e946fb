import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

const said = (changes: object = {}) => ({
  terms: 'https://ca.test/terms-1',
  profiles: [],
  profile: undefined,
  resources: [],
  caaIdentities: [],
  externalAccountRequired: false,
  ...changes,
})
const sites = (count: number) => Array.from({ length: count }, (_, index) => ({ names: [`n${index}.test`] }))

/** A few at a time, so that a busy machine has time enough for each. */
async function untilAll(machine: Machine, event: string, count: number): Promise<void> {
  for (let few = 1; few <= count; few++) await machine.untilLogged(event, few)
}

/** All of them were issued long ago and are due, and the CA has new terms. */
async function manyDue(count: number): Promise<Machine> {
  const machine = new Machine()
  machine.ca.answer = (issued) => ({ ...issued, said: said() })
  await machine.start(...sites(count))
  await untilAll(machine, 'certificate-issued', count)
  await machine.certificates.stop()
  await machine.clock.advance(65 * DAY)
  machine.ca.answer = (issued) => ({ ...issued, said: said({ terms: 'https://ca.test/terms-2' }) })
  return machine
}

test('what has changed is said once, over restarts too', async () => {
  const machine = await manyDue(2)
  await machine.start(...sites(2))
  await machine.untilLogged('certificate-renewed', 2)
  const [told, ...more] = machine.log.of('ca-changed')
  assert.equal(told!.level, 'warn')
  assert.match(
    told!.message,
    /^The CA ca has changed: its terms of service have changed: https:\/\/ca\.test\/terms-2 –/,
  )
  assert.deepEqual(more, [])
  await machine.certificates.stop()
  await machine.start(...sites(2))
  await machine.certificates.renew('n0.test')
  await machine.untilLogged('certificate-renewed')
  assert.deepEqual(machine.log.of('ca-changed'), [])
  await machine.certificates.stop()
})

test('where many are due, those under way and no more than three others go first, and must serve before the rest', async () => {
  const machine = await manyDue(26)
  const gates: (() => void)[] = []
  machine.prove = () => new Promise((resolve) => gates.push(() => resolve('proven')))
  await machine.start(...sites(26))
  // Five had begun when the first of them showed the change.
  await machine.until(() => gates.length === 5)
  for (const open of gates.splice(0, 2)) open()
  await machine.untilLogged('certificate-renewed', 2)
  await machine.clock.advance(HOUR)
  assert.equal(machine.ca.requests.length, 31)
  assert.match(machine.log.of('renewals-held')[0]!.message, /renewals are due at ca, which has changed \(its terms/)
  machine.prove = async () => 'proven'
  gates[0]!()
  await machine.untilLogged('renewals-resumed')
  for (const open of gates) open()
  await untilAll(machine, 'certificate-renewed', 26)
  assert.equal(machine.log.of('renewals-held').length, 1)
  await machine.certificates.stop()
})

test('a change that does them no good is tried with a few, with ever longer waits', async () => {
  const machine = await manyDue(26)
  let isBroken = true
  let asked = 0
  machine.ca.before = async () => {
    if (asked++ === 0) return
    while (machine.log.of('ca-changed').length === 0) await new Promise((resolve) => setImmediate(resolve))
    if (isBroken) throw new Error('the new CA is broken')
  }
  await machine.start(...sites(26))
  await machine.untilLogged('ca-changed')
  await machine.live(30 * MINUTE)
  const early = machine.ca.requests.length - 26
  assert.ok(early >= 5 && early <= 20, `${early} orders within half an hour`)
  isBroken = false
  await machine.live(DAY)
  assert.equal(machine.log.of('certificate-renewed').length, 26)
  await machine.certificates.stop()
})

test('a few that are due, and names that are new, wait for nobody', async () => {
  const machine = await manyDue(10)
  machine.prove = () => new Promise(() => {})
  await machine.start(...sites(10), ...Array.from({ length: 30 }, (_, index) => ({ names: [`new${index}.test`] })))
  await untilAll(machine, 'certificate-issued', 30)
  assert.equal(machine.log.of('renewals-held').length, 0)
})

test('what ends soon waits for no trial', async () => {
  const machine = await manyDue(30)
  await machine.clock.advance(20 * DAY)
  const gates: (() => void)[] = []
  machine.prove = () => new Promise((resolve) => gates.push(() => resolve('proven')))
  await machine.start(...sites(30))
  const open = setInterval(() => {
    for (const each of gates.splice(0)) each()
  }, 5)
  await untilAll(machine, 'certificate-renewed', 30)
  clearInterval(open)
  assert.equal(machine.log.of('renewals-held').length, 0)
  await machine.certificates.stop()
})

test('a damaged memory of a CA means that the next change is told, and this one not', async () => {
  const machine = await manyDue(1)
  await machine.storage.put('ca-facts/ca', Buffer.from('{"authority":"https://ca.test/directory","kinds":{"a":1}}'))
  await machine.start(...sites(1))
  await machine.untilLogged('certificate-renewed')
  assert.deepEqual(machine.log.of('ca-changed'), [])
  assert.deepEqual(machine.log.of('ca-facts-not-stored'), [])
  await machine.certificates.stop()
})

test('a kind of key that a CA takes no more is told once, until it takes it again', async () => {
  const machine = await manyDue(1)
  const refuse = async (): Promise<void> => {
    throw Object.assign(new Error('no such keys'), { refusesKey: true })
  }
  machine.ca.before = refuse
  await machine.start(...sites(1))
  await machine.live(HOUR)
  assert.ok(machine.ca.requests.length > 3)
  const told = machine.log.of('ca-changed')
  assert.deepEqual(
    told.map(({ message }) => message),
    ['The CA ca has changed: it takes keys of kind ecdsa-p256 no more.'],
  )
  await machine.certificates.stop()
  await machine.start(...sites(1))
  await machine.live(DAY)
  assert.deepEqual(machine.log.of('ca-changed'), [])
  machine.ca.recover()
  await machine.certificates.retry('all')
  await machine.untilLogged('certificate-renewed')
  machine.ca.before = refuse
  await machine.certificates.renew('n0.test')
  await machine.untilLogged('certificate-failed', machine.log.of('certificate-failed').length + 1)
  assert.match(machine.log.of('ca-changed').at(-1)!.message, /takes keys of kind ecdsa-p256 no more/)
  await machine.certificates.stop()
})
