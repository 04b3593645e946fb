import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outages } from '../../src/certificates/outages.ts'
import { Life } from '../fake-ca/life.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

const sites = (count: number) => Array.from({ length: count }, (_, index) => ({ names: [`n${index}.test`] }))
const DOWN = 'connect ECONNREFUSED'

/** A machine with so many certificates to order from a CA that is down. */
async function down(count = 1, options: Parameters<Machine['ca']['breakDown']>[1] = {}): Promise<Machine> {
  const machine = new Machine()
  machine.ca.breakDown(DOWN, options)
  await machine.start(...sites(count))
  await machine.untilLogged('certificate-put-off', Math.min(count, 5))
  return machine
}

const told = ({ log }: Machine) =>
  ['ca-out-of-order', 'ca-answers-again', 'certificate-failed'].map((event) => log.of(event).length)

test('an outage is one incident for thirty certificates, told once when it begins and once when it ends', async () => {
  const machine = await down(30)
  await machine.live(10 * HOUR)
  assert.equal(machine.ca.requests.length, 5, 'those that were under way when it began')
  assert.deepEqual(told(machine), [1, 0, 0])
  const [began] = machine.log.of('ca-out-of-order')
  assert.equal(began!.level, 'warn')
  assert.match(began!.message, /^ca is out of order: connect ECONNREFUSED\. .* looked at again in 1 minute/)
  machine.ca.recover()
  await machine.live(2 * HOUR)
  await machine.untilLogged('certificate-issued', 30)
  assert.deepEqual(told(machine), [1, 1, 0])
  assert.match(machine.log.of('ca-answers-again')[0]!.message, /^ca answers again, after 1\d hours\.$/)
  await machine.certificates.stop()
})

