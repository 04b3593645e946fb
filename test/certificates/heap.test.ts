import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heap } from '../../src/certificates/heap.ts'
import { seededRandom } from '../fakes/seeded-random.ts'

type Thing = { place: number; at: number }

test('whatever is added, moved and taken out, the first is the first', () => {
  const random = seededRandom(1)
  const heap = new Heap<Thing>((a, b) => a.at < b.at)
  const things = new Set<Thing>()
  for (let step = 0; step < 20_000; step++) {
    const any = [...things][Math.floor(random() * things.size)]
    const dice = random()
    if (any === undefined || (dice < 0.4 && things.size < 60)) {
      const thing = { place: -1, at: Math.floor(random() * 100) }
      heap.add(thing)
      things.add(thing)
    } else if (dice < 0.7) {
      any.at = Math.floor(random() * 100)
      heap.move(any)
    } else if (dice < 0.85) {
      heap.remove(any)
      things.delete(any)
      assert.equal(heap.has(any), false)
      assert.equal(any.place, -1)
    } else {
      const first = heap.take()!
      things.delete(first)
      assert.ok([...things].every(({ at }) => first.at <= at))
    }
    assert.equal(heap.size, things.size)
    assert.equal(heap.first?.at, things.size === 0 ? undefined : Math.min(...[...things].map(({ at }) => at)))
    if (any !== undefined && things.has(any)) assert.ok(heap.has(any))
  }
})
