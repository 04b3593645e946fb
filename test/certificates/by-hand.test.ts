import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UnknownCertificateError } from '../../src/certificates/selection.ts'
import type { Asked } from '../../src/certificates/wish.ts'
import { CastellanError } from '../../src/errors.ts'
import type { Revocation } from '../../src/issuers/issuer.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

const BOTH = { keys: ['ecdsa-p256', 'rsa-2048'] as const }

function outcomes(asked: readonly Asked[]) {
  return Promise.all(asked.map(({ outcome }) => outcome))
}

async function heldBy(site = {}): Promise<Machine> {
  const machine = new Machine()
  await machine.start(site)
  await machine.until(() => machine.certificates.state.waiting.length === 0)
  return machine
}

test('a retry tries at once what would have waited, and says what came of it', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  machine.ca.recover()
  const [outcome] = await outcomes(await machine.certificates.retry({ name: 'a.test' }))
  assert.deepEqual(outcome, { status: 'obtained', issuer: 'ca', notAfter: machine.clock.now() + 90 * DAY })
  assert.equal(machine.certificates.state.held.length, 1)
  assert.equal(machine.certificates.report()[0]!.attempts, undefined)
  await machine.certificates.stop()
})

test('a retry that fails too waits for as long as if it had come in its time', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  const now = machine.clock.now()
  const [outcome] = await outcomes(await machine.certificates.retry({ name: 'a.test' }))
  assert.deepEqual(outcome, { status: 'failed', reason: 'ca: closed', nextAt: now + 10 * MINUTE })
  await machine.live(10 * MINUTE - 1)
  assert.equal(machine.ca.requests.length, 2)
  await machine.live(1)
  assert.equal(machine.ca.requests.length, 3)
  await machine.certificates.stop()
})

test('a name that the CA cannot validate is tried once for both kinds of key', async () => {
  const machine = new Machine()
  machine.ca.refuseNames()
  await machine.start(BOTH)
  await machine.untilLogged('certificate-failed')
  const ended = await outcomes(await machine.certificates.retry({ name: 'a.test' }))
  assert.deepEqual(
    ended.map(({ status }) => status),
    ['failed', 'failed'],
  )
  assert.equal(machine.ca.requests.length, 2)
  await machine.certificates.stop()
})

