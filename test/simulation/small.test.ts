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
