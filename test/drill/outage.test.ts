import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HeldFacts } from '../../src/certificates/plan.ts'
import type { WantedCertificate } from '../../src/certificates/wanted.ts'
import { formatDrill } from '../../src/cli/drill/words.ts'
import { type Fate, type Outage, rehearse } from '../../src/drill/outage.ts'
import { readRehearsed } from '../../src/drill/stored.ts'
import { FakeResponder } from '../certificates/fake-responder.ts'
import { Machine } from '../certificates/machine.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOW = Date.parse('2026-11-24T12:00:00Z')

const wanted: WantedCertificate = {
  id: 'a.test.ecdsa-p256',
  site: 'a.test',
  names: ['a.test'],
  keyKind: 'ecdsa-p256',
  mustStaple: false,
  issuers: ['ca'],
}

/** A certificate of so many days, of which so many are left. */
function held(leftDays: number, lifetimeDays = 90): HeldFacts {
  const notBefore = NOW + (leftDays - lifetimeDays) * DAY
  return {
    names: ['a.test'],
    keyKind: 'ecdsa-p256',
    issuer: 'ca',
    authority: 'https://ca.test',
    notBefore,
    notAfter: NOW + leftDays * DAY,
    obtainedAt: notBefore,
    mustStaple: false,
    fingerprint: '00000000',
  }
}

type Given = { readonly issuers?: readonly string[]; readonly down?: readonly string[]; readonly standInUntil?: number }

function fateOf(
  facts: HeldFacts | undefined,
  days: number,
  { issuers = ['ca'], down = ['ca'], standInUntil }: Given = {},
): Fate {
  const outage: Outage = { from: NOW, to: NOW + days * DAY, isDown: (issuer) => down.includes(issuer) }
  const authorityOf = (): string => 'https://ca.test'
  const rehearsed = { wanted: { ...wanted, issuers }, held: facts, standInUntil, notBefore: undefined, authorityOf }
  return rehearse(rehearsed, outage)
}

test('what is not due before the CA is back notices nothing', () => {
  assert.deepEqual(fateOf(held(60), 10), {
    wanted,
    goodUntil: NOW + 60 * DAY,
    failures: 0,
    renewedAt: undefined,
    without: undefined,
  })
})

test('what is due and lasts is tried by the ladder, and renewed within a day of the end', () => {
  const { failures, renewedAt, without } = fateOf(held(29), 10)
  // At once, after 1, 10 and 100 minutes, and then daily.
  assert.equal(failures, 13)
  assert.equal(without, undefined)
  assert.ok(renewedAt! >= NOW + 10 * DAY && renewedAt! < NOW + 11 * DAY)
})

test('what ends meanwhile is without from then until the first try after the outage', () => {
  const { without, renewedAt } = fateOf(held(5), 10)
  assert.deepEqual(without, { from: NOW + 5 * DAY, to: renewedAt })
  const short = fateOf(held(6, 6), 10)
  assert.equal(short.without?.from, NOW + 6 * DAY)
})

test('what is not there yet is without from the first moment, unless a former one stands in', () => {
  assert.equal(fateOf(undefined, 10).without?.from, NOW)
  assert.equal(fateOf(undefined, 10, { standInUntil: NOW + 3 * DAY }).without?.from, NOW + 3 * DAY)
  assert.equal(fateOf(undefined, 10, { standInUntil: NOW + 30 * DAY }).without, undefined)
})

test('another CA that is up saves it, at the time when it is due', () => {
  const saved = fateOf(held(5), 10, { issuers: ['ca', 'second'] })
  assert.deepEqual([saved.failures, saved.renewedAt, saved.without], [0, NOW, undefined])
  const both = fateOf(held(5), 10, { issuers: ['ca', 'second'], down: ['ca', 'second'] })
  assert.equal(both.without?.from, NOW + 5 * DAY)
})

test('a lifetime in the middle of which the outage ends is renewed when its time has come', () => {
  const { failures, renewedAt } = fateOf(held(31), 0.5)
  assert.equal(failures, 0)
  assert.equal(renewedAt, NOW + DAY, 'a third of 90 days is 30')
})

