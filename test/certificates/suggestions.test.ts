import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Certificate } from '../../src/pki/certificate.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

/** A machine whose CA suggests to renew within these days of a certificate's life, and counts how often it is asked. */
function suggesting(fromDay: number, toDay: number, more: { explanationUrl?: string; retryAfterMs?: number } = {}) {
  const machine = new Machine()
  const asked: number[] = []
  machine.ca.renewalInfo = async ({ notBefore }: Certificate) => {
    asked.push(machine.clock.now())
    return {
      windowStart: notBefore + fromDay * DAY,
      windowEnd: notBefore + toDay * DAY,
      explanationUrl: more.explanationUrl,
      retryAfterMs: more.retryAfterMs,
    }
  }
  return { machine, asked }
}

const renewals = (machine: Machine): number => machine.log.of('certificate-renewed').length

test('a certificate is renewed at an instant of the window that its CA suggests', async () => {
  for (const [random, day] of [
    [0, 20],
    [0.5, 25],
    [1, 30],
  ] as const) {
    const { machine } = suggesting(20, 30)
    machine.random = random
    await machine.start()
    await machine.untilLogged('renewal-suggested')
    await machine.live(day * DAY - HOUR)
    assert.equal(renewals(machine), 0)
    await machine.live(2 * HOUR)
    assert.equal(renewals(machine), 1)
    assert.match(machine.log.of('certificate-requested')[1]!.message, /: its CA suggests it\./)
    await machine.certificates.stop()
  }
})

test('the order says which certificate it replaces, if that is of the same CA', async () => {
  const { machine } = suggesting(20, 30)
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.live(31 * DAY)
  assert.equal(machine.ca.requests[0]!.predecessor, undefined)
  assert.ok(machine.ca.requests[1]!.predecessor !== undefined)
  machine.ca.fail('closed')
  await machine.certificates.stop()
  await machine.start({ issuersFor: () => ['ca', 'second'] })
  await machine.live(31 * DAY)
  assert.equal(machine.second.requests[0]!.predecessor, undefined)
  await machine.certificates.stop()
})

test('a window that is past means now, and the certificate serves until the new one is there', async () => {
  const { machine, asked } = suggesting(50, 60)
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  await machine.live(DAY)
  // Revoked: the CA moves the window into the past.
  const former = machine.ca.renewalInfo!
  machine.ca.renewalInfo = async (certificate, signal) => {
    asked.push(machine.clock.now())
    const info = await former(certificate, signal)
    const isRevoked = certificate.fingerprint === before
    return isRevoked ? { ...info!, windowStart: 0, windowEnd: 1, explanationUrl: 'https://ca.example/incident' } : info
  }
  const before = machine.certificates.state.held[0]!.id.split(':')[1]
  await machine.live(12 * HOUR)
  assert.equal(renewals(machine), 1)
  assert.match(machine.log.of('renewal-suggested')[1]!.message, /It says why at https:\/\/ca\.example\/incident$/)
  await machine.live(5 * DAY)
  assert.equal(renewals(machine), 1)
  await machine.certificates.stop()
})

test('a CA that suggests the past again and again is asked for one an hour at most', async () => {
  const { machine } = suggesting(-2, -1)
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  await machine.live(DAY)
  assert.ok(renewals(machine) <= 24, String(renewals(machine)))
  await machine.certificates.stop()
})

test('a suggestion beyond what is left for tries is not waited for', async () => {
  const { machine } = suggesting(95, 99)
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  await machine.live(82 * DAY)
  assert.equal(renewals(machine), 1)
  await machine.certificates.stop()
})

for (const [what, retryAfterMs, least, most] of [
  ['every six hours unless it says so', undefined, 3, 5],
  ['as often as it says', HOUR, 21, 27],
  ['no more often than once a minute', 1, 1200, 1700],
  ['at least once a day', 30 * DAY, 1, 2],
] as const)
  test(`a CA is asked ${what}`, async () => {
    const { machine, asked } = suggesting(20, 30, retryAfterMs === undefined ? {} : { retryAfterMs })
    await machine.start()
    await machine.untilLogged('certificate-issued')
    await machine.live(DAY)
    assert.ok(asked.length >= least && asked.length <= most + 1, String(asked.length))
    await machine.certificates.stop()
  })

