import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { inLanes } from '../../src/acme/lanes.ts'

const forever = new AbortController().signal

test('does every item, never more at a time than there are lanes', async () => {
  const done: number[] = []
  let running = 0
  let most = 0
  await inLanes([1, 2, 3, 4, 5, 6, 7], 3, forever, async (item) => {
    most = Math.max(most, ++running)
    await setImmediate()
    running--
    done.push(item)
  })
  assert.deepEqual(done.sort(), [1, 2, 3, 4, 5, 6, 7])
  assert.equal(most, 3)
})

test('the first failure aborts the others, is waited for and thrown; nothing new is begun', async () => {
  const begun: number[] = []
  const ended: number[] = []
  const work = inLanes([1, 2, 3, 4], 2, forever, async (item, signal) => {
    begun.push(item)
    if (item === 1) throw new Error('first')
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await setImmediate()
    ended.push(item)
    throw new Error('second')
  })
  await assert.rejects(work, /first/)
  assert.deepEqual([begun, ended], [[1, 2], [2]])
})

test('an abortion is thrown even if no item heeds it', async () => {
  await assert.rejects(
    inLanes([1], 1, AbortSignal.abort(new Error('stop')), async () => {}),
    /stop/,
  )
})
