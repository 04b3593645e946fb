import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Attention, noAttention } from '../../src/certificates/attention.ts'
import { unpackChain } from '../../src/certificates/packed-certificate.ts'
import { readOcspResponse } from '../../src/pki/ocsp-response.ts'
import { statusResponse } from '../pki/signed-response.ts'
import type { LeafTerms } from '../pki/stapled-authority.ts'
import { FakeResponder } from './fake-responder.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

const KEY_COMPROMISE = 1

/** A machine that runs, with one certificate whose CA has a responder. */
async function running(
  prepare: (responder: FakeResponder, machine: Machine) => void = () => {},
  terms: Partial<LeafTerms> = {},
) {
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  responder.serve(machine, terms)
  prepare(responder, machine)
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.until(() => responder.asked.length > 0)
  return { machine, responder }
}

const stapleOf = (machine: Machine): string | undefined => machine.certificates.state.held[0]?.staple

/** Whether a client would believe what is stapled now. */
function isGood(machine: Machine): boolean {
  const [held] = machine.certificates.state.held
  if (held?.staple === undefined) return false
  const [certificate, issuer] = unpackChain(held.packed)
  const now = machine.clock.now()
  const { status } = readOcspResponse(Buffer.from(held.staple, 'base64'), { certificate, issuer: issuer!, now })
  return status.type === 'good'
}

test('a staple is had at once, told to the workers, stored, and renewed halfway to its end', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  assert.ok(isGood(machine))
  assert.equal(machine.states.at(-1)?.held[0]?.staple, stapleOf(machine))
  assert.deepEqual(await machine.storage.list('staples'), [`staples/${responder.issued[0]!.fingerprint}`])
  const [id] = machine.certificates.state.held.map((held) => held.id)
  const first = stapleOf(machine)
  await machine.live(3 * DAY)
  assert.equal(responder.asked.length, 1)
  await machine.live(DAY)
  assert.equal(responder.asked.length, 2)
  assert.notEqual(stapleOf(machine), first)
  assert.equal(machine.certificates.state.held[0]!.id, id, 'the id changes with the certificate alone')
  await machine.certificates.stop()
  assert.equal(machine.clock.sleeping, 0)
})

for (const [random, earliest, latest] of [
  [0, 3.1, 3.2],
  [0.999, 3.8, 3.9],
] as const)
  test(`with the dice at ${random} that is after ${earliest} to ${latest} days of seven`, async () => {
    const { machine, responder } = await running((_, box) => {
      box.random = random
    })
    await machine.untilLogged('staple-received')
    await machine.live(4 * DAY)
    const days = (responder.asked[1]! - responder.asked[0]!) / DAY
    assert.ok(days > earliest && days < latest, String(days))
    await machine.certificates.stop()
  })

test('a certificate without a responder asks nobody, stores nothing and says nothing', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.live(10 * DAY)
  assert.equal(stapleOf(machine), undefined)
  assert.deepEqual(await machine.storage.list('staples'), [])
  assert.deepEqual(
    machine.log.entries.filter(({ event }) => event.startsWith('staple')),
    [],
  )
  await machine.certificates.stop()
})

test('a restart serves what is stored, and asks when it is time', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  const before = stapleOf(machine)
  await machine.certificates.stop()
  await machine.start()
  assert.equal(stapleOf(machine), before)
  await machine.live(2 * DAY)
  assert.equal(responder.asked.length, 1)
  await machine.live(2 * DAY)
  assert.equal(responder.asked.length, 2)
  await machine.certificates.stop()
})

test('what is stored and over, or damaged, is not served, and asked for anew', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  await machine.certificates.stop()
  await machine.clock.advance(8 * DAY)
  responder.fault = new Error('out of order')
  await machine.start()
  assert.equal(stapleOf(machine), undefined)
  await machine.certificates.stop()
  const [key] = await machine.storage.list('staples')
  for (const damaged of ['', 'null', '{"receivedAt":1,"response":"MAA="}', '{"receivedAt":"x"}']) {
    await machine.storage.put(key!, Buffer.from(damaged))
    await machine.start()
    assert.equal(stapleOf(machine), undefined, damaged)
    responder.fault = undefined
    await machine.live(2 * MINUTE)
    await machine.untilLogged('staple-received')
    assert.ok(isGood(machine))
    responder.fault = new Error('out of order')
    await machine.certificates.stop()
  }
})

test('a storage that fails costs no staple', async () => {
  const { machine } = await running((_, { storage }) => {
    storage.fails = (_operation, key) => key.startsWith('staples')
  })
  await machine.untilLogged('staple-received')
  assert.ok(isGood(machine))
  assert.equal(machine.log.of('staple-not-stored')[0]?.level, 'debug')
  await machine.certificates.stop()
})

