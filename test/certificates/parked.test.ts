import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Parked } from '../../src/certificates/parked.ts'
import { reportParked } from '../../src/certificates/parked-report.ts'
import { storedCertificateIds } from '../../src/certificates/record.ts'
import { CastellanError } from '../../src/errors.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { DAY, Machine } from './machine.ts'

const forever = new AbortController().signal

/** A machine whose storage has certificates of these sites, and that has been switched off. */
async function machineWith(...names: string[][]): Promise<Machine> {
  const machine = new Machine()
  await machine.start(...names.map((each) => ({ names: each })))
  await machine.untilLogged('certificate-issued', names.length)
  await machine.certificates.stop()
  return machine
}

/** What no site serves any more is looked at as a program with these sites would. */
function parkedOf(machine: Machine, wanted: readonly string[], inUse: readonly string[] = []) {
  const log = new RecordingLog()
  const { storage, localClock: clock } = machine
  const parked = new Parked({ wanted: new Set(wanted), inUse: () => new Set(inUse), storage, clock, log })
  const events = (): string[] => log.entries.map(({ event, facts }) => `${event} ${facts.certificate ?? ''}`.trim())
  return { parked, log, events }
}

test('what no site serves is parked with a line in the log, and archived after 30 days, whole', async () => {
  const machine = await machineWith(['a.test'], ['b.test'])
  const value = await machine.storage.get('certificates/b.test.ecdsa-p256')
  await machine.storage.put('attempts/b.test.ecdsa-p256', Buffer.from('{}'))
  await machine.storage.put('left-out/b.test.ecdsa-p256', Buffer.from('[]'))
  const { parked, log, events } = parkedOf(machine, ['a.test.ecdsa-p256'])
  await parked.look(forever)
  await machine.clock.advance(29 * DAY)
  await parked.look(forever)
  assert.deepEqual(events(), ['certificate-parked b.test.ecdsa-p256'])
  assert.match(log.entries[0]!.message, /it is parked, not renewed, and archived at 2026-12-24T/)
  assert.equal((await storedCertificateIds(machine.storage)).length, 2)
  await machine.clock.advance(DAY)
  await parked.look(forever)
  assert.deepEqual(events().slice(1), ['certificate-archived b.test.ecdsa-p256'])
  assert.deepEqual(await storedCertificateIds(machine.storage), ['a.test.ecdsa-p256'])
  assert.deepEqual(await machine.storage.get('archive/certificates/b.test.ecdsa-p256.2026-12-24'), value)
  assert.equal(await machine.storage.get('attempts/b.test.ecdsa-p256'), undefined)
  assert.equal(await machine.storage.get('left-out/b.test.ecdsa-p256'), undefined)
  await parked.look(forever)
  assert.equal(events().length, 2)
})

test('the time of grace goes on over restarts, and ends when the name is wanted again', async () => {
  const machine = await machineWith(['a.test'])
  await parkedOf(machine, []).parked.look(forever)
  await machine.clock.advance(29 * DAY)
  const back = parkedOf(machine, ['a.test.ecdsa-p256'])
  await back.parked.look(forever)
  assert.deepEqual(back.events(), ['certificate-unparked a.test.ecdsa-p256'])
  await machine.clock.advance(2 * DAY)
  const gone = parkedOf(machine, [])
  await gone.parked.look(forever)
  assert.deepEqual(gone.events(), ['certificate-parked a.test.ecdsa-p256'])
  await machine.clock.advance(30 * DAY)
  const restarted = parkedOf(machine, [])
  await restarted.parked.look(forever)
  assert.deepEqual(restarted.events(), ['certificate-archived a.test.ecdsa-p256'])
})

test('what stands in for another is not archived until that has come', async () => {
  const machine = await machineWith(['a.test'])
  const wanted = [{ names: ['a.test', 'www.a.test'] }]
  machine.ca.fail('not today')
  await machine.start(...wanted)
  await machine.untilLogged('certificate-failed')
  const { held } = machine.certificates.state
  assert.equal(held.length, 1, 'the former one serves')
  const fingerprint = held[0]!.id.slice(held[0]!.id.lastIndexOf(':') + 1)
  await machine.certificates.stop()
  const serving = parkedOf(machine, [], [fingerprint])
  await serving.parked.look(forever)
  await machine.clock.advance(100 * DAY)
  await serving.parked.look(forever)
  assert.deepEqual(serving.events(), ['certificate-parked a.test.ecdsa-p256'])
  const served = parkedOf(machine, [])
  await served.parked.look(forever)
  assert.deepEqual(served.events(), ['certificate-archived a.test.ecdsa-p256'])
})

