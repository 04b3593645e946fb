import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HttpDate } from '../../src/edge/http-date.ts'

test('the date is the one of RFC 9110 §5.6.7, second by second', () => {
  let now = Date.parse('1994-11-06T08:49:37.999Z')
  const date = new HttpDate({ now: () => now })
  assert.equal(date.now(), 'Sun, 06 Nov 1994 08:49:37 GMT')
  now += 1
  assert.equal(date.now(), 'Sun, 06 Nov 1994 08:49:38 GMT')
  now -= 1000
  assert.equal(date.now(), 'Sun, 06 Nov 1994 08:49:37 GMT')
})