test('after a renewal the staple is the new certificate’s, and the former one is forgotten', async () => {
  const { machine, responder } = await running()
  await machine.live(65 * DAY)
  assert.equal(machine.log.of('certificate-renewed').length, 1)
  await machine.untilLogged('staple-received', 2)
  assert.ok(isGood(machine))
  assert.deepEqual(await machine.storage.list('staples'), [`staples/${responder.issued[1]!.fingerprint}`])
  await machine.certificates.stop()
})

/** A day in which the responder is out for a while; staples live for half a day. */
test('a day with an outage of the responder in it has no gap', async () => {
  const { machine, responder } = await running((fake) => {
    fake.lifetimeMs = 12 * HOUR
  })
  await machine.untilLogged('staple-received')
  for (let minute = 0; minute < 24 * 60; minute += 5) {
    // From two hours before the refresh would come until half an hour before the staple ends.
    responder.fault = minute > 4 * 60 && minute < 11.5 * 60 ? new Error('out of order') : undefined
    await machine.live(5 * MINUTE)
    assert.ok(isGood(machine), `minute ${minute}`)
  }
  const [ending] = machine.log.of('staple-ending')
  assert.equal(machine.log.of('staple-ending').length, 1)
  assert.match(ending!.message, /ends in 3 hours, at \S+, and the last try failed: out of order\. It is tried on/)
  assert.deepEqual(machine.log.of('staple-over'), [])
  assert.ok(responder.asked.length < 20, String(responder.asked.length))
  await machine.certificates.stop()
})

test('a responder that stays out: the staple is served to its end and no longer, and each is said once', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  responder.fault = new Error('out of order')
  await machine.live(7 * DAY - MINUTE)
  assert.ok(isGood(machine))
  const changes = machine.states.length
  await machine.live(MINUTE)
  assert.equal(stapleOf(machine), undefined)
  assert.equal(machine.states.length, changes + 1, 'the workers are told')
  assert.equal(machine.states.at(-1)?.held[0]?.staple, undefined)
  await machine.live(3 * DAY)
  assert.deepEqual(
    machine.log.entries
      .filter(({ event, level }) => event.startsWith('staple') && level !== 'debug')
      .map((entry) => entry.event),
    ['staple-received', 'staple-ending', 'staple-over'],
  )
  const [over] = machine.log.of('staple-over')
  assert.equal(over!.level, 'warn')
  assert.match(over!.message, /Clients get it without one\.$/)
  responder.fault = undefined
  await machine.live(HOUR + 10 * MINUTE)
  assert.ok(isGood(machine))
  await machine.certificates.stop()
})

test('failures are followed by 1, 10 and 60 minutes, and then an hour each', async () => {
  const { machine, responder } = await running((fake) => {
    fake.fault = new Error('out of order')
  })
  await machine.live(5 * HOUR)
  const waits = responder.asked.slice(1).map((at, index) => Math.round((at - responder.asked[index]!) / MINUTE))
  assert.deepEqual(waits, [1, 10, 60, 60, 60, 60])
  const said = machine.log.of('staple-failed').filter(({ level }) => level === 'warn')
  assert.equal(said.length, 1)
  assert.match(
    said[0]!.message,
    /^There is no OCSP staple for the ecdsa-p256 certificate for a\.test: out of order\. It is/,
  )
  await machine.certificates.stop()
})

test('a staple of two minutes is renewed in time, and no more than so', async () => {
  const { machine, responder } = await running((fake) => {
    fake.lifetimeMs = 2 * MINUTE
  })
  await machine.untilLogged('staple-received')
  for (let seconds = 0; seconds < 600; seconds += 10) {
    await machine.live(10_000)
    assert.ok(isGood(machine))
  }
  assert.ok(responder.asked.length >= 9 && responder.asked.length <= 12, String(responder.asked.length))
  await machine.certificates.stop()
})

test('a responder that gives out the same for long is asked once an hour, and more often only at the end', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  const start = machine.clock.now()
  responder.differences = { thisUpdate: start, nextUpdate: start + 7 * DAY }
  await machine.live(7 * DAY - MINUTE)
  const hours = 3.5 * 24
  assert.ok(responder.asked.length > hours - 5 && responder.asked.length < hours + 30, String(responder.asked.length))
  assert.match(machine.log.of('staple-ending')[0]!.message, /the responder has given no newer one/)
  assert.ok(isGood(machine))
  await machine.certificates.stop()
})

