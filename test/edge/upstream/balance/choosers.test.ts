import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BalanceSnapshot } from '../../../../src/edge/snapshot.ts'
import { type Chooser, createChooser } from '../../../../src/edge/upstream/balance/chooser.ts'
import type { Target } from '../../../../src/edge/upstream/balance/target.ts'
import { seededRandom } from '../../../fakes/seeded-random.ts'
import { requestWith, targetsOf } from './targets.ts'

const chooserOf = (balance: BalanceSnapshot): Chooser => createChooser(balance, seededRandom(1))

/** How many of so many requests each target gets; with `keep`, all of them stay under way. */
function shares(
  chooser: Chooser,
  targets: readonly Target[],
  { count = 6_000, keep = false, now = 0 }: { count?: number; keep?: boolean; now?: number } = {},
): number[] {
  const counts = targets.map(() => 0)
  for (let each = 0; each < count; each++) {
    const target = chooser.choose(targets, requestWith(['X-User', `u${each}`]), now)
    counts[targets.indexOf(target)]!++
    if (keep) target.take()
  }
  return counts
}

function assertClose(counts: readonly number[], expected: readonly number[], part: number): void {
  for (const [index, count] of counts.entries())
    assert.ok(Math.abs(count - expected[index]!) <= expected[index]! * part, `${counts} is not about ${expected}`)
}

test('roundRobin goes in turns, and with weights smoothly', () => {
  const chooser = chooserOf({ by: 'roundRobin' })
  const [a, b, c] = targetsOf(1, 1, 1)
  const targets = [a!, b!, c!]
  const turns = Array.from({ length: 6 }, () => targets.indexOf(chooser.choose(targets, requestWith(), 0)))
  assert.deepEqual(turns, [0, 1, 2, 0, 1, 2])
  const weighted = targetsOf(5, 1, 1)
  const smooth = Array.from({ length: 7 }, () => weighted.indexOf(chooser.choose(weighted, requestWith(), 0)))
  assert.deepEqual(smooth, [0, 0, 1, 0, 2, 0, 0])
})

for (const by of ['roundRobin', 'random', 'leastRequests'] as const)
  test(`${by} shares out by weight`, () => {
    const isOfLoad = by !== 'roundRobin'
    assertClose(shares(chooserOf({ by }), targetsOf(1, 1, 1), { keep: isOfLoad }), [2_000, 2_000, 2_000], 0.02)
    assertClose(shares(chooserOf({ by }), targetsOf(1, 2, 3), { keep: isOfLoad }), [1_000, 2_000, 3_000], 0.03)
  })

test('without load too, random and leastRequests give each its share', () => {
  assertClose(shares(chooserOf({ by: 'leastRequests' }), targetsOf(1, 1, 1, 1)), [1_500, 1_500, 1_500, 1_500], 0.1)
  assertClose(shares(chooserOf({ by: 'random' }), targetsOf(1, 1, 1, 1)), [1_500, 1_500, 1_500, 1_500], 0.1)
  for (const by of ['leastRequests', 'random'] as const)
    assertClose(shares(chooserOf({ by }), targetsOf(1, 2)), [2_000, 4_000], 0.1)
  assertClose(shares(chooserOf({ by: 'leastRequests' }), targetsOf(1, 2, 3)), [1_000, 2_000, 3_000], 0.1)
})

test('random takes the less busy of two: one that is stuck gets next to nothing', () => {
  const targets = targetsOf(1, 1, 1, 1)
  for (let busy = 0; busy < 100; busy++) targets[0]!.take()
  assert.equal(shares(chooserOf({ by: 'random' }), targets)[0], 0)
})

test('leastRequests takes the one with the fewest under way for its weight', () => {
  const targets = targetsOf(1, 4)
  const chooser = chooserOf({ by: 'leastRequests' })
  targets[0]!.take()
  for (let each = 0; each < 3; each++) targets[1]!.take()
  assert.equal(chooser.choose(targets, requestWith(), 0), targets[1])
  for (let each = 0; each < 2; each++) targets[1]!.take()
  assert.equal(chooser.choose(targets, requestWith(), 0), targets[0])
})