test('the table has what ends first on top, and the sum below', () => {
  const outage: Outage = { from: NOW, to: NOW + 10 * DAY, isDown: () => true }
  const text = formatDrill([fateOf(held(60), 10), fateOf(held(5), 10), fateOf(held(29), 10)], outage, 1)
  const lines = text.split('\n')
  assert.match(lines[0]!, /^NAME +KEY +GOOD UNTIL +WHAT BECOMES OF IT$/)
  assert.match(lines[1]!, /2026-11-29 12:00Z +expires at 2026-11-29 12:00Z/)
  assert.match(text, /serves on, and is renewed at 2026-12-0\d \d\d:\d\dZ; 13 orders\s+fail/)
  assert.match(
    text,
    /No CA answers from now up to 2026-12-04 12:00Z \(10 days\)\.\n1 of 3 certificates is missed, the first at 2026-11-29 12:00Z\.\n/,
  )
  assert.match(text, /serves all of its names from the storage\.\nLeft out: 1 site brings its own certificates\.\n$/)
  const bare = formatDrill([fateOf(undefined, 10)], outage, 0)
  assert.match(bare, /has none, and a new one comes at/)
  assert.match(bare, /has nothing good for 1 of 1 certificates\.\n$/)
})

test('what a CA that is up would give at once is not missed by a start', () => {
  const outage: Outage = { from: NOW, to: NOW + 10 * DAY, isDown: (issuer) => issuer === 'ca' }
  const saved = fateOf(undefined, 10, { issuers: ['second'] })
  assert.equal(saved.without, undefined)
  assert.match(
    formatDrill([saved], outage, 0),
    /renewed at \S+ \S+ by a CA that is\s+up[\s\S]*serves all of its names from the storage/,
  )
})

test('a must-staple certificate is refused from the end of its staple on, though it is good for long itself', () => {
  const outage: Outage = { from: NOW, to: NOW + 10 * DAY, isDown: (issuer) => issuer === 'ca' }
  const rehearsed = { wanted, standInUntil: undefined, notBefore: undefined, authorityOf: () => 'https://ca.test' }
  const at = (facts: HeldFacts, until: number | undefined, during = outage) =>
    rehearse({ ...rehearsed, held: facts, staple: { until } }, during)
  const fate = at(held(60), NOW + 3 * DAY)
  assert.deepEqual(fate.without, { from: NOW + 3 * DAY, to: NOW + 10 * DAY })
  assert.equal(fate.failures, 0)
  const text = formatDrill([fate], outage, 0).replace(/\s+/g, ' ')
  assert.match(
    text,
    /is refused from 2026-11-27 12:00Z on, as its staple ends then \(must-staple\), up to 2026-12-04 12:00Z: 7 days without/,
  )
  assert.match(text, /1 of 1 certificates is missed, the first at 2026-11-27 12:00Z\./)
  assert.equal(at(held(60), NOW + 11 * DAY).without, undefined)
  assert.deepEqual(at(held(60), undefined).without, { from: NOW, to: NOW + 10 * DAY })
  const both = at(held(5), NOW + 3 * DAY)
  assert.deepEqual(both.unstapled, { from: NOW + 3 * DAY, to: NOW + 5 * DAY })
  assert.deepEqual(both.without, { from: NOW + 3 * DAY, to: both.renewedAt })
  assert.equal(at(held(60), NOW + 3 * DAY, { ...outage, isDown: () => false }).without, undefined)
})

test('how long the staple is good is read from the storage, of those that must have one', async () => {
  const machine = new Machine()
  const responder = await FakeResponder.create(machine.localClock)
  responder.serve(machine, { mustStaple: true })
  await machine.start({ mustStaple: true })
  await machine.untilLogged('staple-received')
  await machine.certificates.stop()
  const issuers = new Map([['ca', machine.ca]])
  const asked = {
    wanted: [{ ...wanted, mustStaple: true }],
    issuers,
    storage: machine.storage,
    clock: machine.localClock,
  }
  const until = machine.clock.now() + 7 * DAY
  assert.deepEqual((await readRehearsed(asked))[0]!.staple, { until })
  await machine.clock.advance(8 * DAY)
  assert.deepEqual((await readRehearsed(asked))[0]!.staple, { until: undefined })
})