test('an older answer than the one that is served replaces nothing', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  const before = stapleOf(machine)
  const start = machine.clock.now()
  responder.differences = { thisUpdate: start - HOUR, nextUpdate: start + 5 * DAY }
  await machine.live(4 * DAY)
  assert.ok(responder.asked.length > 1)
  assert.equal(stapleOf(machine), before)
  await machine.certificates.stop()
})

for (const [what, lie] of [
  ['garbage', (fake) => ({ answer: () => Buffer.from('<html>'), fake })],
  ['tryLater', (fake) => ({ answer: () => statusResponse(3), fake })],
  ['an answer that is over', (fake) => ({ differences: past(fake) })],
  ['an answer from the future', () => ({ differences: { thisUpdate: Date.parse('2027-01-01T00:00:00Z') } })],
  ['a changed answer', () => ({ answer: changed })],
  ['one that does not know it', () => ({ statusOf: () => 'unknown' })],
] as [string, (fake: FakeResponder) => Partial<FakeResponder>][])
  test(`${what} is stapled to nothing, and takes nothing away`, async () => {
    const { machine, responder } = await running((fake) => Object.assign(fake, lie(fake)))
    await machine.live(HOUR)
    assert.equal(stapleOf(machine), undefined)
    assert.ok(responder.asked.length >= 3)
    Object.assign(responder, { answer: undefined, differences: {}, statusOf: () => 'good' })
    await machine.live(2 * HOUR)
    assert.ok(isGood(machine))
    Object.assign(responder, lie(responder))
    await machine.live(5 * DAY)
    assert.ok(isGood(machine))
    await machine.certificates.stop()
  })

function past({ asked }: FakeResponder): { thisUpdate: number; nextUpdate: number } {
  const now = asked.at(-1) ?? Date.parse('2026-11-24T12:00:00Z')
  return { thisUpdate: now - 2 * DAY, nextUpdate: now - DAY }
}

function changed(response: Buffer): Buffer {
  const copy = Buffer.from(response)
  copy[copy.length - 1]! ^= 1
  return copy
}

test('a revoked certificate is replaced at once, loudly, and its staple is not served', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  const revokedAt = machine.clock.now() + 2 * DAY
  const first = responder.issued[0]!
  responder.statusOf = ({ fingerprint }) =>
    fingerprint === first.fingerprint ? { revokedAt, reason: KEY_COMPROMISE } : 'good'
  await machine.live(3 * DAY)
  assert.equal(machine.log.of('certificate-revoked').length, 0)
  await machine.live(DAY)
  await machine.untilLogged('certificate-issued', 2)
  await machine.untilLogged('staple-received', 2)
  const [loud] = machine.log.of('certificate-revoked')
  assert.equal(loud!.level, 'error')
  assert.match(
    loud!.message,
    /^The ecdsa-p256 certificate for a\.test \(serial number [0-9a-f]+\) was revoked at 2026-11-26/,
  )
  assert.match(
    loud!.message,
    /\(keyCompromise\): clients that look refuse it\. A new one with a new key takes its place/,
  )
  assert.match(
    machine.log.of('certificate-requested')[1]!.message,
    /it was revoked at 2026-11-26T12:00:00Z \(keyCompro/,
  )
  assert.equal(machine.ca.requests.length, 2)
  assert.ok(isGood(machine))
  assert.deepEqual(await machine.storage.list('staples'), [`staples/${responder.issued[1]!.fingerprint}`])
  await machine.certificates.stop()
})

test('a revocation does not wait for what failed before it, and is remembered over a restart', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  responder.lifetimeMs = DAY
  machine.ca.fail('out of order')
  await machine.live(64 * DAY)
  assert.ok(machine.log.of('certificate-failed').length > 2)
  const requests = machine.ca.requests.length
  responder.statusOf = () => ({ revokedAt: machine.clock.now() })
  await machine.live(14 * HOUR)
  assert.equal(stapleOf(machine), undefined)
  assert.ok(machine.ca.requests.length > requests)
  assert.ok(machine.log.of('certificate-requested').some(({ message }) => message.includes('it was revoked at')))
  await machine.certificates.stop()
  responder.fault = new Error('out of order')
  await machine.clock.advance(10 * DAY)
  await machine.start()
  assert.equal(stapleOf(machine), undefined)
  await machine.untilLogged('certificate-requested')
  assert.match(machine.log.of('certificate-requested')[0]!.message, /it was revoked at/)
  assert.equal(machine.log.of('certificate-revoked').length, 1)
  await machine.certificates.stop()
})

