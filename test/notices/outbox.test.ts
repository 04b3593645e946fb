import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outbox } from '../../src/notices/outbox.ts'
import type { Notice } from '../../src/notices/trouble.ts'
import { testNotice } from '../../src/notices/wording.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { FakeChannel } from './fake-channel.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

function open(gatherMs = 0) {
  const clock = new FakeClock()
  const log = new RecordingLog()
  const channel = new FakeChannel('here', gatherMs)
  const done: string[] = []
  const onDone = (_channel: string, notices: readonly Notice[]): void => void done.push(...notices.map(({ id }) => id))
  const outbox = new Outbox(channel, { clock, log, random: () => 0.5, onDone })
  outbox.start()
  const push = (id: string): void => outbox.push({ ...testNotice('gate', clock.now()), id })
  return { clock, log, channel, done, outbox, push }
}

test('what comes within the time to gather is one message, and what comes later another', async () => {
  const { clock, channel, outbox, push } = open(MINUTE)
  push('a')
  await clock.advance(MINUTE / 2)
  push('b')
  assert.equal(channel.tries, 0)
  await clock.advance(MINUTE / 2)
  push('c')
  await clock.advance(MINUTE)
  assert.deepEqual(
    channel.messages.map((message) => message.map(({ id }) => id)),
    [['a', 'b'], ['c']],
  )
  await outbox.stop()
  assert.equal(clock.sleeping, 0)
})

test('what fails is tried after 10 s, 20 s, 40 s and so on up to 10 minutes; the log says so once, and when it works again', async () => {
  const { clock, log, channel, done, outbox, push } = open()
  channel.isOut = true
  push('a')
  const tries: number[] = []
  for (let second = 0; second < 25 * 60; second++) {
    const before = channel.tries
    await clock.advance(1_000)
    if (channel.tries > before) tries.push(second + 1)
  }
  assert.deepEqual(tries, [1, 10, 30, 70, 150, 310, 630, 1230])
  assert.equal(log.of('notify-failed').length, 1)
  assert.match(
    log.of('notify-failed')[0]!.message,
    /Notices do not reach here: here is out\. It is tried again for a day\./,
  )
  assert.deepEqual(done, [])
  channel.isOut = false
  await clock.advance(10 * MINUTE)
  assert.deepEqual(done, ['a'])
  assert.equal(log.of('notify-works').length, 1)
  await outbox.stop()
})

test('after a day it is given up, and the log says so once', async () => {
  const { clock, log, channel, done, outbox, push } = open()
  channel.isOut = true
  push('a')
  await clock.advance(DAY / 2)
  push('b')
  await clock.advance(DAY / 2 + 11 * MINUTE)
  assert.deepEqual(done, ['a'])
  assert.match(log.of('notify-given-up')[0]!.message, /as a day of tries was in vain; the log has them all\.$/)
  channel.isOut = false
  await clock.advance(11 * MINUTE)
  assert.deepEqual(done, ['a', 'b'])
  await outbox.stop()
})

test('no more than 500 wait: the oldest make room', async () => {
  const { clock, log, channel, done, outbox, push } = open()
  channel.isOut = true
  for (let index = 0; index < 502; index++) push(`n${index}`)
  assert.deepEqual(done, ['n0', 'n1'])
  assert.equal(log.of('notify-given-up').length, 1)
  channel.isOut = false
  await clock.advance(MINUTE)
  assert.equal(done.length, 502)
  assert.equal(channel.messages.length, 10)
  await outbox.stop()
})

test('stopping while it waits leaves what was not sent', async () => {
  const { clock, channel, done, outbox, push } = open(MINUTE)
  push('a')
  await clock.advance(MINUTE / 2)
  await outbox.stop()
  assert.deepEqual([channel.tries, done.length, clock.sleeping], [0, 0, 0])
})
