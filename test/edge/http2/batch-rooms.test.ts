import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BATCH_ROOM_BYTES, giveRoomBack, isOfRoom, takeRoom } from '../../../src/edge/http2/batch-rooms.ts'
import { Output } from '../../../src/edge/http2/output.ts'
import { MemorySocket } from './memory-socket.ts'
import { turn } from './test-sweep.ts'

test('a room that was given back is used again, and by one at a time', () => {
  const room = takeRoom()
  assert.equal(room.length, BATCH_ROOM_BYTES)
  assert.ok(isOfRoom(room.subarray(10, 20)))
  giveRoomBack(room.subarray(10, 20))
  const [first, second] = [takeRoom(), takeRoom()]
  assert.equal(first.buffer, room.buffer)
  assert.notEqual(second.buffer, first.buffer)
  giveRoomBack(Buffer.alloc(100))
  assert.equal(takeRoom().length, BATCH_ROOM_BYTES)
})

test('a batch is followed by the next only when it has left, and its room is nobody else’s until then', async () => {
  const socket = new MemorySocket()
  let batches = 0
  const output: Output<never> = new Output(socket, {
    onFill() {
      if (output.frames.pendingBytes > 0 || batches === 3) return
      batches++
      const piece = Buffer.alloc(16_000, `${batches}`)
      for (const _ of [1, 2]) output.frames.data(batches, piece, 0, piece.length)
    },
    onFlushed() {},
    onDelivered() {},
  })
  socket.stopReading()
  output.schedule()
  await turn()
  assert.equal(batches, 1)
  assert.ok(output.isBlocked)
  const others = [takeRoom(), takeRoom()]
  for (const room of others) room.fill('x')
  socket.startReading()
  await turn()
  assert.equal(batches, 3)
  assert.ok(!output.isBlocked)
  const written = socket.takeWritten().toString('latin1')
  assert.equal(written.length, 3 * 2 * 16_009)
  assert.ok(!written.includes('x'))
  assert.equal(written.replaceAll(/[^123]/g, '').replaceAll(/(.)\1+/g, '$1'), '123')
})