test('a CA that revokes whatever it gives is asked once more at once, and then once an hour', async () => {
  const { machine, responder } = await running((fake) => {
    fake.statusOf = () => ({ revokedAt: Date.parse('2026-11-24T12:00:00Z') })
  })
  await machine.untilLogged('certificate-revoked')
  await machine.untilLogged('certificate-issued', 2)
  await machine.live(30 * MINUTE)
  assert.equal(responder.issued.length, 2)
  await machine.live(DAY)
  assert.ok(responder.issued.length >= 20 && responder.issued.length <= 27, String(responder.issued.length))
  await machine.certificates.stop()
})

test('an earlier word that it is good does not undo a revocation, and a later one does', async () => {
  const { machine, responder } = await running()
  await machine.untilLogged('staple-received')
  machine.ca.fail('out of order')
  responder.lifetimeMs = DAY
  responder.statusOf = () => ({ revokedAt: machine.clock.now(), reason: 6 })
  await machine.live(4 * DAY)
  assert.equal(stapleOf(machine), undefined)
  const said = machine.clock.now() - DAY
  responder.statusOf = () => 'good'
  responder.differences = { thisUpdate: said, nextUpdate: said + 7 * DAY }
  await machine.live(DAY)
  assert.equal(stapleOf(machine), undefined)
  responder.differences = {}
  await machine.live(2 * DAY)
  assert.ok(isGood(machine))
  await machine.certificates.stop()
})

test('a certificate that must be stapled is served with its staple from the first moment', async () => {
  const { machine } = await running(() => {}, { mustStaple: true })
  await machine.untilLogged('staple-received')
  const first = machine.states.find(({ held }) => held.length > 0)
  assert.notEqual(first?.held[0]?.staple, undefined)
  await machine.certificates.stop()
})

test('one that must be stapled and cannot be is served all the same, and that is said at once', async () => {
  const { machine, responder } = await running(
    (fake) => {
      fake.fault = new Error('out of order')
    },
    { mustStaple: true },
  )
  assert.equal(machine.certificates.state.held.length, 1)
  const [said] = machine.log.of('staple-failed')
  assert.equal(said!.level, 'warn')
  assert.match(said!.message, /must insist on one \(must-staple\): those that do refuse it meanwhile\.$/)
  responder.fault = undefined
  await machine.live(10 * MINUTE)
  responder.fault = new Error('out of order')
  await machine.live(8 * DAY)
  assert.equal(machine.log.of('staple-over')[0]!.level, 'error')
  await machine.certificates.stop()
})

test('a responder that hangs keeps a certificate that must be stapled from being served for 15 seconds at most', async () => {
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  responder.serve(machine, { mustStaple: true })
  const asked = Promise.withResolvers<void>()
  machine.askResponder = (_url, _request, signal) => {
    asked.resolve()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  await machine.start()
  await asked.promise
  await machine.clock.advance(14_000)
  assert.equal(machine.certificates.state.held.length, 0)
  await machine.clock.advance(1_000)
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.certificates.stop()
  assert.equal(machine.clock.sleeping, 0)
})

test('one that must be stapled and names no responder is an error, said once', async () => {
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  responder.serve(machine, { mustStaple: true, ocspUrl: undefined })
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.live(DAY)
  assert.equal(machine.log.of('staple-impossible').length, 1)
  assert.match(machine.log.of('staple-impossible')[0]!.message, /^The ecdsa-p256 .* as it names no OCSP responder\./)
  await machine.certificates.stop()
})

test('must-staple is asked for, once, and a CA that leaves it out is named', async () => {
  const machine = new Machine()
  await machine.start({ mustStaple: true })
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.ca.requests[0]!.mustStaple, true)
  assert.match(machine.log.of('must-staple-left-out')[0]!.message, /^ca gave the ecdsa-p256 .* without must-staple/)
  await machine.live(DAY)
  await machine.certificates.stop()
  await machine.start({ mustStaple: true })
  await machine.live(DAY)
  await machine.certificates.stop()
  assert.equal(machine.ca.requests.length, 1)
})

/** A site with files of its own. */
async function withOwnFiles(t: TestContext, chainOf: (chain: string) => string = (chain) => chain) {
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  machine.askResponder = responder.ask
  const folder = await mkdtemp(join(tmpdir(), 'castellan-staples-'))
  t.after(() => rm(folder, { recursive: true }))
  const files = { certificate: join(folder, 'a.crt'), key: join(folder, 'a.key') }
  const { chain, privateKey } = await responder.issue({ names: ['own.test'] })
  await writeFile(files.certificate, chainOf(chain))
  await writeFile(files.key, privateKey)
  machine.ownFiles = [{ site: 'own.test', names: ['own.test'], files: [files] }]
  await machine.start({ names: ['a.test'] })
  await machine.untilLogged('certificate-issued')
  const ownStaple = (): string | undefined =>
    machine.certificates.state.held.find(({ names }) => names.includes('own.test'))!.staple
  return { machine, responder, files, ownStaple }
}

