import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WaitingNames } from '../../../src/edge/tls/waiting-names.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

function waitingFor(...names: readonly string[]) {
  const log = new RecordingLog()
  const clock = { now: 0 }
  const waiting = new WaitingNames(log, () => clock.now)
  waiting.update([{ names, reason: 'the CA is being asked' }])
  return { log, clock, waiting, said: () => log.of('handshake-waiting').map(({ message }) => message) }
}

test('a name waits by itself or below a wildcard, by one label; others do not', () => {
  const { waiting } = waitingFor('a.test', '*.w.test')
  assert.deepEqual(
    ['a.test', 'x.w.test', 'w.test', 'x.y.w.test', 'b.test', '__proto__'].map((name) => waiting.askedFor(name)),
    [true, true, false, false, false, false],
  )
})

test('the log says it once in 10 s for a name, and says what is waited for', () => {
  const { waiting, clock, said } = waitingFor('a.test', 'b.test')
  const line = (name: string): string =>
    `A client asks for ${name}, which has no certificate yet: the CA is being asked.`
  for (clock.now = 0; clock.now < 10_000; clock.now += 100) waiting.askedFor('a.test')
  assert.deepEqual(said(), [line('a.test')])
  waiting.askedFor('b.test')
  waiting.askedFor('a.test')
  assert.deepEqual(said(), [line('a.test'), line('b.test'), line('a.test')])
})

test('names that are invented below a wildcard do not fill the log', () => {
  const { waiting, said } = waitingFor('*.w.test')
  for (let at = 0; at < 5_000; at++) assert.ok(waiting.askedFor(`x${at}.w.test`))
  assert.deepEqual(said(), ['A client asks for x0.w.test, which has no certificate yet: the CA is being asked.'])
})

test('5,000 names that wait are each said once, however often they are asked for', () => {
  const names = Array.from({ length: 5_000 }, (_, at) => `n${at}.test`)
  const { waiting, said } = waitingFor(...names)
  for (let times = 0; times < 3; times++) for (const name of names) waiting.askedFor(name)
  assert.equal(said().length, 5_000)
})

test('an update gives up names, and does not repeat what was said', () => {
  const { waiting, said } = waitingFor('a.test', 'b.test')
  waiting.askedFor('a.test')
  waiting.update([{ names: ['a.test'], reason: 'the CA says no' }])
  assert.deepEqual([waiting.askedFor('a.test'), waiting.askedFor('b.test'), said().length], [true, false, 1])
})
