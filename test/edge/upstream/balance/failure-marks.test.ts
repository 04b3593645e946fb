import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureMarks } from '../../../../src/edge/upstream/balance/failure-marks.ts'

/** Three failures at once. */
function fallOver(marks: FailureMarks, now: number): (number | undefined)[] {
  return [marks.fail(now), marks.fail(now), marks.fail(now)]
}

test('three failures in a row leave a target out for a second, and then it comes back within another', () => {
  const marks = new FailureMarks()
  assert.deepEqual(fallOver(marks, 100_000), [undefined, undefined, 1_000])
  assert.equal(marks.isMarked(100_999), true)
  assert.equal(marks.isMarked(101_000), false)
  assert.deepEqual(
    [101_000, 101_200, 101_500, 102_000].map((now) => marks.share(now)),
    [0.1, 0.2, 0.5, 1],
  )
})

test('an answer in between, or a long time, begins the count anew', () => {
  const marks = new FailureMarks()
  for (let times = 0; times < 10; times++) {
    marks.fail(0)
    marks.fail(0)
    marks.answered(0)
  }
  for (let now = 0; now < 200_000; now += 10_001) marks.fail(now)
  assert.equal(marks.isMarked(200_000), false)
})

test('one that fails on its return is left out at once, twice as long each time, up to a minute', () => {
  const marks = new FailureMarks()
  fallOver(marks, 0)
  let now = 1_000
  for (const rest of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    assert.equal(marks.fail(now), rest)
    now += rest
  }
  assert.equal(marks.share(now + 5_000), 0.5)
  assert.equal(marks.share(now + 10_000), 1)
  assert.deepEqual(fallOver(marks, now + 20_000), [undefined, undefined, 1_000])
})

test('what fails while it is left out makes it no longer, and an answer brings it back', () => {
  const marks = new FailureMarks()
  fallOver(marks, 0)
  assert.deepEqual(fallOver(marks, 500), [undefined, undefined, undefined])
  assert.equal(marks.isMarked(999), true)
  marks.answered(999)
  assert.equal(marks.isMarked(999), false)
  assert.equal(marks.share(999), 0.1)
})

test('one that comes back takes as long for its share as it was away, from 1 to 10 seconds', () => {
  const marks = new FailureMarks()
  for (const [awayMs, half] of [
    [10, 500],
    [4_000, 2_000],
    [60_000, 5_000],
  ] as const) {
    marks.return(0, awayMs)
    assert.equal(marks.share(half), 0.5)
  }
})
