import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSet } from '../../src/edge/address-set.ts'
import type { ClientFacts, RequestHead } from '../../src/edge/exchange/exchange.ts'
import { fieldRole, fieldValue, isForwardingField } from '../../src/edge/fields.ts'
import { originOf } from '../../src/edge/forwarding.ts'
import { requestFields, type Told } from '../../src/edge/upstream/request-fields.ts'
import { chosenProtocol, isDated, responseFields } from '../../src/edge/upstream/response-fields.ts'

const client: ClientFacts = {
  address: '192.0.2.7',
  port: 50_000,
  localAddress: '192.0.2.254',
  localPort: 443,
  certificateNames: ['a.test'],
  usesFallback: false,
  tls: undefined,
}

function upstreamFields(
  fields: string[],
  head: Partial<RequestHead> = {},
  trusted: string[] = [],
  told: Partial<Told> = {},
): string[] {
  const request: RequestHead = {
    method: 'GET',
    scheme: 'https',
    authority: 'a.test',
    target: '/',
    version: '1.1',
    fields,
    upgrade: undefined,
    takesTrailers: false,
    ...head,
  }
  const origin = originOf(request, client, new AddressSet(trusted))
  return requestFields(
    { request, expectsContinue: false },
    { origin, requestId: 'id-1', forwarded: false, via: false, prefix: undefined, certificate: undefined, ...told },
  )
}

test('order, case and duplicates of end-to-end fields are kept', () => {
  const fields = ['X-B', '1', 'x-a', '2', 'X-B', '3', 'Accept', '*/*']
  assert.deepEqual(responseFields(fields), fields)
})

test('hop-by-hop fields and those that Connection names are consumed (RFC 9110 §7.6.1)', () => {
  const fields = [
    'Connection',
    'close, X-Hop',
    'Keep-Alive',
    'timeout=5',
    'x-hop',
    '1',
    'TE',
    'trailers',
    'X-Keep',
    '1',
  ]
  assert.deepEqual(responseFields([...fields, 'Upgrade', 'h2c', 'Transfer-Encoding', 'chunked']), ['X-Keep', '1'])
})

test('framing is left to whoever frames the message anew (RFC 9112 §6)', () => {
  const fields = ['Content-Length', '3', 'Transfer-Encoding', 'chunked', 'X', '1']
  assert.deepEqual(responseFields(fields), ['X', '1'])
  assert.deepEqual(upstreamFields(fields).slice(0, 3), ['X', '1', 'X-Forwarded-For'])
})

test('of a trusted proxy, what we have nothing better to say for is passed on, but in its own spelling only', () => {
  const claims = [
    'X-Real-IP',
    '203.0.113.9',
    'X-Forwarded-Port',
    '443',
    'X_Real_IP',
    '6.6.6.6',
    'X-Forwarded-Proto',
    'http',
  ]
  const fields = upstreamFields(claims, {}, ['192.0.2.7'])
  assert.deepEqual(fields.slice(0, 4), claims.slice(0, 4))
  assert.deepEqual(fields.slice(4), [
    'X-Forwarded-For',
    '192.0.2.7',
    'X-Forwarded-Proto',
    'http',
    'X-Forwarded-Host',
    'a.test',
    'X-Request-Id',
    'id-1',
  ])
})

test('the client cannot speak for a proxy: forwarding fields are replaced by ours, in every spelling', () => {
  const claims = ['X-Forwarded-For', 'x_forwarded_for', 'X.Forwarded-Proto', 'Forwarded', 'X-Real-IP', 'x_real.ip']
  for (const name of claims) assert.equal(isForwardingField(name), true, name)
  const fields = upstreamFields(claims.flatMap((name) => [name, '6.6.6.6']))
  assert.doesNotMatch(fields.join(), /6\.6\.6\.6/)
  assert.equal(fieldValue(fields, 'x-forwarded-for'), '192.0.2.7')
  assert.equal(fieldValue(fields, 'x-forwarded-proto'), 'https')
  assert.equal(fieldValue(fields, 'x-forwarded-host'), 'a.test')
})

test('Connection cannot take away what we say ourselves (CVE-2024-45410)', () => {
  const fields = upstreamFields(['Connection', 'X-Forwarded-For, x-forwarded-host, Host'])
  assert.equal(fieldValue(fields, 'x-forwarded-for'), '192.0.2.7')
  assert.equal(fieldValue(fields, 'x-forwarded-host'), 'a.test')
})

test('Host and upgrades are left to the codec, which knows them from the head', () => {
  const fields = upstreamFields(['Host', 'other.test', 'host', 'x', 'Connection', 'Upgrade', 'Upgrade', 'x'])
  assert.deepEqual(fields, upstreamFields([]))
})

test('the role of a name does not depend on its case, nor on how often it was asked for', () => {
  for (const name of ['Content-Length', 'content-length', 'CONTENT-LENGTH', 'Content-Length'])
    assert.equal(fieldRole(name), 'content-length')
  for (let index = 0; index < 3000; index++) assert.equal(fieldRole(`X-${index}`), 'end-to-end')
  assert.equal(fieldRole('TE'), 'te')
  assert.equal(fieldRole(`x-forwarded-${'x'.repeat(100)}`), 'forwarding')
})

test('a response without a date is known by it (RFC 9110 §6.6.1)', () => {
  assert.equal(isDated(['X', '1', 'DATE', 'x']), true)
  assert.equal(isDated(['Last-Modified', 'x']), false)
})

test('a protocol that was not offered is not chosen (RFC 9110 §7.8)', () => {
  assert.equal(chosenProtocol(['Upgrade', 'WebSocket'], 'x, websocket'), 'WebSocket')
  assert.equal(chosenProtocol(['Upgrade', 'y'], 'x, websocket'), undefined)
  assert.equal(chosenProtocol([], 'x'), undefined)
})

test('names of object members are plain fields', () => {
  const fields = ['__proto__', '1', 'constructor', '2']
  assert.deepEqual(responseFields(fields), fields)
  assert.equal(fieldValue(fields, '__proto__'), '1')
})
