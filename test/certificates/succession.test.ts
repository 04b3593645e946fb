import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SiteCertificates } from '../../src/certificates/wanted.ts'
import type { LeafTerms } from '../pki/stapled-authority.ts'
import { FakeResponder } from './fake-responder.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

// A certificate that is served with a staple gives its place to one that has a staple too.

const OUT = new Error('out of order')

/** A machine whose certificates are there, each with its staple, and are due in two months. */
async function settled(site: Partial<SiteCertificates> = {}, terms: Partial<LeafTerms> = {}) {
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  responder.serve(machine, terms)
  await machine.start(site)
  const count = site.keys?.length ?? 1
  await machine.untilLogged('certificate-issued', count)
  await machine.untilLogged('staple-received', count)
  await machine.live(50 * DAY)
  machine.states.length = 0
  return { machine, responder }
}

/** What was said of it since the start, but for a staple that has not much time left. */
const told = ({ log }: Machine): string[] =>
  log.entries
    .filter(
      ({ level, event }) => level !== 'debug' && event !== 'staple-ending' && /^(staple|certificate)-/.test(event),
    )
    .map(({ event }) => event)

const hasGaps = ({ states }: Machine): boolean =>
  states.some(({ held }) => held.length === 0 || held.some(({ staple }) => staple === undefined))

/** From here on, day by day, until something was logged. */
async function liveUntil(machine: Machine, event: string): Promise<void> {
  for (let hours = 0; machine.log.of(event).length === 0; hours++) {
    assert.ok(hours < 24 * 30, `${event} does not come: ${told(machine)}`)
    await machine.live(HOUR)
  }
}

for (const mustStaple of [false, true])
  test(`a renewal changes no moment without a staple${mustStaple ? ', must-staple' : ''}`, async () => {
    const { machine } = await settled({ mustStaple }, { mustStaple })
    await liveUntil(machine, 'certificate-renewed')
    assert.ok(machine.states.length > 0)
    assert.equal(hasGaps(machine), false)
    assert.deepEqual(machine.log.of('certificate-awaits-staple'), [])
    await machine.certificates.stop()
  })

for (const mustStaple of [false, true])
  test(`the responder is out: the former serves on until it is back${mustStaple ? ', must-staple' : ''}`, async () => {
    const { machine, responder } = await settled({ mustStaple }, { mustStaple })
    const [former] = machine.certificates.state.held
    machine.ca.before = async () => {
      responder.fault = OUT
    }
    await liveUntil(machine, 'certificate-awaits-staple')
    await machine.live(2 * DAY)
    assert.deepEqual(
      machine.certificates.state.held.map(({ id }) => id),
      [former!.id],
    )
    responder.fault = undefined
    await machine.live(8 * HOUR)
    await machine.untilLogged('certificate-renewed')
    assert.notEqual(machine.certificates.state.held[0]!.id, former!.id)
    assert.equal(hasGaps(machine), false)
    assert.deepEqual(told(machine).slice(-4), [
      'certificate-requested',
      'certificate-awaits-staple',
      'staple-received',
      'certificate-renewed',
    ])
    await machine.certificates.stop()
    assert.equal(machine.clock.sleeping, 0)
  })

test('a responder that stays out: the new one serves when the former has no staple left, and that is told', async () => {
  const { machine, responder } = await settled()
  machine.ca.before = async () => {
    responder.fault = OUT
  }
  await liveUntil(machine, 'certificate-awaits-staple')
  const since = machine.clock.now()
  const [former] = machine.certificates.state.held
  await liveUntil(machine, 'certificate-renewed')
  assert.ok(machine.clock.now() - since > 3 * DAY, 'a staple is good for seven days, and renewed after half of them')
  assert.notEqual(machine.certificates.state.held[0]!.id, former!.id)
  await machine.live(2 * HOUR)
  assert.equal(machine.log.of('staple-failed').filter(({ level }) => level === 'warn').length, 1)
  await machine.certificates.stop()
})

