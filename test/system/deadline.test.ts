import assert from 'node:assert/strict'
import { test } from 'node:test'
import { abortable, withDeadline } from '../../src/system/deadline.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const expired = (): Error => new Error('too late')
const forever = new AbortController().signal

test('gives what the work gives, and leaves no timer behind', async () => {
  const clock = new FakeClock()
  assert.equal(await withDeadline({ clock, ms: 1000, signal: forever, expired }, async () => 7), 7)
  await assert.rejects(
    withDeadline({ clock, ms: 1000, signal: forever, expired }, () => Promise.reject(new Error('x'))),
    /x/,
  )
  assert.equal(clock.sleeping, 0)
})

test('aborts the work’s signal when time is up, with the error as reason', async () => {
  const clock = new FakeClock()
  const work = withDeadline({ clock, ms: 1000, signal: forever, expired }, (signal) => clock.sleep(5000, signal))
  const failed = assert.rejects(work, /too late/)
  await clock.advance(999)
  assert.equal(clock.sleeping, 2)
  await clock.advance(1)
  await failed
  assert.equal(clock.sleeping, 0)
})

test('passes the caller’s abortion on, with its reason', async () => {
  const clock = new FakeClock()
  const controller = new AbortController()
  const work = withDeadline({ clock, ms: 1000, signal: controller.signal, expired }, (signal) =>
    clock.sleep(5000, signal),
  )
  controller.abort(new Error('shutting down'))
  await assert.rejects(work, /shutting down/)
  await assert.rejects(
    withDeadline({ clock, ms: 1, signal: controller.signal, expired }, async () => 1),
    /shutting down/,
  )
  assert.equal(clock.sleeping, 0)
})

test('abortable stops waiting for a promise that heeds no signal', async () => {
  const controller = new AbortController()
  const waiting = abortable(new Promise(() => {}), controller.signal)
  controller.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  assert.equal(await abortable(Promise.resolve(1), forever), 1)
})
