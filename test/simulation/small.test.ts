import assert from 'node:assert/strict'
import { test } from 'node:test'
import { run, type Scenario } from '../../simulation/scenario.ts'
import { hoursUntil } from '../../simulation/tally.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

const SMALL: Scenario = {
  names: 2000,
  days: 90,
  lifetimeMs: 45 * DAY,
  hopeless: 0.01,
  missing: 0.7,
  outages: [
    { day: 20, days: 0.25 },
    { day: 60, days: 4 },
  ],
  revocationDay: 40,
  asksEach: true,
  seed: 1,
}

test('2,000 names, most of them new, through 90 days, with outages and a mass revocation: no refusal, and nothing expires', async () => {
  const tally = await run(SMALL)
  assert.equal(tally.refused, 0)
  assert.equal(tally.expired, 0)
  assert.equal(tally.withoutADay.at(-1), 0)
  assert.ok(tally.issued > 6000, `${tally.issued}`)
  // Everybody asks within six hours or so, five orders at a time take four seconds and more each.
  const hours = hoursUntil(tally.replacedByHour, 1)!
  assert.ok(hours <= 8, `${hours} hours`)
})

test('a ledger that knows nothing would be refused: the CA of the simulation can say no', async () => {
  const tally = await run({ ...SMALL, days: 3, isBlind: true, outages: [] })
  assert.ok(tally.refused > 10, `${tally.refused}`)
})

const most = (counts: readonly number[]): number => counts.reduce((highest, each) => Math.max(highest, each), 0)

test('an outage is one incident: a few orders meet it, none of them is a failure, and all is made up for in a day', async () => {
  const outages = [{ day: 10, days: 5 }]
  const tally = await run({
    ...SMALL,
    names: 5000,
    days: 25,
    hopeless: 0,
    missing: 0,
    outages,
    revocationDay: undefined,
  })
  assert.equal(tally.failed, 0)
  // Up to five were under way, and one goes with each probe that is answered.
  assert.ok(tally.putOff > 0 && tally.putOff <= 10, `${tally.putOff}`)
  assert.deepEqual(tally.ordersADay.slice(11, 15), [0, 0, 0, 0])
  assert.ok(tally.ordersADay[15]! > 600, `${tally.ordersADay[15]}`)
  assert.ok(tally.ordersADay[16]! < 300, `${tally.ordersADay[16]}`)
})

test('the herd of a mass revocation, which would come back on one day, has spread itself when it comes back', async () => {
  const calm = { ...SMALL, names: 8000, days: 140, hopeless: 0, missing: 0, outages: [], revocationDay: 20 }
  const scenario = { ...calm, asksEach: false }
  const [herding, spreading] = [await run({ ...scenario, keepsHerds: true }), await run(scenario)]
  const [before, after] = [herding, spreading].map(({ ordersADay }) => most(ordersADay.slice(30)))
  assert.ok(before! > 4000, `${before}`)
  // Evenly spread it would be 267 a day, and twice that after the first renewal.
  assert.ok(after! < 900, `${after}`)
  const last = most(spreading.ordersADay.slice(80))
  assert.ok(last < 550, `${last}`)
  assert.ok(spreading.issued < herding.issued * 1.15, `${spreading.issued} and ${herding.issued}`)
  assert.equal(spreading.expired + spreading.refused, 0)
})