test('a retry of all is of what waits, and of nothing else', async () => {
  const machine = new Machine()
  machine.second.fail('closed')
  await machine.start({}, { names: ['b.test'], issuersFor: () => ['second'] })
  await machine.untilLogged('certificate-issued')
  await machine.untilLogged('certificate-failed')
  machine.second.recover()
  const asked = await machine.certificates.retry('all')
  assert.deepEqual(
    asked.map(({ id }) => id),
    ['b.test.ecdsa-p256'],
  )
  assert.equal((await outcomes(asked))[0]!.status, 'obtained')
  assert.deepEqual(await machine.certificates.retry('all'), [])
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('a retry of what is good orders nothing, and says until when it is kept', async () => {
  const machine = await heldBy()
  const [outcome] = await outcomes(await machine.certificates.retry({ name: 'a.test' }))
  const { step } = machine.certificates.report()[0]!
  assert.ok(step.type === 'keep')
  assert.deepEqual(outcome, { status: 'not-due', renewAt: step.renewAt, because: step.because })
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('a renewal by hand is ordered although it is not due, in place of the former certificate', async () => {
  const machine = await heldBy(BOTH)
  const before = machine.certificates.state.held.map(({ id }) => id)
  await machine.live(DAY)
  const ended = await outcomes(await machine.certificates.renew('a.test'))
  assert.deepEqual(
    ended.map(({ status }) => status),
    ['obtained', 'obtained'],
  )
  assert.match(machine.log.of('certificate-requested')[2]!.message, /: it was asked for by hand\.$/)
  assert.equal(machine.log.of('certificate-renewed').length, 2)
  assert.ok(machine.ca.requests[2]!.predecessor !== undefined)
  for (const { id } of machine.certificates.state.held) assert.ok(!before.includes(id))
  await machine.live(HOUR)
  assert.equal(machine.ca.requests.length, 4)
  await machine.certificates.stop()
})

test('a renewal by hand that fails is tried once, and is due again when it would have been', async () => {
  const machine = await heldBy()
  const before = machine.certificates.report()[0]!.step
  machine.ca.fail('closed')
  const [outcome] = await outcomes(await machine.certificates.renew('a.test'))
  assert.ok(before.type === 'keep')
  assert.deepEqual(outcome, { status: 'failed', reason: 'ca: closed', nextAt: before.renewAt })
  await machine.live(DAY)
  assert.equal(machine.ca.requests.length, 2)
  const { step, attempts } = machine.certificates.report()[0]!
  assert.deepEqual(step, before)
  assert.equal(attempts?.reason, 'ca: closed')
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.certificates.stop()
})

test('who asks while it is being ordered hears of that order', async () => {
  const machine = new Machine()
  const gate = Promise.withResolvers<void>()
  machine.ca.before = () => gate.promise
  await machine.start()
  await machine.until(() => machine.ca.requests.length === 1)
  const first = await machine.certificates.retry({ name: 'a.test' })
  const second = await machine.certificates.renew('a.test')
  gate.resolve()
  for (const asked of [first, second]) assert.equal((await outcomes(asked))[0]!.status, 'obtained')
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('when the program stops, whoever waits is told', async () => {
  const machine = await heldBy()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const asked = await machine.certificates.renew('a.test')
  await machine.until(() => machine.ca.requests.length === 2)
  await machine.certificates.stop()
  assert.deepEqual(await outcomes(asked), [{ status: 'stopped' }])
})

test('the waits stay cleared over a restart', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  machine.ca.before = () => new Promise(() => {})
  await machine.certificates.retry({ name: 'a.test' })
  await machine.until(() => machine.ca.requests.length === 2)
  // Killed: nothing of it is stopped in order.
  machine.ca.recover()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.ca.requests.length, 3)
  await machine.certificates.stop()
})

test('what an operator brings is not ordered by anybody', async () => {
  const machine = new Machine()
  machine.ownFiles = [
    { site: 'own.test', names: ['own.test'], files: [{ certificate: '/none.crt', key: '/none.key' }] },
  ]
  await machine.start()
  for (const asked of [
    await machine.certificates.retry({ name: 'own.test' }),
    await machine.certificates.renew('own.test'),
  ])
    assert.deepEqual(await outcomes(asked), [{ status: 'own-files' }])
  await machine.certificates.stop()
})

test('a name that nothing is wanted for is told, with the one that was meant', async () => {
  const machine = await heldBy()
  const isUnknown = (error: unknown): boolean =>
    error instanceof UnknownCertificateError && error.message.includes('did you mean "a.test"?')
  await assert.rejects(machine.certificates.retry({ name: 'a.tset' }), isUnknown)
  await assert.rejects(machine.certificates.renew('a.tset'), isUnknown)
  assert.throws(() => machine.certificates.report('a.tset'), isUnknown)
  await machine.certificates.stop()
})

const revocations = (machine: Machine): Revocation[] => {
  const asked: Revocation[] = []
  machine.ca.revoke = async (revocation) => void asked.push(revocation)
  return asked
}

test('what is revoked is replaced at once, and stays known as revoked until it is, over a restart too', async () => {
  const machine = await heldBy(BOTH)
  await machine.untilLogged('certificate-issued', 2)
  const asked = revocations(machine)
  const before = machine.certificates.state.held.map(({ id }) => id)
  machine.ca.fail('closed')
  const failed = await outcomes(await machine.certificates.revoke('a.test', 'keyCompromise'))
  assert.deepEqual(
    failed.map(({ status }) => status),
    ['failed', 'failed'],
  )
  assert.deepEqual(
    asked.map(({ reason, site, certificate }) => [reason, site, certificate.keyKind]),
    [
      ['keyCompromise', 'a.test', 'ecdsa-p256'],
      ['keyCompromise', 'a.test', 'rsa-2048'],
    ],
  )
  assert.equal(machine.certificates.report()[0]!.step.type, 'issue')
  await machine.certificates.stop()
  machine.ca.recover()
  await machine.start(BOTH)
  await machine.live(2 * MINUTE)
  assert.equal(machine.log.of('certificate-issued').length, 2)
  assert.match(machine.log.of('certificate-requested')[0]!.message, /it was revoked at \S+, by hand \(keyCompromise\)/)
  const after = machine.certificates.state.held.map(({ id }) => id)
  assert.equal(new Set([...before, ...after]).size, 4)
  assert.equal(asked.length, 2)
  await machine.live(DAY)
  assert.equal(machine.certificates.report()[0]!.step.type, 'keep')
  await machine.certificates.stop()
})

test('what a CA does not revoke is not replaced, and the reason is told', async () => {
  const machine = await heldBy()
  machine.ca.revoke = async () => {
    throw new CastellanError('refused', 'not yours')
  }
  assert.deepEqual(await outcomes(await machine.certificates.revoke('a.test', 'superseded')), [
    { status: 'not-revoked', reason: 'not yours' },
  ])
  machine.ca.revoke = undefined
  const [without] = await outcomes(await machine.certificates.revoke('a.test', 'superseded'))
  assert.match(without!.status === 'not-revoked' ? without!.reason : '', /keeps no list of revoked certificates/)
  machine.ca.authority = 'https://another.test/directory'
  machine.ca.fail('closed')
  const [gone] = await outcomes(await machine.certificates.revoke('a.test', 'superseded'))
  assert.match(gone!.status === 'not-revoked' ? gone!.reason : '', /is not any more/)
  await assert.rejects(machine.certificates.revoke('b.test', 'superseded'), UnknownCertificateError)
  await machine.certificates.stop()
})
