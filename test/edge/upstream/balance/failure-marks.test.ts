import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailureMarks } from '../../../../src/edge/upstream/balance/failure-marks.ts'

/** Three failures at once. */
function fallOver(marks: FailureMarks, now: number): (number | undefined)[] {
  return [marks.fail(now), marks.fail(now), marks.fail(now)]
}

test('three failures in a row leave a target out for 5 seconds, and then it comes back slowly', () => {
  const marks = new FailureMarks()
  assert.deepEqual(fallOver(marks, 100_000), [undefined, undefined, 5_000])
  assert.equal(marks.isMarked(104_999), true)
  assert.equal(marks.isMarked(105_000), false)
  assert.deepEqual(
    [105_000, 107_000, 110_000, 115_000].map((now) => marks.share(now)),
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
  let now = 5_000
  for (const rest of [10_000, 20_000, 40_000, 60_000, 60_000]) {
    assert.equal(marks.fail(now), rest)
    now += rest
  }
  assert.equal(marks.share(now + 10_000), 1)
  assert.deepEqual(fallOver(marks, now + 20_000), [undefined, undefined, 5_000])
})

test('what fails while it is left out makes it no longer, and an answer brings it back', () => {
  const marks = new FailureMarks()
  fallOver(marks, 0)
  assert.deepEqual(fallOver(marks, 1_000), [undefined, undefined, undefined])
  assert.equal(marks.isMarked(4_999), true)
  marks.answered(4_999)
  assert.equal(marks.isMarked(4_999), false)
  assert.equal(marks.share(4_999), 0.1)
})
