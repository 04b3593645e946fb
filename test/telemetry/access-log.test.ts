import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type AccessEntry, type AccessFormat, accessFormats, createAccessLog } from '../../src/telemetry/access-log.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const entry: AccessEntry = {
  client: '192.0.2.1',
  site: 'a.test',
  host: 'a.test:8443',
  method: 'GET',
  target: '/x?y',
  version: '1.1',
  status: 200,
  bytes: 12,
  requestId: 'abc',
  durationMs: 1.26,
}

function line(format: AccessFormat, differences: Partial<AccessEntry> = {}, fields: readonly string[] = []): string {
  const lines: string[] = []
  const clock = new FakeClock(Date.parse('2026-11-24T12:00:00Z'))
  createAccessLog(format, clock, (written) => lines.push(written))({ ...entry, ...differences }, fields)
  assert.equal(lines.length, 1)
  return lines[0]!
}

test('text is a line that a person reads at a glance', () => {
  assert.equal(line('text'), '2026-11-24T12:00:00Z 200 GET a.test:8443/x?y HTTP/1.1 12 B 1.3 ms 192.0.2.1\n')
})

test('json is one object on one line', () => {
  const { time, level, event, ...rest } = JSON.parse(line('json'))
  assert.deepEqual([time, level, event], ['2026-11-24T12:00:00.000Z', 'info', 'request'])
  assert.deepEqual(rest, entry)
})

test('combined is what tools for the logs of nginx and Apache read', () => {
  const fields = ['Referer', 'https://b.test/', 'user-agent', 'curl/8']
  assert.equal(
    line('combined', { version: '2' }, fields),
    '192.0.2.1 - - [24/Nov/2026:12:00:00 +0000] "GET /x?y HTTP/2.0" 200 12 "https://b.test/" "curl/8"\n',
  )
  assert.equal(
    line('combined', { client: '' }),
    '- - - [24/Nov/2026:12:00:00 +0000] "GET /x?y HTTP/1.1" 200 12 "-" "-"\n',
  )
})

test('combined keeps what could end a value in hex, byte by byte', () => {
  const agent = Buffer.from('a"b\\c\td é').toString('latin1')
  assert.match(line('combined', {}, ['User-Agent', agent]), / "a\\x22b\\x5Cc\\x09d \\xC3\\xA9"\n$/)
})

for (const format of accessFormats)
  test(`nothing from a request starts a line or speaks to the terminal (${format})`, () => {
    const evil = 'a\r\n2026 ERROR fake\u001b[2J\u009b31m\u2028\u202e"'
    const written = line(format, { host: evil, target: `/${evil}`, site: undefined }, ['User-Agent', evil])
    assert.equal(written.indexOf('\n'), written.length - 1)
    assert.doesNotMatch(written.slice(0, -1), /[\p{Cc}\u2028\u202e]/u)
  })
