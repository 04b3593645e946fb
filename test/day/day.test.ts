import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveThrough } from './day.ts'

/** Enough for both outages, and a renewal of each certificate before, between and after them. */
const HOURS = 9

test(`${HOURS} hours of certificates of two hours, under load, with outages of the CA and the responder`, async () => {
  const figures = await liveThrough(HOURS, ['a.test'])
  const text = JSON.stringify(figures, undefined, 2)
  assert.deepEqual(figures.troubles, [], 'no failed handshake, no certificate that is over, no gap in stapling')
  assert.deepEqual(figures.errors, {})
  assert.equal(figures.warnings['ca-out-of-order'], 1, text)
  assert.equal(figures.warnings['staple-over'], undefined, text)
  assert.equal(figures.warnings['staple-failed'], undefined, text)
  // Two certificates, each renewed after an hour or a little more, but for the outages, which put two off.
  assert.ok(figures.renewals >= 2 * (HOURS - 2) && figures.renewals <= 2 * HOURS, text)
  assert.equal(figures.certificates, figures.renewals + 2, 'nothing was ordered in vain')
  // Of each one every quarter of an hour.
  assert.ok(figures.staples >= 2 * 3 * HOURS && figures.staples <= 2 * 6 * HOURS, text)
  assert.ok(figures.longestAbsence <= 15 && figures.visits >= 4 * 20 * HOURS, text)
})