test('a CA that is out is probed after 1, 2, 4 … minutes and then hourly, and nothing is ordered', async () => {
  const machine = await down()
  const begin = machine.clock.now()
  await machine.live(5 * HOUR)
  const minutes = machine.ca.probes.map((at) => (at - begin) / MINUTE)
  assert.deepEqual(minutes, [1, 3, 7, 15, 31, 63, 123, 183, 243])
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('certificates of two hours: a probe takes no more than a quarter of what they have left', async () => {
  const machine = new Machine()
  machine.ca.lifetimeMs = 2 * HOUR
  await machine.start()
  await machine.untilLogged('certificate-issued')
  machine.ca.breakDown(DOWN)
  await machine.live(HOUR)
  await machine.untilLogged('certificate-put-off')
  const { notAfter } = machine.certificates.lifetimes[0]!
  await machine.live(notAfter - machine.clock.now() - 10 * MINUTE)
  const { probes } = machine.ca
  for (const [index, at] of probes.slice(0, -1).entries()) {
    const part = (probes[index + 1]! - at) / (notAfter - at)
    assert.ok(part < 0.251, `${part} of the rest`)
  }
  machine.ca.recover()
  await machine.live(9 * MINUTE)
  await machine.untilLogged('certificate-renewed')
  await machine.certificates.stop()
})

test('the pauses differ by the dice, by a tenth', async () => {
  for (const [random, after] of [
    [0, 54_000],
    [1, 66_000],
  ] as const) {
    const machine = new Machine()
    machine.random = random
    machine.ca.breakDown(DOWN)
    await machine.start()
    await machine.untilLogged('certificate-put-off')
    await machine.live(after - 1)
    assert.equal(machine.ca.probes.length, 0)
    await machine.live(1)
    assert.equal(machine.ca.probes.length, 1)
    await machine.certificates.stop()
  }
})

test('the CA’s own Retry-After wins where it is longer, and up to a day', async () => {
  for (const [retryAfterMs, expected] of [
    [30 * MINUTE, 30 * MINUTE],
    [1_000, MINUTE],
    [99_999_999_000, 1.1 * DAY],
  ] as const) {
    const machine = await down(1, { retryAfterMs })
    await machine.live(expected - 1)
    assert.equal(machine.ca.probes.length, 0)
    await machine.live(1)
    assert.equal(machine.ca.probes.length, 1)
    await machine.certificates.stop()
  }
})

test('no name’s retries are used up: the ladder goes on where it was', async () => {
  const machine = new Machine()
  machine.ca.fail('no')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  await machine.live(MINUTE)
  const before = machine.certificates.report()[0]!.attempts!
  machine.ca.breakDown(DOWN)
  await machine.live(DAY)
  const { failures, unfinished, reason } = machine.certificates.report()[0]!.attempts!
  assert.deepEqual([failures, unfinished, reason], [before.failures, 0, before.reason])
  machine.ca.fail('no')
  await machine.live(HOUR + MINUTE)
  assert.equal(machine.certificates.report()[0]!.attempts!.failures, before.failures + 1)
  await machine.certificates.stop()
})

test('a restart in an outage begins anew with one try, and counts it for nothing', async () => {
  const machine = await down()
  for (let restart = 0; restart < 5; restart++) {
    await machine.certificates.stop()
    await machine.start(...sites(1))
    await machine.untilLogged('certificate-put-off')
  }
  assert.deepEqual(await machine.storage.list('attempts'), [])
  assert.equal(machine.ca.requests.length, 6)
  await machine.certificates.stop()
  assert.equal(machine.clock.sleeping, 0)
})

test('when the CA answers, one goes first, and the others when that one was answered', async () => {
  const machine = await down(20)
  const requests = machine.ca.requests.length
  const gate = Promise.withResolvers<void>()
  machine.ca.recover()
  machine.ca.before = () => gate.promise
  await machine.clock.advance(MINUTE)
  await machine.until(() => machine.ca.requests.length > requests)
  assert.equal(machine.ca.requests.length, requests + 1)
  assert.deepEqual(told(machine), [1, 0, 0])
  gate.resolve()
  await machine.untilLogged('certificate-issued', 20)
  assert.deepEqual(told(machine), [1, 1, 0])
  await machine.certificates.stop()
})

test('a CA whose directory answers and whose orders fail is tried with one certificate after the other, ever more rarely', async () => {
  const machine = await down(20, { probe: 'answered' })
  const before = machine.ca.requests.length
  await machine.live(5 * HOUR)
  const tried = machine.ca.requests.slice(before).map(({ names }) => names[0])
  assert.equal(tried.length, 9)
  assert.equal(new Set(tried).size, 9)
  assert.deepEqual(told(machine), [1, 0, 0])
  machine.ca.recover()
  await machine.live(HOUR)
  await machine.untilLogged('certificate-issued', 20)
  await machine.certificates.stop()
})

test('a certificate over which the CA breaks down each time does not keep others from theirs, and waits by the ladder', async () => {
  const machine = new Machine()
  machine.ca.breakDown('Internal server error', { probe: 'answered' })
  const breakDown = machine.ca.before
  machine.ca.before = async (request, signal) => {
    if (request.names[0] === 'n0.test') await breakDown(request, signal)
  }
  await machine.start(...sites(1))
  await machine.untilLogged('certificate-put-off')
  await machine.certificates.stop()
  await machine.start(...sites(20))
  await machine.live(5 * MINUTE)
  await machine.untilLogged('certificate-issued', 19)
  await machine.live(DAY)
  const { failures } = machine.certificates.report('n0.test')[0]!.attempts!
  assert.ok(failures >= 3, `${failures}`)
  assert.ok(machine.ca.requests.filter(({ names }) => names[0] === 'n0.test').length < 10)
  await machine.certificates.stop()
})

test('what the CA has against a name ends an outage as well', async () => {
  const machine = await down(2, { probe: 'answered' })
  machine.ca.refuseNames()
  await machine.live(2 * MINUTE)
  assert.deepEqual(
    [machine.log.of('ca-answers-again').length, machine.log.of('certificate-failed').length > 0],
    [1, true],
  )
  await machine.certificates.stop()
})

test('the next issuer is used meanwhile, and the preferred one again when it answers', async () => {
  const machine = new Machine()
  machine.ca.breakDown(DOWN)
  const both = (names: string[]) => ({ names, issuersFor: () => ['ca', 'second'] })
  await machine.start(both(['a.test']), both(['b.test']))
  await machine.untilLogged('certificate-issued', 2)
  assert.deepEqual(
    machine.certificates.report().map(({ held }) => held!.from!.issuer),
    ['second', 'second'],
  )
  const asked = machine.ca.requests.length
  await machine.certificates.renew('a.test')
  await machine.untilLogged('certificate-renewed')
  assert.equal(machine.ca.requests.length, asked + 1, 'an operator who wants it has the preferred one asked')
  machine.ca.recover()
  await machine.live(HOUR)
  assert.deepEqual(told(machine), [1, 1, 0])
  await machine.certificates.renew('b.test')
  await machine.untilLogged('certificate-renewed', 2)
  assert.equal(machine.certificates.report('b.test')[0]!.held!.from!.issuer, 'ca')
  await machine.certificates.stop()
})

test('while one CA is out, what fails at the other counts', async () => {
  const machine = new Machine()
  machine.ca.breakDown(DOWN)
  machine.second.fail('not you')
  await machine.start({ issuersFor: () => ['ca', 'second'] })
  await machine.untilLogged('certificate-failed')
  const { reason, failures } = machine.certificates.report()[0]!.attempts!
  assert.deepEqual([reason, failures], [`ca: ${DOWN}. second: not you`, 1])
  machine.log.entries.length = 0
  await machine.clock.advance(MINUTE)
  await machine.untilLogged('certificate-failed')
  assert.match(
    machine.certificates.report()[0]!.attempts!.reason,
    /^ca: ca is out of order since 2026-11-24T12:00:00Z \(connect ECONNREFUSED\)\. second: not you$/,
  )
  await machine.certificates.stop()
})

test('two issuers that are the same CA are out together', async () => {
  const machine = new Machine()
  machine.second.authority = machine.ca.authority
  for (const issuer of [machine.ca, machine.second]) issuer.breakDown(DOWN)
  await machine.start({ names: ['a.test'] })
  await machine.untilLogged('certificate-put-off')
  await machine.certificates.stop()
  await machine.start({ names: ['a.test'] }, { names: ['b.test'], issuersFor: () => ['second'] })
  await machine.untilLogged('certificate-put-off')
  await machine.live(10 * MINUTE)
  assert.ok(machine.second.requests.length <= 1)
  assert.deepEqual(told(machine), [1, 0, 0])
  await machine.certificates.stop()
})

test('a retry by hand asks at once, and says that the CA is out of order', async () => {
  const machine = await down(2)
  const requests = machine.ca.requests.length
  const [asked] = await machine.certificates.retry({ name: 'n1.test' })
  const outcome = await asked!.outcome
  assert.equal(machine.ca.requests.length, requests + 1)
  assert.deepEqual(outcome, { status: 'failed', reason: `ca: ${DOWN}`, nextAt: machine.clock.now() + 2 * MINUTE })
  machine.ca.recover()
  const [again] = await machine.certificates.retry({ name: 'n1.test' })
  assert.equal((await again!.outcome).status, 'obtained')
  await machine.untilLogged('certificate-issued', 2)
  assert.deepEqual(told(machine), [1, 1, 0])
  await machine.certificates.stop()
})

test('a retry of all is of those that wait for the CA, and of nothing that is good', async () => {
  const machine = new Machine()
  await machine.start(...sites(1))
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  machine.ca.breakDown(DOWN)
  await machine.start(...sites(3))
  await machine.untilLogged('certificate-put-off', 2)
  machine.ca.recover()
  const asked = await machine.certificates.retry('all')
  assert.deepEqual(asked.map(({ names }) => names[0]).sort(), ['n1.test', 'n2.test'])
  for (const { outcome } of asked) assert.equal((await outcome).status, 'obtained')
  assert.deepEqual(await machine.certificates.retry('all'), [])
  await machine.certificates.stop()
})

test('the plan, the report and the state say what a certificate waits for', async () => {
  const machine = await down()
  const [report] = machine.certificates.report()
  const probeAt = machine.clock.now() + MINUTE
  assert.deepEqual(report!.step, {
    type: 'issue',
    at: probeAt,
    because: `waits for the CA: ca is out of order since 2026-11-24T12:00:00Z (${DOWN})`,
  })
  assert.deepEqual(report!.outage, { issuer: 'ca', since: machine.clock.now(), reason: DOWN, probeAt })
  assert.equal(
    machine.states.at(-1)!.waiting[0]!.reason,
    'it waits for the CA: ca is out of order since 2026-11-24T12:00:00Z (connect ECONNREFUSED)',
  )
  machine.ca.recover()
  await machine.live(MINUTE)
  assert.equal(machine.certificates.report()[0]!.outage, undefined)
  await machine.certificates.stop()
})

test('when to renew is not asked of a CA that is out', async () => {
  const machine = new Machine()
  let asked = 0
  machine.ca.renewalInfo = async () => {
    asked++
    return undefined
  }
  await machine.start({ names: ['a.test'] })
  await machine.untilLogged('certificate-issued')
  await machine.live(HOUR)
  machine.ca.breakDown(DOWN)
  await machine.certificates.stop()
  await machine.start({ names: ['a.test'] }, { names: ['b.test'] })
  await machine.untilLogged('certificate-put-off')
  const before = asked
  await machine.live(DAY)
  assert.equal(asked, before)
  machine.ca.recover()
  await machine.live(2 * HOUR)
  assert.ok(asked > before)
  await machine.certificates.stop()
})

test('a clock that is set back probes at once rather than in years', async () => {
  const machine = await down()
  machine.aheadMs = -365 * DAY
  await machine.live(HOUR)
  assert.ok(machine.ca.probes.length > 0)
  await machine.certificates.stop()
})

test('stopping ends a probe that hangs', async () => {
  const machine = await down()
  machine.ca.probe = (signal?: AbortSignal) =>
    new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason), { once: true }))
  await machine.clock.advance(2 * MINUTE)
  await machine.certificates.stop()
  assert.ok(machine.clock instanceof FakeClock && machine.clock.sleeping === 0)
})

