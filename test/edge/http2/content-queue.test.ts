import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ContentQueue } from '../../../src/edge/http2/content-queue.ts'
import { dice } from './hpack/dice.ts'

test('content comes out as it went in, in pieces of any size', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = dice(seed)
    const queue = new ContentQueue()
    let pushed = ''
    let taken = ''
    for (let turns = 0; turns < 400; turns++) {
      if (random() < 0.55) {
        const piece = Buffer.alloc(Math.floor(random() ** 4 * 6000), `${seed}-${turns} `)
        queue.push(piece)
        pushed += piece.toString()
      } else if (random() < 0.3) taken += queue.shift()?.toString() ?? ''
      else {
        const bytes = Math.floor(random() * (queue.bytes + 1))
        const out = Buffer.alloc(bytes)
        queue.takeInto(out, 0, bytes)
        taken += out.toString()
      }
      assert.equal(queue.bytes, pushed.length - taken.length)
      if (turns % 40 === 0) assert.ok(pushed.startsWith(taken))
    }
    for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) taken += piece.toString()
    assert.equal(taken, pushed)
  }
})

test('small pieces are joined, and large ones stay what they are', () => {
  const queue = new ContentQueue()
  for (let count = 0; count < 10_000; count++) queue.push(Buffer.from('x'))
  const large = Buffer.alloc(1024)
  queue.push(large)
  queue.push(Buffer.from('y'))
  const pieces: Buffer[] = []
  for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) pieces.push(piece)
  assert.deepEqual(
    pieces.map(({ length }) => length),
    [4096, 4096, 1808, 1024, 1],
  )
  assert.ok(pieces[3]!.buffer === large.buffer)
})

test('a queue that was cleared is as good as new', () => {
  const queue = new ContentQueue()
  queue.push(Buffer.from('abc'))
  queue.push(Buffer.from('def'))
  queue.takeInto(Buffer.alloc(1), 0, 1)
  queue.clear()
  assert.equal(queue.bytes, 0)
  queue.push(Buffer.from('gh'))
  assert.equal(queue.shift()?.toString(), 'gh')
  assert.equal(queue.shift(), undefined)
})

test('little that is left of a large piece does not keep its memory', () => {
  const queue = new ContentQueue()
  const piece = Buffer.from('0123456789abcdef'.repeat(4096))
  queue.push(piece)
  const out = Buffer.alloc(piece.length)
  queue.takeInto(out, 0, 65_500)
  assert.equal(queue.bytes, 36)
  queue.push(Buffer.from('end'))
  const rest = queue.shift()!
  assert.equal(rest.buffer.byteLength < 8192, true)
  assert.equal(rest.toString('latin1'), `${piece.toString('latin1', 65_500)}end`)
  assert.equal(queue.shift(), undefined)
})
