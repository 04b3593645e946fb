import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AskedRequest } from '../../src/cli/explain/asked-request.ts'
import { explainGuards, tlsWords } from '../../src/cli/explain/guard-words.ts'
import type { Guards } from '../../src/guards.ts'

const request: AskedRequest = {
  method: 'GET',
  scheme: 'https',
  host: 'a.example',
  port: undefined,
  target: '/',
  fields: [],
  serverName: 'a.example',
  from: undefined,
}

const guards: Guards = {
  addresses: { allow: ['10.0.0.0/8'], deny: ['10.0.0.1'] },
  rateLimit: { requests: 100, periodMs: 10_000, burst: 20, by: { type: 'header', name: 'x-key' }, scope: 'route' },
  cors: undefined,
  auth: { type: 'basic', users: [['alice', '$2b$…']], realm: 'r', passAuthorization: false },
}

test('what is asked of a client is told in the order in which it is asked, and no hash is repeated', () => {
  assert.deepEqual(
    [...explainGuards(guards, request)].map(({ step, is }) => `${step}: ${is}`),
    [
      'addresses: only 10.0.0.0/8; not 10.0.0.1',
      'rateLimit: 100 requests in 10 s by the header x-key, 20 at once, counted for this route',
      'auth: a name and a password, of 1',
    ],
  )
})

test('an address that is not served is refused, as the data plane would', () => {
  const refusalOf = (from: string) => explainGuards(guards, { ...request, from }).next().value?.refusal
  assert.deepEqual(
    ['10.0.0.1', '11.0.0.1', '10.0.0.2'].map((from) => refusalOf(from)?.why),
    ['address-denied', 'address-denied', undefined],
  )
})

test('TLS is told of where it is other than usual', () => {
  const clientAuth = { trust: 'PEM', mode: 'require', sendsChain: false } as const
  assert.equal(tlsWords({ minVersion: '1.3', clientAuth }), 'TLS 1.3 or newer; a certificate is required')
  assert.equal(tlsWords({ minVersion: '1.3', clientAuth: undefined }), 'TLS 1.3 or newer')
})