test('fifty names and a CA that refuses connections for ten hours: a dozen requests, and then all of them', async () => {
  const life = await Life.open()
  life.ca.stopListening()
  await life.start({ sites: sites(50) })
  await life.live(10 * HOUR)
  assert.match(life.log.of('ca-out-of-order')[0]!.message, /cannot be reached: connect ECONNREFUSED/)
  assert.deepEqual(await life.storage.list('attempts'), [])
  assert.equal(life.ca.requests.length, 0)
  await life.ca.listen()
  await life.live(HOUR + MINUTE)
  assert.deepEqual([life.served.length, life.ca.certificates.all.length, life.ca.orders.unfinished.length], [50, 50, 0])
  assert.deepEqual([life.log.of('ca-answers-again').length, life.log.of('certificate-failed').length], [1, 0])
  await life.close()
})

test('of a certificate that nobody wants any more nothing is remembered', async () => {
  const log = new RecordingLog()
  const ca = { name: 'ca', authority: 'ca', settings: '', issue: async () => assert.fail() }
  const outages = new Outages({
    issuers: new Map([['ca', ca]]),
    clock: new FakeClock(),
    random: () => 0.5,
    log,
    onOpen: () => {},
    nextEnd: () => Number.POSITIVE_INFINITY,
    heldBack: () => [],
  })
  const down = Object.assign(new Error('down'), { concernsCa: true })
  outages.admit('ca', 'a')
  assert.equal(outages.failed('ca', 'a', down), true)
  assert.equal(outages.suspicion('ca', 'a'), 1)
  outages.forget('a')
  assert.equal(outages.suspicion('ca', 'a'), 0)
})

test('a certificate that meets two CAs out of order one after the other has failed at neither', async () => {
  const machine = new Machine()
  for (const ca of [machine.ca, machine.second]) ca.breakDown(DOWN)
  await machine.start({ issuersFor: () => ['ca', 'second'] })
  await machine.live(HOUR)
  assert.deepEqual(told(machine), [2, 0, 0])
  assert.deepEqual([machine.ca.requests.length, machine.second.requests.length], [1, 1])
  machine.second.recover()
  await machine.live(HOUR)
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
})
