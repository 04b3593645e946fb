import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { NameQueue } from '../../src/issuers/name-queue.ts'

const forever = new AbortController().signal

/** Work that ends when told to, and says what has begun. */
function stage(): {
  begun: string[]
  work: (label: string) => () => Promise<string>
  end: (label: string) => Promise<void>
} {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  return {
    begun,
    work: (label) => async () => {
      begun.push(label)
      await new Promise<void>((resolve) => ends.set(label, resolve))
      return label
    },
    end: async (label) => {
      ends.get(label)?.()
      await setImmediate()
    },
  }
}

test('work that shares a name waits its turn, other work does not', async () => {
  const { begun, work, end } = stage()
  const queue = new NameQueue()
  const first = queue.run(['a', 'b'], forever, work('first'))
  const second = queue.run(['b', 'c'], forever, work('second'))
  const third = queue.run(['c'], forever, work('third'))
  const other = queue.run(['d'], forever, work('other'))
  await setImmediate()
  assert.deepEqual(begun, ['first', 'other'])
  await end('first')
  assert.deepEqual(begun, ['first', 'other', 'second'])
  await end('second')
  await end('third')
  await end('other')
  assert.deepEqual(await Promise.all([first, second, third, other]), ['first', 'second', 'third', 'other'])
  assert.equal(queue.size, 0)
})

test('a failure and an abortion give up their turn, not those of others', async () => {
  const { begun, work, end } = stage()
  const queue = new NameQueue()
  const controller = new AbortController()
  const first = queue.run(['a'], forever, work('first'))
  const second = queue.run(['a'], controller.signal, work('second'))
  const third = queue.run(['a'], forever, () => Promise.reject(new Error('broken')))
  const fourth = queue.run(['a'], forever, work('fourth'))
  const failed = assert.rejects(third, /broken/)
  controller.abort(new Error('too long'))
  await assert.rejects(second, /too long/)
  await setImmediate()
  assert.deepEqual(begun, ['first'])
  await end('first')
  await failed
  await setImmediate()
  assert.deepEqual(begun, ['first', 'fourth'])
  await end('fourth')
  await Promise.all([first, fourth])
})
