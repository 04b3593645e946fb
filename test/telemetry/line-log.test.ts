import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLineLog } from '../../src/telemetry/line-log.ts'
import type { LogFormat, LogLevel } from '../../src/telemetry/log.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

function record(format: LogFormat, level: LogLevel = 'info') {
  const lines: string[] = []
  const clock = new FakeClock(Date.parse('2026-11-24T12:00:00Z'))
  const write = (line: string): void => {
    lines.push(line)
  }
  return { lines, log: createLineLog({ level, format, clock, write, facts: { worker: 7 } }) }
}

test('a JSON entry is one object on one line, with time, level, event, message and facts', () => {
  const { lines, log } = record('json')
  log.warn('upstream-timeout', 'too slow', { site: 'a.test', tries: 2, names: ['a', 'b'] })
  assert.equal(lines.length, 1)
  assert.deepEqual(JSON.parse(lines[0]!), {
    time: '2026-11-24T12:00:00.000Z',
    level: 'warn',
    event: 'upstream-timeout',
    message: 'too slow',
    worker: 7,
    site: 'a.test',
    tries: 2,
    names: ['a', 'b'],
  })
})

test('a text entry is time, level and sentence', () => {
  const { lines, log } = record('text')
  log.info('certificate-issued', 'Got a certificate for a.test.', { names: ['a.test'] })
  assert.equal(lines[0], '2026-11-24T12:00:00Z INFO  Got a certificate for a.test.\n')
})

test('entries below the level are not written', () => {
  const { lines, log } = record('text', 'warn')
  log.debug('a', 'a')
  log.info('b', 'b')
  log.warn('c', 'c')
  log.error('d', 'd')
  assert.deepEqual(
    lines.map((line) => line.slice(21, 26)),
    ['WARN ', 'ERROR'],
  )
})

for (const format of ['text', 'json'] as const)
  test(`nothing from outside starts a line or speaks to the terminal (${format})`, () => {
    const { lines, log } = record(format)
    const evil = 'a\r\n2026 ERROR fake\u001b[2J\u009b31m\u2028\u202e'
    log.info('event', evil, { name: evil })
    for (const line of lines) {
      assert.equal(line.indexOf('\n'), line.length - 1)
      assert.doesNotMatch(line.slice(0, -1), /[\p{Cc}\u2028\u202e]/u)
    }
  })
