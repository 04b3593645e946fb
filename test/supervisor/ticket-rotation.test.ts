import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TicketSecrets } from '../../src/edge/tls/ticket-keys.ts'
import { TicketRotation } from '../../src/supervisor/ticket-rotation.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const HALF_A_DAY = 12 * 3_600_000

test('a secret is newest for half a day, taken for another, and then gone', async () => {
  const clock = new FakeClock()
  let made = 0
  const rotation = new TicketRotation(clock, (size) => Buffer.alloc(size, ++made))
  const secret = (byte: number): string => Buffer.alloc(32, byte).toString('base64')
  const told: TicketSecrets[] = []
  rotation.start((secrets) => told.push(secrets))
  assert.deepEqual(rotation.secrets, [secret(1)])
  await clock.advance(HALF_A_DAY - 1)
  assert.deepEqual(told, [])
  await clock.advance(1)
  await clock.advance(HALF_A_DAY)
  assert.deepEqual(told, [
    [secret(2), secret(1)],
    [secret(3), secret(2)],
  ])
  assert.deepEqual(rotation.secrets, told[1])
  await rotation.stop()
  assert.equal(clock.sleeping, 0)
})
