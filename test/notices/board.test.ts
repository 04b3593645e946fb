import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Board, type Thing, WHOLE } from '../../src/notices/board.ts'
import type { Severity, Trouble } from '../../src/notices/trouble.ts'

const HOUR = 3_600_000
const START = Date.parse('2026-11-24T12:00:00Z')

function trouble(severity: Severity, expiresAt?: number): Trouble {
  return { kind: 'certificate-failed', severity, names: ['a.test'], said: 'no', expiresAt }
}

/** What is told of a change, in short. */
const told = ({ telling }: ReturnType<Board['raise']>): string | undefined => telling?.state

test('what is wrong is told once, however often it is met, and once when it is over', () => {
  const board = new Board()
  assert.equal(told(board.raise('k', WHOLE, trouble('warning'), START)), 'raised')
  for (let hour = 1; hour < 50; hour++)
    assert.deepEqual(board.raise('k', WHOLE, trouble('warning'), START + hour * HOUR), { isChanged: false })
  assert.deepEqual(board.withdraw('k').telling, { state: 'over', trouble: trouble('warning'), since: START })
  assert.deepEqual(board.withdraw('k'), { isChanged: false })
  assert.deepEqual(board.keys, [])
})

test('it is told again when it gets worse, and not when it gets better or as bad as it was told before', () => {
  const board = new Board()
  board.raise('k', WHOLE, trouble('warning'), START)
  assert.equal(told(board.raise('k', WHOLE, trouble('error'), START + HOUR)), 'worse')
  assert.equal(told(board.raise('k', WHOLE, trouble('warning'), START + 2 * HOUR)), undefined)
  assert.equal(told(board.raise('k', WHOLE, trouble('error'), START + 3 * HOUR)), undefined)
})

test('that it waits for a person from now on is told once, for all parts', () => {
  const board = new Board()
  const paused = { ...trouble('warning'), unpauseUrl: 'https://ca.test/unpause' }
  for (const part of ['ecdsa', 'rsa']) board.raise('k', part, trouble('error'), START)
  assert.deepEqual(board.raise('k', 'ecdsa', paused, START + HOUR).telling, {
    state: 'worse',
    trouble: paused,
    since: START,
  })
  assert.equal(told(board.raise('k', 'rsa', paused, START + HOUR)), undefined)
  assert.equal(told(board.raise('k', 'ecdsa', paused, START + 2 * HOUR)), undefined)
})

test('it is over when its last part is', () => {
  const board = new Board()
  assert.equal(told(board.raise('k', 'ecdsa', trouble('warning'), START)), 'raised')
  assert.deepEqual(board.raise('k', 'rsa', trouble('warning'), START), { isChanged: true })
  assert.deepEqual(board.withdraw('k', 'other'), { isChanged: false })
  assert.deepEqual(board.withdraw('k', 'ecdsa'), { isChanged: true })
  assert.equal(told(board.withdraw('k', 'rsa')), 'over')
})

test('it is told again at a half and at three quarters of what is left, and as worse at the expiry', () => {
  const board = new Board()
  board.raise('k', WHOLE, trouble('warning', START + 8 * HOUR), START)
  const seen: [number, string][] = []
  while (Number.isFinite(board.nextAt)) {
    const now = board.nextAt
    assert.deepEqual(board.due(now - 1), [])
    for (const { telling } of board.due(now)) seen.push([(now - START) / HOUR, telling.state])
    assert.deepEqual(board.due(now), [])
  }
  assert.deepEqual(seen, [
    [4, 'reminder'],
    [6, 'reminder'],
    [8, 'worse'],
  ])
  assert.equal(told(board.raise('k', WHOLE, trouble('error', START + 8 * HOUR), START + 9 * HOUR)), undefined)
})

test('after a sleep over several of these instants there is one reminder', () => {
  const board = new Board()
  board.raise('k', WHOLE, trouble('warning', START + 8 * HOUR), START)
  assert.deepEqual(
    board.due(START + 100 * HOUR).map(({ telling }) => telling.state),
    ['worse'],
  )
  assert.equal(board.nextAt, Number.POSITIVE_INFINITY)
})

test('the part that ends first sets the time, and another expiry begins to count anew', () => {
  const board = new Board()
  board.raise('k', 'rsa', trouble('warning', START + 100 * HOUR), START)
  board.raise('k', 'ecdsa', trouble('warning', START + 20 * HOUR), START)
  assert.equal(board.nextAt, START + 10 * HOUR)
  board.withdraw('k', 'ecdsa')
  assert.equal(board.nextAt, START + 50 * HOUR)
  board.raise('k', 'rsa', trouble('warning', START + 30 * HOUR), START + 10 * HOUR)
  assert.equal(board.nextAt, START + 20 * HOUR)
})

test('what has expired already has no reminders', () => {
  const board = new Board()
  board.raise('k', WHOLE, trouble('error', START - HOUR), START)
  assert.equal(board.nextAt, Number.POSITIVE_INFINITY)
  assert.deepEqual(board.due(START + HOUR), [])
})

test('what was stored goes on where it was', () => {
  const before = new Board()
  before.raise('k', WHOLE, trouble('warning', START + 8 * HOUR), START)
  before.due(START + 4 * HOUR)
  const stored: Thing = JSON.parse(JSON.stringify(before.get('k')))
  const board = new Board([stored])
  assert.equal(told(board.raise('k', WHOLE, trouble('warning', START + 8 * HOUR), START + 5 * HOUR)), undefined)
  assert.equal(board.nextAt, START + 6 * HOUR)
  assert.equal(board.withdraw('k').telling?.since, START)
})
