import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sweep } from '../../../../src/edge/sweep.ts'
import { Gate, shareOf } from '../../../../src/edge/upstream/balance/gate.ts'
import { type Refused, RestartLine } from '../../../../src/edge/upstream/balance/restart-line.ts'
import type { Waiter } from '../../../../src/edge/upstream/balance/waiting-line.ts'

/** Who waits, and what it was told. */
function waiter(): Waiter & { told: string } {
  return {
    told: '',
    onTurn() {
      this.told += 'turn'
    },
    onWaitedInVain() {
      this.told += 'in vain'
    },
  }
}

function gateOf(concurrent: number, queue: number, workers = 1) {
  const clock = { now: 0 }
  const sweep = new Sweep(() => clock.now)
  const gate = new Gate({ concurrent, queue, waitMs: 5_000 }, workers, sweep)
  const advance = (ms: number): void => {
    clock.now += ms
    sweep.run()
  }
  return { gate, advance }
}

test('a gate lets so many in, has so many wait in their order, and refuses the others', () => {
  const { gate } = gateOf(1, 2)
  const [a, b, c, d] = [waiter(), waiter(), waiter(), waiter()]
  assert.deepEqual(
    [a, b, c, d].map((each) => gate.enter(each)),
    ['in', 'waits', 'waits', 'refused'],
  )
  gate.leave()
  assert.deepEqual([b.told, c.told], ['turn', ''])
  gate.giveUp(c)
  gate.leave()
  assert.equal(c.told, '')
  assert.equal(gate.enter(d), 'in')
})

test('who waits for too long is told so, and makes room', () => {
  const { gate, advance } = gateOf(1, 1)
  const [a, b, c] = [waiter(), waiter(), waiter()]
  for (const each of [a, b]) gate.enter(each)
  advance(5_000)
  assert.equal(b.told, '')
  advance(1_000)
  assert.equal(b.told, 'in vain')
  assert.equal(gate.enter(c), 'waits')
  gate.leave()
  assert.deepEqual([b.told, c.told], ['in vain', 'turn'])
})

test('workers share what is allowed, and each has one at least', () => {
  assert.deepEqual([shareOf(100, 4), shareOf(7, 4), shareOf(1, 4), shareOf(0, 4)], [25, 1, 1, 0])
  const { gate } = gateOf(4, 0, 2)
  assert.deepEqual(
    Array.from({ length: 3 }, () => gate.enter(waiter())),
    ['in', 'in', 'refused'],
  )
  gate.shareWith(1)
  assert.equal(gate.enter(waiter()), 'in')
})

test('a gate that has become narrower lets nobody in before there is room', () => {
  const { gate } = gateOf(4, 4)
  const waiting = waiter()
  for (let each = 0; each < 4; each++) gate.enter(waiter())
  gate.enter(waiting)
  gate.shareWith(2)
  gate.leave()
  gate.leave()
  assert.equal(waiting.told, '')
  gate.leave()
  assert.equal(waiting.told, 'turn')
})

/** A restart line whose time the test moves, and what those in it were told. */
function restartLine() {
  const clock = { now: 0, calls: [] as { at: number; call: () => void }[] }
  const line = new RestartLine({
    now: () => clock.now,
    after: (ms, call) => clock.calls.push({ at: clock.now + ms, call }),
  })
  const advance = (ms: number): void => {
    const end = clock.now + ms
    for (let [due] = clock.calls; due !== undefined && due.at <= end; [due] = clock.calls) {
      clock.calls.shift()
      clock.now = due.at
      due.call()
    }
    clock.now = end
  }
  /** Is refused each time, unless `isUp`. */
  const refused = (isUp: () => boolean = () => false): Refused & { told: string[] } => {
    const it = {
      told: [] as string[],
      refusedUntil: clock.now + 3_000,
      onTryAgain() {
        it.told.push(`tries at ${clock.now}`)
        if (isUp()) line.open()
        else if (!line.join(it)) it.told.push('has no time left')
      },
      onStillRefused: () => void it.told.push(`gives up at ${clock.now}`),
    }
    return it
  }
  return { line, advance, refused }
}

test('one of those that were refused tries at each pause, and when it is let in, all are', () => {
  const { line, advance, refused } = restartLine()
  let isUp = false
  const all = Array.from({ length: 3 }, () => refused(() => isUp))
  for (const each of all) assert.equal(line.join(each), true)
  advance(250)
  assert.deepEqual(
    all.map(({ told }) => told),
    [['tries at 100'], ['tries at 200'], []],
  )
  isUp = true
  advance(50)
  assert.deepEqual(
    all.map(({ told }) => told.length),
    [2, 2, 1],
  )
  assert.equal(line.size, 0)
})

test('after three seconds it is over, and who leaves is not told', () => {
  const { line, advance, refused } = restartLine()
  const [stays, leaves] = [refused(), refused()]
  line.join(stays)
  line.join(leaves)
  line.leave(leaves)
  advance(3_500)
  assert.equal(stays.told.at(-1), 'gives up at 3000')
  assert.ok(stays.told.length > 20)
  assert.deepEqual(leaves.told, [])
  assert.equal(line.size, 0)
})

test('a thousand wait, and the next is told at once', () => {
  const { line, refused } = restartLine()
  for (let each = 0; each < 1_000; each++) assert.equal(line.join(refused()), true)
  assert.equal(line.join(refused()), false)
})
