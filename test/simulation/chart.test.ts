import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawChart } from '../../simulation/chart.ts'
import { hoursUntil, Tally } from '../../simulation/tally.ts'

test('a chart has a point for each value, within its frame, and escapes what it is told', () => {
  const values = [0, 500_000, 1_234_567]
  const svg = drawChart({
    title: 'a < b & c',
    xLabel: 'days',
    xStep: 1,
    lines: [{ label: 'x', color: '#000', values }],
    spans: [{ label: '1 d out', from: 1, length: 1 }],
  })
  assert.match(svg, /<title>a &lt; b &amp; c<\/title>/)
  const points = /points="([^"]+)"/.exec(svg)![1]!.split(' ').map(Number)
  assert.equal(points.length, 2 * values.length)
  assert.ok(points.every((each, index) => each >= 0 && each <= (index % 2 === 0 ? 900 : 320)))
  assert.ok(points[1]! > points[3]! && points[3]! > points[5]!, 'what is more stands higher')
  assert.match(svg, />1\.2M</)
})

test('the busiest minute, the days and the hours of a replacement are counted', () => {
  const tally = new Tally(0)
  for (const now of [0, 59_999, 60_000, 60_001, 60_002, 86_400_000]) tally.ordered(now)
  assert.deepEqual(tally.minuteADay, [3, 1])
  assert.deepEqual(tally.ordersADay, [5, 1])
  for (const hours of [0.5, 1.5, 1.7, 9.9]) tally.replaced(hours)
  assert.equal(hoursUntil(tally.replacedByHour, 0.5), 2)
  assert.equal(hoursUntil(tally.replacedByHour, 1), 10)
  assert.equal(hoursUntil([], 1), undefined)
})