test('a responder that never knows the new one: half of what the former has left is waited for, and no more', async () => {
  const { machine, responder } = await settled()
  const [first] = responder.issued
  responder.statusOf = (certificate) => (certificate.fingerprint === first!.fingerprint ? 'good' : 'unknown')
  await liveUntil(machine, 'certificate-awaits-staple')
  const since = machine.clock.now()
  const half = (first!.notAfter - since) / 2
  await liveUntil(machine, 'certificate-renewed')
  const waited = machine.clock.now() - since
  assert.ok(waited > half - HOUR && waited < half + HOUR, `${waited / DAY} days of ${half / DAY}`)
  await machine.certificates.stop()
})

test('the former one turns out to be revoked: it is waited for no longer', async () => {
  const { machine, responder } = await settled()
  const [first] = responder.issued
  responder.statusOf = (certificate) => (certificate.fingerprint === first!.fingerprint ? 'good' : 'unknown')
  await liveUntil(machine, 'certificate-awaits-staple')
  const since = machine.clock.now()
  responder.statusOf = (certificate) =>
    certificate.fingerprint === first!.fingerprint ? { revokedAt: since } : 'unknown'
  await liveUntil(machine, 'certificate-revoked')
  await machine.live(5 * MINUTE)
  await machine.untilLogged('certificate-renewed')
  await machine.certificates.stop()
})

test('while one waits, the other kind of key is renewed, and takes no staple away', async () => {
  const { machine, responder } = await settled({ keys: ['ecdsa-p256', 'rsa-2048'] })
  responder.statusOf = (certificate) =>
    certificate.keyKind === 'ecdsa-p256' && certificate !== responder.issued[0] && isNew ? 'unknown' : 'good'
  let isNew = true
  await liveUntil(machine, 'certificate-awaits-staple')
  await liveUntil(machine, 'certificate-renewed')
  assert.equal(machine.log.of('certificate-renewed')[0]!.facts.keyKind, 'rsa-2048')
  isNew = false
  await machine.live(DAY)
  await machine.untilLogged('certificate-renewed', 2)
  assert.equal(hasGaps(machine), false)
  await machine.certificates.stop()
})

test('a renewal by hand waits for one answer, and no longer', async () => {
  const { machine, responder } = await settled()
  responder.fault = OUT
  const [asked] = await machine.certificates.renew('a.test')
  assert.equal((await asked!.outcome).status, 'obtained')
  assert.deepEqual(machine.log.of('certificate-awaits-staple'), [])
  await machine.certificates.stop()
})

test('the end of the program ends the wait, and the next start serves the new one', async () => {
  const { machine, responder } = await settled()
  machine.ca.before = async () => {
    responder.fault = OUT
  }
  await liveUntil(machine, 'certificate-awaits-staple')
  const [former] = machine.certificates.state.held
  await machine.certificates.stop()
  assert.equal(machine.clock.sleeping, 0)
  await machine.start()
  assert.notEqual(machine.certificates.state.held[0]!.id, former!.id)
  assert.equal(machine.ca.requests.length, 2)
  await machine.certificates.stop()
})

test('the responder is out while the config changes: the former serves on there, and stopping waits for nobody', async () => {
  for (const isBack of [true, false]) {
    const { machine, responder } = await settled()
    const [former] = machine.certificates.state.held
    machine.ca.before = async () => {
      responder.fault = OUT
    }
    await liveUntil(machine, 'certificate-awaits-staple')
    const { handedOver } = await machine.change({})
    await machine.live(DAY)
    assert.deepEqual(
      machine.certificates.state.held.map(({ id }) => id),
      [former!.id],
    )
    if (isBack) {
      responder.fault = undefined
      await machine.live(8 * HOUR)
      await handedOver
      assert.notEqual(machine.certificates.state.held[0]!.id, former!.id)
      assert.equal(hasGaps(machine), false)
    }
    await machine.certificates.stop()
    await handedOver
  }
})
