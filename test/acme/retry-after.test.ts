import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRetryAfter } from '../../src/acme/retry-after.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')
const DAY_MS = 24 * 60 * 60 * 1000

test('takes seconds and each of the three HTTP dates (RFC 9110 §10.2.3, §5.6.7)', () => {
  for (const field of [
    '30',
    ' 30 ',
    'Tue, 24 Nov 2026 12:00:30 GMT',
    'Tuesday, 24-Nov-26 12:00:30 GMT',
    'Tue Nov 24 12:00:30 2026',
  ])
    assert.equal(parseRetryAfter(field, NOW), 30_000, field)
})

test('clamps to between a second and a day (RFC 9773 §4.3.2)', () => {
  const cases = [
    ['0', 1000],
    ['Tue, 24 Nov 2020 12:00:00 GMT', 1000],
    ['99999999', DAY_MS],
    ['9'.repeat(400), DAY_MS],
    ['Tue, 24 Nov 2099 12:00:00 GMT', DAY_MS],
  ] as const
  for (const [field, expected] of cases) assert.equal(parseRetryAfter(field, NOW), expected, field)
})

test('takes anything else for no answer', () => {
  for (const field of [
    undefined,
    '',
    '-5',
    '1.5',
    '5 seconds',
    '0x10',
    'soon',
    '2026-11-24T12:00:30Z',
    'Tue',
    'Monday morning',
  ])
    assert.equal(parseRetryAfter(field, NOW), undefined, String(field))
})
