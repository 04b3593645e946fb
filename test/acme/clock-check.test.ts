import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkClock } from '../../src/acme/clock-check.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const HOUR = 3_600_000

function check(headers: Record<string, string>): void {
  checkClock({ status: 200, url: 'https://ca.test/directory', headers, body: '' }, NOW)
}

function dated(ms: number): string {
  return new Date(NOW + ms).toUTCString()
}

test('a clock that is an hour behind the CA or a day ahead of it will do', () => {
  for (const ms of [0, HOUR, -24 * HOUR]) check({ date: dated(ms) })
})

for (const [what, ms] of [
  ['behind', HOUR + 1000],
  ['ahead', -24 * HOUR - 1000],
] as const)
  test(`a clock that is further ${what} is told to the operator before anything is ordered`, () => {
    assert.throws(() => check({ date: dated(ms) }), {
      code: 'clock-wrong',
      message:
        /This machine's clock says 2026-11-24T12:00:00Z and that of the CA at ca\.test says .*: set this machine's clock/,
    })
  })

test('a directory from a cache is as old as that says', () => {
  check({ date: dated(-30 * HOUR), age: String(30 * 3600) })
  assert.throws(() => check({ date: dated(-30 * HOUR), age: 'old' }), { code: 'clock-wrong' })
  assert.throws(() => check({ date: dated(-30 * HOUR), age: '-1' }), { code: 'clock-wrong' })
})

test('a CA that gives no date, or none that can be read, is believed', () => {
  check({})
  check({ date: 'today' })
})
