import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Herd, type HerdMember, UNCOUNTED } from '../../src/certificates/herd.ts'
import { readCertificate, storedCertificateIds } from '../../src/certificates/record.ts'
import { seededRandom } from '../fakes/seeded-random.ts'
import { DAY, HOUR, Machine } from './machine.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const WAIT = 30 * DAY

function members(count: number): HerdMember[] {
  return Array.from({ length: count }, () => ({ span: UNCOUNTED }))
}

/** Renews all within an hour or so; gives when each is renewed next, in ms from now. */
function renewTogether(herd: Herd, all: readonly HerdMember[], now: number, wait = WAIT): number[] {
  const random = seededRandom(1)
  return all.map((member, index) => {
    const at = now + index * 100
    const dueAt = at + wait
    return (herd.joined(member, { all: all.length, now: at, dueAt }, random) ?? dueAt) - now
  })
}

function most(times: readonly number[], spanMs: number): number {
  const counts = Map.groupBy(times, (time) => Math.floor(time / spanMs))
  return Math.max(...[...counts.values()].map(({ length }) => length))
}

test('what comes on one day is renewed over half of its time, none of it before that or later than it is due', () => {
  const times = renewTogether(new Herd(), members(9000), NOW)
  const used = times.map((time) => time / WAIT)
  assert.ok(Math.min(...used) >= 0.5 && Math.max(...used) <= 1.001)
  // Evenly spread over fifteen days it would be 600 a day.
  assert.ok(most(times, DAY) <= 700, `${most(times, DAY)}`)
})

test('of short-lived certificates three quarters of the time are used', () => {
  const times = renewTogether(new Herd(), members(9000), NOW, 80 * HOUR)
  assert.ok(Math.min(...times) >= 60 * HOUR)
  assert.ok(most(times, 6 * HOUR) <= 3500, `${most(times, 6 * HOUR)}`)
})

test('what is spread evenly stays where it is, and so do few that come together', () => {
  const random = seededRandom(2)
  for (const [count, everyMs] of [
    [3000, WAIT / 3000],
    [20, 1000],
  ] as const) {
    const herd = new Herd()
    for (const [index, member] of members(count).entries()) {
      const now = NOW + index * everyMs
      assert.equal(herd.joined(member, { all: count, now, dueAt: now + WAIT }, random), undefined)
    }
  }
})

test('those that are there already count, and one that is renewed counts where it is due now', () => {
  const herd = new Herd()
  const all = members(200)
  for (const member of all) herd.expect(member, NOW + WAIT)
  const [first] = all as [HerdMember]
  const newcomer = { all: 1000, now: NOW, dueAt: NOW + WAIT }
  assert.notEqual(
    herd.joined(first, newcomer, () => 0.5),
    undefined,
  )
  for (const member of all.slice(1)) herd.expect(member, NOW + 80 * DAY)
  assert.equal(
    herd.joined(first, newcomer, () => 0.5),
    undefined,
  )
})

test('a clock that is set back, and times that are past, keep nothing from being renewed', () => {
  const herd = new Herd()
  renewTogether(herd, members(500), NOW)
  assert.ok(renewTogether(herd, members(500), NOW - 900 * DAY).every(Number.isFinite))
  assert.equal(
    herd.joined(members(1)[0]!, { all: 1, now: NOW, dueAt: NOW - 1 }, () => 0),
    undefined,
  )
})

test('the program renews a crowd early, as it is written with each certificate, over a restart too', async () => {
  const machine = new Machine()
  machine.ca.lifetimeMs = 30 * DAY
  // It may say when, as far as is known when the certificates come.
  machine.ca.renewalInfo = async () => undefined
  const sites = Array.from({ length: 60 }, (_, index) => ({ names: [`n${index}.test`] }))
  await machine.start(...sites)
  await machine.untilLogged('certificate-issued', 60)
  await machine.certificates.stop()
  await machine.start(...sites)
  const ids = await storedCertificateIds(machine.storage)
  const stored = await Promise.all(ids.map((id) => readCertificate(machine.storage, id)))
  const early = stored.flatMap((each) => each?.spreadAt ?? [])
  // In a span that is not crowded there are up to 25.
  assert.ok(early.length > 5 && early.length < 50, `${early.length}`)
  for (const at of early) assert.ok(at >= machine.clock.now() + 10 * DAY && at < machine.clock.now() + 20 * DAY)
  const spread = machine.certificates
    .report()
    .filter(({ step }) => 'because' in step && /^it is spread out/.test(step.because))
  // Where nobody suggests anything, each has its own moment besides, and that may come before.
  assert.ok(spread.length > 5 && spread.length <= early.length, `${spread.length} of ${early.length}`)
  await machine.certificates.stop()
})
