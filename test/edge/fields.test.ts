import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AddressSet } from '../../src/edge/address-set.ts'
import type { ClientFacts, Exchange, RequestHead } from '../../src/edge/exchange.ts'
import { endToEndFields, fieldValue, isForwardingField } from '../../src/edge/fields.ts'
import { originOf } from '../../src/edge/forwarding.ts'
import { requestFields } from '../../src/edge/upstream/request-fields.ts'

const client: ClientFacts = {
  address: '192.0.2.7',
  localPort: 443,
  certificateNames: ['a.test'],
  usesFallback: false,
}

function upstreamFields(
  fields: string[],
  head: Partial<RequestHead> = {},
  body?: Exchange['body'],
  trusted: string[] = [],
): string[] {
  const request: RequestHead = {
    method: 'GET',
    scheme: 'https',
    authority: 'a.test',
    target: '/',
    version: '1.1',
    fields,
    upgrade: undefined,
    ...head,
  }
  const origin = originOf(request, client, new AddressSet(trusted))
  return requestFields({ request, client, body } as Exchange, origin)
}

test('order, case and duplicates of end-to-end fields are kept', () => {
  const fields = ['X-B', '1', 'x-a', '2', 'X-B', '3', 'Accept', '*/*']
  assert.deepEqual(endToEndFields(fields), fields)
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
  assert.deepEqual(endToEndFields([...fields, 'Upgrade', 'h2c', 'Transfer-Encoding', 'chunked']), ['X-Keep', '1'])
})

test('Connection cannot take away Host or Content-Length', () => {
  const fields = ['Connection', 'Host, content-length', 'Content-Length', '3']
  assert.deepEqual(endToEndFields(fields), ['Content-Length', '3'])
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
  assert.equal(fieldValue(fields, 'host'), 'a.test')
})

test('Host is the authority that was routed by, once', () => {
  const fields = upstreamFields(['Host', 'other.test', 'host', 'third.test'], { authority: 'a.test:8443' })
  assert.deepEqual(
    fields.filter((_, at) => fields[at - (at % 2)]?.toLowerCase() === 'host'),
    ['Host', 'a.test:8443'],
  )
})

test('an upgrade is asked of the upstream, and only an upgrade', () => {
  assert.equal(fieldValue(upstreamFields(['Connection', 'Upgrade', 'Upgrade', 'x'], { upgrade: 'x' }), 'upgrade'), 'x')
  assert.equal(fieldValue(upstreamFields(['Connection', 'Upgrade', 'Upgrade', 'h2c']), 'upgrade'), undefined)
})

test('names of object members are plain fields', () => {
  const fields = ['__proto__', '1', 'constructor', '2']
  assert.deepEqual(endToEndFields(fields), fields)
  assert.equal(fieldValue(fields, '__proto__'), '1')
})
