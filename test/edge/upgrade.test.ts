import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leavesHttp } from '../../src/edge/upgrade.ts'

test('any protocol may be asked for (RFC 9110 §7.8)', () => {
  for (const offered of [
    'websocket',
    'WebSocket',
    'tcp',
    'SPDY/3.1',
    'foo/1, bar ,\tbaz/2',
    'h2o',
    'https-ish',
    'connect-udp',
  ])
    assert.ok(leavesHttp(offered), offered)
})

test('but for HTTP, and TLS in which it would go on', () => {
  for (const offered of [
    'h2c',
    'H2C',
    'h2',
    'HTTP/2.0',
    'http',
    'TLS/1.0',
    'websocket, h2c',
    'h2c,websocket',
    'a,\th2c\t,b',
  ])
    assert.ok(!leavesHttp(offered), offered)
})

test('and for what another recipient could read otherwise', () => {
  for (const offered of [
    '',
    ',',
    'a,',
    ',h2c',
    'a,,b',
    'a b',
    '"h2c"',
    'h2c;q=1',
    'a/',
    '/1',
    'a/1/2',
    'websocket\xa0',
    'a;h2c',
  ])
    assert.ok(!leavesHttp(offered), offered)
})
