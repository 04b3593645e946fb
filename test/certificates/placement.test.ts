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

test('what clients refuse is not put back: what has ended or was revoked', async () => {
  for (const spoil of ['end', 'revoke'] as const) {
    const machine = new Machine()
    machine.ca.revoke = async () => {}
    await machine.start()
    await machine.untilLogged('certificate-issued')
    const [former] = machine.certificates.state.held
    machine.prove = async () => wrong()
    if (spoil === 'revoke') {
      const [asked] = await machine.certificates.revoke('a.test', 'keyCompromise')
      assert.equal((await asked!.outcome).status, 'obtained')
    } else {
      machine.ca.fail('closed')
      await machine.live(91 * DAY)
      machine.ca.recover()
      await machine.live(2 * DAY)
    }
    assert.notEqual(machine.certificates.state.held[0]!.id, former!.id, spoil)
    assert.match(
      machine.log.of('certificate-wrongly-served')[0]!.message,
      /no former one for a\.test that clients would/,
    )
    const orders = machine.ca.requests.length
    await machine.live(2 * DAY)
    assert.equal(machine.ca.requests.length, orders, 'it is not ordered again and again')
    await machine.certificates.stop()
  }
})

test('one that made room for what stands in does not serve after a restart either', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const [former] = machine.certificates.state.held
  await machine.certificates.stop()
  const site = { names: ['a.test', 'www.a.test'] }
  machine.prove = async () => wrong()
  await machine.start(site)
  await machine.untilLogged('certificate-failed')
  assert.match(
    machine.log.of('certificate-set-aside')[0]!.message,
    /^The ecdsa-p256 certificate for a\.test, www\.a\.test is/,
  )
  await machine.certificates.stop()
  await machine.start(site)
  const fingerprints = machine.certificates.state.held.map(({ id }) => id.split(':')[1])
  assert.deepEqual(fingerprints, [former!.id.split(':')[1]])
  await machine.certificates.stop()
})

test('a former one that is revoked by hand while its successor is stored does not take its place in the storage', async () => {
  const machine = new Machine()
  const gate = Promise.withResolvers<void>()
  machine.ca.revoke = () => gate.promise
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const put = machine.storage.put.bind(machine.storage)
  const writing = Promise.withResolvers<void>()
  const stored = Promise.withResolvers<void>()
  machine.storage.put = async (key, value) => {
    if (key === `certificates/${ID}`) {
      writing.resolve()
      await stored.promise
    }
    return put(key, value)
  }
  const revoking = machine.certificates.revoke('a.test', 'keyCompromise')
  await machine.certificates.renew('a.test')
  await writing.promise
  gate.resolve()
  await machine.clock.advance(0)
  await new Promise((resolve) => setImmediate(resolve))
  stored.resolve()
  await revoking
  await machine.untilLogged('certificate-renewed')
  const kept = await readCertificate(machine.storage, ID)
  assert.equal(kept!.revokedByHand, undefined)
  assert.ok(machine.certificates.state.held[0]!.id.endsWith(kept!.certificate.fingerprint))
  await machine.certificates.stop()
})

test('who revokes what is being proven hears of its successor', async () => {
  const machine = new Machine()
  machine.ca.revoke = async () => {}
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const gate = Promise.withResolvers<'proven'>()
  machine.prove = () => gate.promise
  const [former] = machine.certificates.state.held
  await machine.certificates.renew('a.test')
  await machine.until(() => machine.certificates.state.held[0]!.id !== former!.id)
  const [asked] = await machine.certificates.revoke('a.test', 'keyCompromise')
  gate.resolve('proven')
  assert.equal((await asked!.outcome).status, 'obtained')
  assert.equal(machine.ca.requests.length, 3)
  assert.equal(machine.certificates.report()[0]!.step.type, 'keep')
  await machine.certificates.stop()
})