test('nothing renews what is parked', async () => {
  const machine = await machineWith(['a.test'], ['b.test'])
  await machine.start({ names: ['a.test'] })
  await machine.live(80 * DAY)
  const asked = machine.ca.requests.slice(2).flatMap(({ names }) => names)
  await machine.certificates.stop()
  assert.ok(asked.length > 0)
  assert.ok(!asked.includes('b.test'))
})

test('a damaged one is archived too, a clock that was ahead hurries nothing, and a damaged memory begins anew', async () => {
  const machine = await machineWith(['a.test'])
  await machine.storage.put('certificates/a.test.ecdsa-p256', Buffer.from('{'))
  const since = machine.clock.now() + 100 * DAY
  await machine.storage.put('parked/certificates', Buffer.from(JSON.stringify({ 'a.test.ecdsa-p256': since })))
  const { parked, events } = parkedOf(machine, [])
  await parked.look(forever)
  await machine.clock.advance(29 * DAY)
  await parked.look(forever)
  assert.deepEqual(events(), [])
  await machine.clock.advance(DAY)
  await machine.storage.put('parked/certificates', Buffer.from('{'))
  await parked.look(forever)
  assert.deepEqual(events(), ['certificate-parked a.test.ecdsa-p256'])
  await machine.clock.advance(30 * DAY)
  await parked.look(forever)
  assert.equal(events()[1], 'certificate-archived a.test.ecdsa-p256')
})

test('a storage that fails loses nothing and stops nothing', async () => {
  const machine = await machineWith(['a.test'])
  const { parked, events } = parkedOf(machine, [])
  await parked.look(forever)
  await machine.clock.advance(30 * DAY)
  machine.storage.fails = (operation, key) => operation === 'put' && key.startsWith('archive/')
  await parked.look(forever)
  assert.deepEqual(events().slice(1), ['parked-unattended'])
  assert.equal((await storedCertificateIds(machine.storage)).length, 1)
  machine.storage.fails = (operation) => operation === 'list'
  await parked.look(forever)
  machine.storage.fails = () => false
  await parked.look(forever)
  assert.equal(events().at(-1), 'certificate-archived a.test.ecdsa-p256')
})

test('it looks at once and once a day, and ends when it is told to', async () => {
  const machine = await machineWith(['a.test'])
  const stopping = new AbortController()
  const { parked, events } = parkedOf(machine, [])
  const running = parked.run(stopping.signal)
  await machine.clock.advance(31 * DAY)
  assert.deepEqual(events(), ['certificate-parked a.test.ecdsa-p256', 'certificate-archived a.test.ecdsa-p256'])
  stopping.abort()
  await running
})

test('a former certificate that serves a name which its successor lacks is not parked, until that has it', async () => {
  const machine = new Machine()
  const names = ['a.test', 'b.test']
  await machine.start({ names })
  await machine.untilLogged('certificate-issued')
  machine.ca.before = async (request) => {
    const badNames = [{ name: 'b.test', reason: 'no way' }]
    if (request.names.includes('b.test')) throw Object.assign(new CastellanError('refused', 'no'), { badNames })
  }
  await machine.certificates.renew('a.test')
  await machine.untilLogged('certificate-renewed')
  const { held } = machine.certificates.state
  assert.equal(held.length, 2)
  const inUse = held.map(({ id }) => id.slice(id.lastIndexOf(':') + 1))
  await machine.certificates.stop()
  const wanted = held.map(({ id }) => id.slice(0, id.lastIndexOf(':')))
  const serving = parkedOf(machine, wanted, inUse)
  await serving.parked.look(forever)
  assert.deepEqual(serving.events(), [])
  assert.deepEqual(await reportParked(machine.storage), [])
  const over = parkedOf(machine, wanted)
  await over.parked.look(forever)
  const now = machine.clock.now()
  const [report, ...others] = await reportParked(machine.storage)
  assert.deepEqual(others, [])
  assert.deepEqual(report, {
    id: report!.id,
    ...{ names, keyKind: 'ecdsa-p256', notAfter: now + 90 * DAY, since: now, keptUntil: now + 30 * DAY },
  })
  assert.deepEqual(over.events(), [`certificate-parked ${report!.id}`])
})
