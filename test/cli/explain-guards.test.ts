import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AskedRequest } from '../../src/cli/explain/asked-request.ts'
import { explainAddresses, explainCors, explainTls, tlsWords } from '../../src/cli/explain/guard-words.ts'
import { explainPolicy, type PolicyPlace } from '../../src/cli/explain/policy-words.ts'
import type { Cors, Guards } from '../../src/guards.ts'

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

const policy = { maxBodyBytes: undefined, headers: undefined, guards }
const openPlace = { tls: undefined, closed: undefined }

test('what is asked of a client is told in the order in which it is asked, and no hash is repeated', () => {
  const tls = { minVersion: '1.3', clientAuth: undefined } as const
  assert.deepEqual(
    [...explainPolicy(policy, request, { ...openPlace, tls })].map(({ step, is }) => `${step}: ${is}`),
    [
      'addresses: only 10.0.0.0/8; not 10.0.0.1; others: 403',
      'rateLimit: 100 requests in 10 s by the header x-key, 20 at once, counted for this route; beyond: 429',
      'tls: TLS 1.3 or newer',
      'auth: a name and a password are asked for (1 user); without: 401',
    ],
  )
})

test('an address that is not served is refused, as the data plane would', () => {
  const refusalOf = (from: string) => explainAddresses(guards.addresses!, { ...request, from }).refusal
  assert.deepEqual(
    ['10.0.0.1', '11.0.0.1', '10.0.0.2'].map((from) => refusalOf(from)?.why),
    ['address-denied', 'address-denied', undefined],
  )
})

test('a preflight is answered, and one of another origin refused; other requests go on', () => {
  const cors: Cors = {
    origins: ['https://app.test', 'https://*.pre.test'],
    methods: ['GET'],
    headers: undefined,
    exposeHeaders: [],
    credentials: false,
    maxAgeSeconds: 1,
  }
  const asked = (method: string, origin: string) =>
    explainCors(cors, { ...request, method, fields: ['Origin', origin, 'Access-Control-Request-Method', 'PUT'] })
  assert.deepEqual(asked('OPTIONS', 'https://x.pre.test').refusal, { status: 204, why: undefined })
  assert.deepEqual(asked('OPTIONS', 'https://evil.test').refusal, { status: 403, why: 'origin-denied' })
  assert.equal(asked('GET', 'https://evil.test').refusal, undefined)
  assert.match(asked('GET', 'https://evil.test').is, /https:\/\/evil\.test may not use it, only those of/)
})

test('TLS is told of where it is other than usual, and a certificate cannot be shown over plain HTTP', () => {
  const clientAuth = { trust: 'PEM', mode: 'require', sendsChain: false } as const
  const tls = { minVersion: '1.3', clientAuth } as const
  assert.equal(tlsWords(tls), 'TLS 1.3 or newer; a certificate is required; without: 403')
  assert.equal(tlsWords({ minVersion: '1.3', clientAuth: undefined }), 'TLS 1.3 or newer')
  assert.equal(explainTls(tls, { ...request, scheme: 'http' }).refusal?.why, 'client-certificate-missing')
  assert.equal(explainTls({ ...tls, clientAuth: undefined }, { ...request, scheme: 'http' }).refusal, undefined)
})

test('what an operator has closed is told as such, and whom the config lets pass', () => {
  const maintenance = { isActive: false, allow: ['192.0.2.7'], retryAfterSeconds: 300 }
  const closed = { site: 'a.example', mode: 'on', since: 0, until: undefined } as const
  const asked = (from: string | undefined, place: PolicyPlace) =>
    [...explainPolicy({ ...policy, guards: undefined, maintenance }, { ...request, from }, place)]
      .map(({ is, refusal }) => `${refusal?.why}: ${is}`)
      .join()
  assert.equal(asked(undefined, openPlace), '')
  assert.equal(asked(undefined, { ...openPlace, closed }), 'maintenance: the site is closed by hand')
  assert.equal(asked('192.0.2.7', { ...openPlace, closed }), 'undefined: 192.0.2.7 may pass')
  assert.match(asked(undefined, { ...openPlace, closed: { ...closed, mode: 'hold' } }), /^undefined: requests wait/)
})