test('own files have staples too, and new ones when they change', async (t) => {
  const { machine, responder, files, ownStaple } = await withOwnFiles(t)
  await machine.untilLogged('staple-received')
  const before = ownStaple()
  assert.notEqual(before, undefined)
  const { chain, privateKey } = await responder.issue({ names: ['own.test'] })
  await writeFile(files.key, privateKey)
  await writeFile(files.certificate, `${chain}\n`)
  await machine.live(MINUTE)
  await machine.untilLogged('staple-received', 2)
  assert.notEqual(ownStaple(), undefined)
  assert.notEqual(ownStaple(), before)
  assert.deepEqual(await machine.storage.list('staples'), [`staples/${responder.issued[1]!.fingerprint}`])
  await machine.certificates.stop()
})

test('own files whose chain lacks their issuer have none', async (t) => {
  const { machine, responder, ownStaple } = await withOwnFiles(t, (chain) =>
    chain.slice(0, chain.indexOf('-----END') + 26),
  )
  await machine.live(DAY)
  assert.equal(ownStaple(), undefined)
  assert.equal(responder.asked.length, 0)
  await machine.certificates.stop()
})

test('own files that were revoked are the operator’s to replace', async (t) => {
  const { machine, responder, ownStaple } = await withOwnFiles(t)
  await machine.untilLogged('staple-received')
  responder.statusOf = () => ({ revokedAt: machine.clock.now() })
  await machine.live(4 * DAY)
  assert.equal(ownStaple(), undefined)
  assert.match(machine.log.of('certificate-revoked')[0]!.message, /It is one of your own files: put a new certificate/)
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('a clock that is set back asks anew rather than in years', async () => {
  const { machine, responder } = await running((_, box) => {
    box.aheadMs = 60 * DAY
  })
  await machine.untilLogged('staple-received')
  machine.aheadMs = 0
  machine.ca.fail('no')
  const before = responder.asked.length
  await machine.live(2 * HOUR)
  assert.ok(responder.asked.length > before)
  assert.ok(responder.asked.length < before + 10, String(responder.asked.length))
  await machine.certificates.stop()
})

test('whoever sees to it that a person hears of it is told of revocations and staples', async () => {
  const heard: string[] = []
  const attention: Attention = {
    ...noAttention,
    revoked: (_, when, ownership) => void heard.push(`revoked ${when} ${ownership}`),
    unstapled: (_, why) => void heard.push(`unstapled ${why}`),
    stapled: () => void heard.push('stapled'),
    dropped: () => void heard.push('dropped'),
  }
  const { machine, responder } = await running(
    (_, box) => {
      box.attention = attention
    },
    { mustStaple: true },
  )
  await machine.untilLogged('staple-received')
  responder.fault = new Error('out of order')
  await machine.live(8 * DAY)
  responder.fault = undefined
  const first = responder.issued[0]!
  const revokedAt = machine.clock.now()
  responder.statusOf = ({ fingerprint }) => (fingerprint === first.fingerprint ? { revokedAt } : 'good')
  await machine.live(DAY)
  await machine.untilLogged('certificate-issued', 2)
  await machine.untilLogged('staple-received', 2)
  const when = `at ${new Date(revokedAt).toISOString().slice(0, 19)}Z`
  assert.deepEqual(heard, [
    'stapled',
    'unstapled The last one ended at 2026-12-01T12:00:00Z, and there is no newer one.',
    `revoked ${when} issued`,
    'stapled',
    'dropped',
  ])
  await machine.certificates.stop()
})

test('of what was replaced while its responder was asked nobody hears any more', async () => {
  const heard: string[] = []
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  responder.serve(machine, { mustStaple: true })
  machine.attention = { ...noAttention, unstapled: ({ fingerprint }) => void heard.push(fingerprint) }
  const gate = Promise.withResolvers<Buffer>()
  const asked = Promise.withResolvers<void>()
  machine.askResponder = () => {
    asked.resolve()
    return gate.promise
  }
  await machine.start()
  await asked.promise
  await machine.clock.advance(15_000)
  await machine.untilLogged('certificate-issued')
  machine.askResponder = responder.ask
  await machine.certificates.renew('a.test')
  await machine.untilLogged('certificate-renewed')
  gate.reject(new Error('out of order'))
  await machine.clock.advance(HOUR)
  assert.deepEqual(heard, [])
  await machine.certificates.stop()
})
