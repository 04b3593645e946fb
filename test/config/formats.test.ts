import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationFormat, formatDuration } from '../../src/config/duration.ts'
import { listenAddressFormat } from '../../src/config/listen-address.ts'
import { emailFormat } from '../../src/config/plain-formats.ts'
import { Refusal } from '../../src/config/problem.ts'
import { redirectTargetFormat } from '../../src/config/redirect-target.ts'
import type { TextFormat } from '../../src/config/text-format.ts'
import { upstreamFormat } from '../../src/config/upstream-url.ts'

function readsAll<T>(format: TextFormat<T>, good: readonly [string, T][]): void {
  const pattern = format.schema.pattern === undefined ? /^/ : new RegExp(format.schema.pattern, 'u')
  for (const [text, value] of good) {
    assert.deepEqual(format.read(text), value, text)
    assert.match(text, pattern, 'an editor must not warn of what is read')
  }
}

function refusesAll<T>(format: TextFormat<T>, bad: readonly [string, RegExp][]): void {
  for (const [text, reason] of bad) {
    const refusal = format.read(text)
    assert.ok(refusal instanceof Refusal, `${JSON.stringify(text)} was read`)
    assert.match(`${refusal.fault} ${refusal.hint}`, reason, text)
  }
}

test('durations are read as milliseconds', () => {
  const format = durationFormat({ atLeast: '1ms', atMost: '365d' })
  readsAll(format, [
    ['500ms', 500],
    ['90s', 90_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['60d', 5_184_000_000],
  ])
  refusesAll(format, [
    ['0s', /too short/],
    ['366d', /too long/],
    [`${'9'.repeat(400)}d`, /too long/],
    ['1.5s', /undefined/],
    ['-1s', /undefined/],
    ['1 s', /undefined/],
    ['1w', /undefined/],
    ['s', /undefined/],
    ['10s\n', /undefined/],
  ])
})

test('durations are written in the largest unit that fits', () => {
  assert.deepEqual([5_184_000_000, 129_600_000, 90_000, 1].map(formatDuration), ['60d', '36h', '90s', '1ms'])
})

test('listen addresses are hosts with ports, sockets or file descriptors', () => {
  readsAll(listenAddressFormat, [
    [':443', { type: 'tcp', host: undefined, port: 443 }],
    ['127.0.0.1:8443', { type: 'tcp', host: '127.0.0.1', port: 8443 }],
    ['[::]:443', { type: 'tcp', host: '::', port: 443 }],
    ['[0:0::1]:443', { type: 'tcp', host: '::1', port: 443 }],
    ['LocalHost:1', { type: 'tcp', host: 'localhost', port: 1 }],
    ['unix:/run/castellan.sock', { type: 'unix', path: '/run/castellan.sock' }],
    ['unix:run/x.sock', { type: 'unix', path: 'run/x.sock' }],
    ['fd:3', { type: 'fd', fd: 3 }],
  ])
  refusesAll(listenAddressFormat, [
    ['', /no port/],
    ['443', /did you mean ":443"/],
    ['*:443', /did you mean ":443"/],
    ['localhost', /no port/],
    ['::1', /did you mean "\[::1\]:443"/],
    [':0', /1 to 65535/],
    [':65536', /1 to 65535/],
    [':', /1 to 65535/],
    [':+1', /1 to 65535/],
    ['[::1]', /no port/],
    ['[localhost]:1', /neither/],
    ['[127.0.0.1]:1', /neither/],
    ['a b:1', /neither/],
    ['http://h:1', /1 to 65535/],
    ['unix:', /no path/],
    ['fd:2', /start at 3/],
    ['fd:x', /start at 3/],
  ])
})

test('upstreams are http, https, h2, h2c or unix', () => {
  readsAll(upstreamFormat, [
    ['http://localhost:3000', { scheme: 'http', host: 'localhost', port: 3000 }],
    ['http://localhost:3000/', { scheme: 'http', host: 'localhost', port: 3000 }],
    ['http://my_app', { scheme: 'http', host: 'my_app', port: 80 }],
    ['https://App.Internal', { scheme: 'https', host: 'app.internal', port: 443 }],
    ['https://[2001:DB8::0:1]:8443', { scheme: 'https', host: '2001:db8::1', port: 8443 }],
    ['http://127.0.0.1:80', { scheme: 'http', host: '127.0.0.1', port: 80 }],
    ['h2://App.Internal', { scheme: 'h2', host: 'app.internal', port: 443 }],
    ['h2c://[::1]:50051/', { scheme: 'h2c', host: '::1', port: 50_051 }],
    ['h2c://app', { scheme: 'h2c', host: 'app', port: 80 }],
    ['unix:/run/app.sock', { scheme: 'unix', path: '/run/app.sock' }],
  ])
  refusesAll(upstreamFormat, [
    ['', /no scheme/],
    ['localhost:3000', /did you mean "http:\/\/localhost:3000"/],
    [':3000', /did you mean "http:\/\/localhost:3000"/],
    ['3000', /did you mean "http:\/\/localhost:3000"/],
    ['[::1]:3000', /did you mean "http:\/\/\[::1\]:3000"/],
    ['/run/app.sock', /did you mean "unix:\/run\/app.sock"/],
    ['http://', /neither/],
    ['http://h:', /1 to 65535/],
    ['http://h:0', /1 to 65535/],
    ['http://h:65536', /1 to 65535/],
    ['http://h:80:80', /neither/],
    ['http://[::1', /neither|1 to 65535/],
    ['http://a b', /character/],
    ['http://h\\x', /character/],
    ['http://%68', /character/],
    ['http://h\n', /character/],
    ['http://h/app', /path/],
    ['http://h//', /path/],
    ['http://h?q', /query/],
    ['http://h#f', /query/],
    ['http://u@h', /user name/],
    ['grpcs://h', /gRPC goes through h2:/],
    ['h2c://h:0', /1 to 65535/],
    ['ws://h', /WebSockets go through http:/],
    ['ftp://h', /unknown/],
    ['unix:', /no path/],
  ])
})

test('redirects lead to an origin (RFC 6454 §6.2)', () => {
  readsAll(redirectTargetFormat, [
    ['https://www.example.com', 'https://www.example.com'],
    ['https://www.example.com/', 'https://www.example.com'],
    ['https://Bücher.Example:443', 'https://xn--bcher-kva.example'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
  ])
  refusesAll(redirectTargetFormat, [
    ['www.example.com', /does not start/],
    ['ftp://h', /does not start/],
    ['https://h/x', /path and query/],
    ['https://h?x', /path and query/],
    ['https://h\\x', /character/],
    ['https://h\n', /character/],
    ['https://u:p@h', /user name/],
    ['https://h:0', /1 to 65535/],
    ['https://', /neither/],
  ])
})

test('contacts are e-mail addresses that a CA would take', () => {
  readsAll(emailFormat, [
    ['ops@example.com', 'ops@example.com'],
    ["o'brien+tls@mail.example.co.uk", "o'brien+tls@mail.example.co.uk"],
  ])
  refusesAll(emailFormat, [
    ['mailto:ops@example.com', /mailto/],
    ['ops', /undefined/],
    ['a@b@c.example', /undefined/],
    ['ops@localhost', /undefined/],
    ['a@b.example?cc=x', /undefined/],
    ['a@b.example\n', /undefined/],
  ])
})