test('firstAvailable takes the first that is there', () => {
  const targets = targetsOf(1, 1, 1)
  assert.equal(chooserOf({ by: 'firstAvailable' }).choose(targets, requestWith(), 0), targets[0])
  assert.equal(chooserOf({ by: 'firstAvailable' }).choose(targets.slice(1), requestWith(), 0), targets[1])
})

const byUser = { by: 'hash', of: 'header', name: 'x-user' } as const

test('hash leads what is equal to the same target, and shares out by weight', () => {
  assertClose(shares(chooserOf(byUser), targetsOf(1, 1, 1, 1)), [1_500, 1_500, 1_500, 1_500], 0.1)
  assertClose(shares(chooserOf(byUser), targetsOf(1, 2, 3)), [1_000, 2_000, 3_000], 0.1)
})

test('hash: a lost target moves only its own share, and each of that to a place of its own', () => {
  const targets = targetsOf(1, 1, 1, 1, 1)
  const left = targets.slice(1)
  const chooser = chooserOf(byUser)
  const moved = left.map(() => 0)
  for (let user = 0; user < 5_000; user++) {
    const request = requestWith(['x-user', `u${user}`])
    const before = chooser.choose(targets, request, 0)
    const after = chooser.choose(left, request, 0)
    if (before === targets[0]) moved[left.indexOf(after)]!++
    else assert.equal(after, before)
  }
  assertClose(moved, [250, 250, 250, 250], 0.2)
})

test('hash: an added target takes its share from each of the others, and nothing else moves', () => {
  const targets = targetsOf(1, 1, 1, 1, 1)
  const chooser = chooserOf(byUser)
  let moved = 0
  for (let user = 0; user < 5_000; user++) {
    const request = requestWith(['x-user', `u${user}`])
    const before = chooser.choose(targets.slice(0, 4), request, 0)
    const after = chooser.choose(targets, request, 0)
    if (after === before) continue
    assert.equal(after, targets[4])
    moved++
  }
  assertClose([moved], [1_000], 0.1)
})

test('hash by cookie and by client address', () => {
  const targets = targetsOf(1, 1, 1, 1)
  for (const [balance, make] of [
    [{ by: 'hash', of: 'cookie', name: 'id' }, (n: number) => requestWith(['Cookie', `a=b; id=${n}; c=d`])],
    [{ by: 'hash', of: 'clientAddress' }, (n: number) => requestWith([], `192.0.2.${n}`)],
  ] as const) {
    const chooser = chooserOf(balance)
    const places = new Set<Target>()
    for (let n = 0; n < 50; n++) {
      const chosen = chooser.choose(targets, make(n), 0)
      assert.equal(chooser.choose(targets, make(n), 0), chosen)
      places.add(chosen)
    }
    assert.equal(places.size, 4)
  }
})

test('hash: requests without a key are shared out', () => {
  const targets = targetsOf(1, 1, 1)
  const chooser = chooserOf({ by: 'hash', of: 'cookie', name: 'id' })
  const places = new Set(Array.from({ length: 50 }, () => chooser.choose(targets, requestWith(), 0)))
  assert.equal(places.size, 3)
})

for (const by of ['roundRobin', 'random', 'leastRequests'] as const)
  test(`${by} gives one that has come back its share little by little`, () => {
    const targets = targetsOf(1, 1)
    targets[1]!.marks.return(0, 10_000)
    const at = (now: number): number => shares(chooserOf({ by }), targetsWithoutLoad(targets), { now, keep: true })[1]!
    assertClose([at(1_000), at(5_000), at(10_000)], [600, 2_000, 3_000], 0.12)
  })

function targetsWithoutLoad(targets: readonly Target[]): readonly Target[] {
  for (const target of targets) target.underWay = 0
  return targets
}
