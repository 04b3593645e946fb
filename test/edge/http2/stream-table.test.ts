import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StreamTable } from '../../../src/edge/http2/stream-table.ts'
import { dice } from './hpack/dice.ts'

test('a table of streams holds what a Map would', () => {
  const random = dice(1)
  const table = new StreamTable<{ id: number }>()
  const map = new Map<number, { id: number }>()
  for (let turns = 0, next = 1; turns < 20_000; turns++) {
    // Long-lived streams among short-lived ones, so that identifiers meet in their slots.
    if (random() < (map.size < 200 ? 0.6 : 0.4)) {
      const stream = { id: next }
      next += random() < 0.1 ? 2 * Math.floor(random() * 500) + 2 : 2
      table.add(stream)
      map.set(stream.id, stream)
    } else {
      const ids = [...map.keys()]
      const id = random() < 0.1 ? next : ids[Math.floor(random() ** 3 * ids.length)]!
      assert.equal(table.delete(id), map.delete(id))
    }
    assert.equal(table.size, map.size)
    const id = 1 + 2 * Math.floor((random() * next) / 2)
    assert.equal(table.get(id), map.get(id))
    if (turns % 500 === 0) {
      assert.deepEqual(new Set(table.values()), new Set(map.values()))
      for (const [key, stream] of map) assert.equal(table.get(key), stream)
    }
  }
})
