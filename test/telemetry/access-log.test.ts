import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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
  tls: undefined,
  handshakeMs: undefined,
  upstream: undefined,
  connectMs: undefined,
  firstByteMs: undefined,
  attempts: 0,
  why: undefined,
  cause: undefined,
}

/** All that can be told of a request. */
const whole: Partial<AccessEntry> = {
  tls: { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', isResumed: true },
  handshakeMs: 2.5,
  upstream: 'http://127.0.0.1:3000',
  connectMs: 0.4,
  firstByteMs: 3,
  attempts: 2,
  why: 'upstream-broken',
  cause: 'ECONNRESET',
}

/** Of a request of which nothing could be understood. */
const unknown: Partial<AccessEntry> = {
  site: undefined,
  host: undefined,
  method: undefined,
  target: undefined,
  requestId: undefined,
  status: 400,
  why: 'request-line-malformed',
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

test('text ends with the reason where there is one', () => {
  assert.match(line('text', { ...whole, status: 502 }), / 502 GET .* ms 192\.0\.2\.1 upstream-broken \(ECONNRESET\)\n$/)
  assert.match(line('text', unknown), / 400 - - HTTP\/1\.1 12 B 1\.3 ms 192\.0\.2\.1 request-line-malformed\n$/)
})

test('json is one object on one line, and tells no more than there is', () => {
  const { time, level, event, ...rest } = JSON.parse(line('json'))
  assert.deepEqual([time, level, event], ['2026-11-24T12:00:00.000Z', 'info', 'request'])
  const { client, site, host, method, target, version, status, bytes, requestId } = entry
  assert.deepEqual(rest, { client, site, host, method, target, version, status, bytes, requestId, durationMs: 1.3 })
})

test('json has milliseconds to a tenth, as JSON writes numbers', () => {
  for (const [ms, written] of [
    [0, '0'],
    [0.04, '0'],
    [0.96, '1'],
    [12.34, '12.3'],
    [99999.9, '99999.9'],
    [3e9, '3000000000'],
  ] as const)
    assert.match(line('json', { ...entry, durationMs: ms }), new RegExp(`"durationMs":${written}[,}]`))
})

test('json tells of TLS, of the upstream and of the reason', () => {
  const { tls, cipher, resumed, handshakeMs, upstream, connectMs, firstByteMs, attempts, why, cause } = JSON.parse(
    line('json', whole),
  )
  assert.deepEqual([tls, cipher, resumed, handshakeMs], ['TLSv1.3', 'TLS_AES_128_GCM_SHA256', true, 2.5])
  assert.deepEqual([upstream, connectMs, firstByteMs, attempts], ['http://127.0.0.1:3000', 0.4, 3, 2])
  assert.deepEqual([why, cause], ['upstream-broken', 'ECONNRESET'])
  const usual = JSON.parse(line('json', { ...whole, handshakeMs: undefined, connectMs: undefined, attempts: 1 }))
  for (const absent of ['handshakeMs', 'connectMs', 'attempts']) assert.ok(!(absent in usual), absent)
  assert.equal(JSON.parse(line('json', { ...whole, connectMs: 0, firstByteMs: 0 })).connectMs, 0)
})

test('json has null for what could not be understood', () => {
  const { host, method, target, requestId, site } = JSON.parse(line('json', unknown))
  assert.deepEqual([host, method, target, requestId, site], [null, null, null, null, undefined])
})

for (const document of ['README.md', 'config.example.yaml'])
  test(`${document} names every field of the line`, async () => {
    const text = await readFile(join(import.meta.dirname, '../..', document), 'utf8')
    const fields = document === 'README.md' ? tableOf(text) : listIn(text)
    assert.deepEqual(fields, Object.keys(JSON.parse(line('json', whole))))
  })

/** The fields of README's table: `a`, `b` in the first column, in their order. */
function tableOf(readme: string): string[] {
  const section = readme.slice(readme.indexOf('## The access log'))
  const rows = section.slice(0, section.indexOf('\n`why` is')).matchAll(/^\| (`.*?`) +\| /gm)
  return [...rows].flatMap(([, names]) => names!.split(', ').map((name) => name.replaceAll('`', '')))
}

/** Those of the comment in the example: words between `fields:` and the full stop. */
function listIn(example: string): string[] {
  const [, list = ''] = /fields: ([^.]*)\./.exec(example.replaceAll(/\n#\s+#/g, '')) ?? []
  return list.split(/,\s*/)
}

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
  assert.match(line('combined', unknown), /\] "-" 400 12 "-" "-"\n$/)
  assert.match(line('combined', { ...unknown, method: 'GET' }), /\] "GET - HTTP\/1\.1" 400 /)
})

test('combined keeps what could end a value in hex, byte by byte', () => {
  const agent = Buffer.from('a"b\\c\td é').toString('latin1')
  assert.match(line('combined', {}, ['User-Agent', agent]), / "a\\x22b\\x5Cc\\x09d \\xC3\\xA9"\n$/)
})

for (const format of accessFormats)
  test(`nothing from a request starts a line or speaks to the terminal (${format})`, () => {
    const evil = 'a\r\n2026 ERROR fake\u001b[2J\u009b31m\u2028\u202e"'
    const told = { host: evil, method: evil, target: `/${evil}`, site: undefined, why: evil, cause: evil }
    const written = line(format, { ...told, upstream: evil, requestId: evil }, ['User-Agent', evil])
    assert.equal(written.indexOf('\n'), written.length - 1)
    assert.doesNotMatch(written.slice(0, -1), /[\p{Cc}\u2028\u202e]/u)
  })
