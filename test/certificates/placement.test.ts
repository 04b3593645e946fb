import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Expected, ProofError } from '../../src/certificates/proof.ts'
import { readCertificate } from '../../src/certificates/record.ts'
import { DAY, HOUR, Machine } from './machine.ts'

const ID = 'a.test.ecdsa-p256'
const wrong = (): never => {
  throw new ProofError('proof-failed', 'Clients meet the former one still.')
}

test('a first certificate is proven when it serves, and nobody waits for that', async () => {
  const machine = new Machine()
  const proven: Expected[] = []
  const gate = Promise.withResolvers<'proven'>()
  machine.prove = (expected) => {
    proven.push(expected)
    return gate.promise
  }
  await machine.start({ names: ['a.test', 'b.test'], keys: ['ecdsa-p256', 'rsa-2048'] })
  await machine.untilLogged('certificate-issued', 2)
  gate.resolve('proven')
  await machine.untilLogged('certificate-proven', 2)
  assert.deepEqual(proven[0]!.names, ['a.test', 'b.test'])
  assert.equal(proven[0]!.former, undefined)
  assert.equal(proven[1]!.siblings.length, 1)
  await machine.certificates.stop()
})

test('one that is served wrongly and took nobody’s place serves all the same, and that is said', async () => {
  const machine = new Machine()
  machine.prove = async () => wrong()
  await machine.start()
  await machine.untilLogged('certificate-wrongly-served')
  const [said] = machine.log.of('certificate-wrongly-served')
  assert.equal(said!.level, 'error')
  assert.match(
    said!.message,
    /meet the former one still\. It serves all the same, as there is no former one for a\.test/,
  )
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.live(DAY)
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('a renewed one that is served wrongly makes room for the former one, and is a failure as any other', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const [former] = machine.certificates.state.held
  const during: (string | undefined)[] = []
  machine.prove = async () => {
    during.push(machine.states.at(-1)?.held[0]?.id)
    return wrong()
  }
  await machine.live(61 * DAY)
  assert.notEqual(during[0], former!.id)
  assert.deepEqual(machine.certificates.state.held, [former])
  assert.equal(machine.states.at(-1)!.held[0]!.id, former!.id)
  const stored = await readCertificate(machine.storage, ID)
  assert.ok(former!.id.endsWith(stored!.certificate.fingerprint))
  assert.match(
    machine.log.of('certificate-failed')[0]!.message,
    /Could not renew .* former one still\. The next try is in \d+ (?:minute|hour)s?, .* The former one serves/,
  )
  machine.prove = async () => 'proven'
  await machine.live(2 * DAY)
  assert.notEqual(machine.certificates.state.held[0]!.id, former!.id)
  await machine.certificates.stop()
})

test('the next try is proven in turn, and what cannot be tried is no failure', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const [former] = machine.certificates.state.held
  machine.prove = async (expected) => {
    assert.ok(former!.id.endsWith(expected.former!.fingerprint))
    return 'unproven'
  }
  const [asked] = await machine.certificates.renew('a.test')
  assert.equal((await asked!.outcome).status, 'obtained')
  assert.equal(machine.log.of('certificate-unproven').length, 1)
  await machine.certificates.stop()
})

test('while many are proven, their CA is asked for others, but not for the same names', async () => {
  const machine = new Machine()
  const sites = Array.from({ length: 12 }, (_, index) => ({ names: [`n${index}.test`] }))
  await machine.start(...sites)
  await machine.untilLogged('certificate-issued', 12)
  const gate = Promise.withResolvers<'proven'>()
  machine.prove = () => gate.promise
  await machine.clock.advance(65 * DAY)
  await machine.until(() => machine.ca.requests.length === 24)
  await machine.clock.advance(HOUR)
  assert.equal(machine.ca.requests.length, 24)
  assert.equal(machine.log.of('certificate-renewed').length, 0)
  gate.resolve('proven')
  await machine.untilLogged('certificate-renewed', 12)
  await machine.certificates.stop()
})

test('what was told but not proven when the program stops serves after the next start', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const [former] = machine.certificates.state.held
  machine.prove = (_, signal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  await machine.certificates.renew('a.test')
  await machine.until(() => machine.certificates.state.held[0]!.id !== former!.id)
  const served = machine.certificates.state.held[0]!.id
  await machine.certificates.stop()
  await machine.start()
  assert.equal(machine.certificates.state.held[0]!.id, served)
  await machine.certificates.stop()
})