test('after a restart the instant is the same, and nothing is asked before its time', async () => {
  const { machine, asked } = suggesting(20, 30)
  machine.random = 0
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  await machine.certificates.stop()
  machine.random = 1
  await machine.start()
  await machine.live(HOUR)
  assert.equal(asked.length, 1)
  await machine.live(20 * DAY)
  assert.equal(renewals(machine), 1)
  await machine.certificates.stop()
})

test('a CA that gives no answer is asked again after hours, and the lifetime decides', async () => {
  const machine = new Machine()
  let asked = 0
  machine.ca.renewalInfo = async () => {
    asked++
    throw new Error('out of order')
  }
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.live(DAY)
  assert.ok(asked >= 4 && asked <= 6, String(asked))
  assert.deepEqual(
    machine.log.entries.filter(({ level }) => level === 'warn' || level === 'error'),
    [],
  )
  await machine.live(60 * DAY)
  assert.equal(renewals(machine), 1)
  await machine.certificates.stop()
})

test('an answer that fails later leaves the suggestion as it was', async () => {
  const { machine } = suggesting(20, 30)
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  machine.ca.renewalInfo = async () => {
    throw new Error('out of order')
  }
  await machine.live(26 * DAY)
  assert.equal(renewals(machine), 1)
  await machine.certificates.stop()
})

test('nothing is asked for an expired certificate, nor of a CA that is another one by now', async () => {
  const { machine, asked } = suggesting(20, 30)
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const before = asked.length
  machine.ca.fail('no')
  machine.ca.authority = 'https://other.test/'
  await machine.start()
  await machine.live(HOUR)
  assert.equal(asked.length, before)
  await machine.certificates.stop()
  machine.ca.authority = 'https://ca.test/directory'
  await machine.clock.advance(100 * DAY)
  await machine.start()
  await machine.live(DAY)
  assert.equal(asked.length, before)
  await machine.certificates.stop()
})

test('nothing is asked any more for a certificate that was replaced', async () => {
  const machine = new Machine()
  const asked: string[] = []
  machine.ca.renewalInfo = async ({ fingerprint, notBefore }: Certificate) => {
    asked.push(fingerprint)
    const [windowStart, windowEnd] = [notBefore + 20 * DAY, notBefore + 21 * DAY]
    return { windowStart, windowEnd, explanationUrl: undefined, retryAfterMs: undefined }
  }
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  await machine.live(22 * DAY)
  assert.equal(renewals(machine), 1)
  const former = asked[0]!
  asked.length = 0
  await machine.live(5 * DAY)
  assert.ok(asked.length >= 15 && !asked.includes(former), `${asked.length}`)
  await machine.certificates.stop()
})

test('a damaged memory of it is asked anew, and one that cannot be stored is no trouble', async () => {
  const { machine, asked } = suggesting(20, 30)
  await machine.start()
  await machine.untilLogged('renewal-suggested')
  await machine.certificates.stop()
  for (const damaged of ['{', 'null', '{"fingerprint":1}', '{"fingerprint":"x","askAt":"soon"}']) {
    await machine.storage.put('renewal-info/a.test.ecdsa-p256', Buffer.from(damaged))
    const before = asked.length
    await machine.start()
    await machine.untilLogged('renewal-suggested')
    await machine.certificates.stop()
    assert.equal(asked.length, before + 1, damaged)
  }
  machine.storage.fails = (operation, key) => operation === 'put' && key.startsWith('renewal-info/')
  await machine.start()
  await machine.live(DAY)
  assert.deepEqual(
    machine.log
      .of('renewal-info-not-stored')
      .map(({ level }) => level)
      .slice(0, 1),
    ['debug'],
  )
  await machine.certificates.stop()
})

test('a clock that is set back asks at once rather than in years', async () => {
  const { machine, asked } = suggesting(20, 30)
  machine.aheadMs = 365 * DAY
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.untilLogged('renewal-suggested')
  machine.aheadMs = 0
  machine.ca.fail('no')
  const before = asked.length
  await machine.live(HOUR + MINUTE)
  assert.ok(asked.length > before)
  await machine.certificates.stop()
})
