import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { inspect } from 'node:util'
import { AcmeError } from '../../src/acme/acme-error.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { Fixture, forever } from './fixture.ts'
import { problem } from './scripted-ca.ts'
import { asTimePasses } from './time.ts'

let fixture: Fixture
beforeEach(async () => {
  fixture = await Fixture.open()
})
afterEach(() => fixture.close())

const options = { what: 'a thing', signal: forever }
const post = (path = '/thing') => fixture.client.post(`${fixture.ca.origin}${path}`, { a: 1 }, fixture.account, options)
const read = (path = '/thing') => fixture.client.read(`${fixture.ca.origin}${path}`, fixture.account, options)

test('sends User-Agent and Accept-Language with everything (RFC 8555 §6.1)', async () => {
  fixture.ca.scripts.set('/thing', () => ({ body: {} }))
  await post()
  assert.deepEqual(
    fixture.ca.requests.map(({ method, path, headers }) => [
      method,
      path,
      headers['user-agent'],
      headers['accept-language'],
    ]),
    [
      ['GET', '/dir', 'test/1', 'en'],
      ['HEAD', '/new-nonce', 'test/1', 'en'],
      ['POST', '/new-account', 'test/1', 'en'],
      ['POST', '/thing', 'test/1', 'en'],
    ],
  )
  assert.equal(fixture.ca.to('/thing')[0]?.headers['content-type'], 'application/jose+json')
})

test('asks nothing of a CA whose clock is another than ours', async () => {
  const { ca } = fixture
  ca.scripts.set('/dir', async (_request, normal) => ({
    ...(await normal()),
    headers: { Date: 'Wed, 24 Nov 2027 12:00:00 GMT' },
  }))
  const before = ca.requests.length
  await assert.rejects(fixture.connect(), { code: 'clock-wrong', transient: false })
  assert.equal(ca.requests.length, before + 1)
})

test('retries badNonce as a new JWS, with the nonce that came with the refusal (RFC 8555 §6.5)', async () => {
  const given = ['first-refusal', 'second-refusal']
  let tries = 0
  fixture.ca.accept(...given)
  fixture.ca.scripts.set('/thing', () => {
    const nonce = given[tries++]
    return nonce === undefined ? { body: {} } : { ...problem('badNonce', 'old'), headers: { 'Replay-Nonce': nonce } }
  })
  await post()
  const nonces = fixture.ca.to('/thing').map(({ header }) => header.nonce)
  assert.equal(new Set(nonces).size, 3)
  assert.deepEqual(nonces.slice(1), given)
})

test('asks for a new nonce when a refusal brought none, or none that is valid', async () => {
  let tries = 0
  fixture.ca.scripts.set('/thing', () =>
    tries++ === 0 ? { ...problem('badNonce', 'old'), headers: { 'Replay-Nonce': 'not/valid' } } : { body: {} },
  )
  await post()
  assert.equal(fixture.ca.to('/new-nonce').length, 2)
})

test('a refused nonce condemns those that were kept', async () => {
  for (const stale of ['stale-1', 'stale-2', 'stale-3']) fixture.nonces.add(stale)
  fixture.ca.scripts.set('/thing', () => ({ body: {} }))
  await post()
  assert.equal(fixture.nonces.size, 1)
})

test('gives up after ten nonces', async () => {
  fixture.ca.scripts.set('/thing', () => problem('badNonce', 'never good enough'))
  await assert.rejects(post(), { code: 'acme-nonces-refused' })
  assert.equal(fixture.ca.to('/thing').length, 10)
})

test('refuses to go on without a nonce', async () => {
  fixture.nonces.clear()
  fixture.ca.scripts.set('/new-nonce', () => ({ headers: { 'Replay-Nonce': '' } }))
  await assert.rejects(post(), { code: 'acme-response-invalid', message: /no valid nonce/ })
})

test('a problem document becomes an error with the CA’s words and its Retry-After', async () => {
  fixture.ca.scripts.set('/thing', () => ({
    ...problem('rateLimited', 'too many orders'),
    status: 429,
    headers: { 'Retry-After': '3600' },
  }))
  await assert.rejects(post(), (error: AcmeError) => {
    assert.match(error.message, /refused a thing: “too many orders” \(rateLimited\)/)
    assert.equal(error.retryAfterMs, 3_600_000)
    return true
  })
  assert.equal(fixture.ca.to('/thing').length, 1)
})

test('HTML is quoted with its status, 200 characters of it at most', async () => {
  const page = `<html>\n<h1>It works!\u001b[2J</h1>${'x'.repeat(1000)}`
  const cases = [
    [200, 'acme-response-invalid'],
    [404, 'acme-response-invalid'],
    [502, 'acme-unavailable'],
  ] as const
  for (const [status, code] of cases) {
    fixture.ca.scripts.set('/thing', () => ({ status, body: page }))
    await assert.rejects(
      post().then((response) => response.json()),
      (error: AcmeError) => {
        assert.equal(error.code, code)
        assert.match(
          error.message,
          new RegExp(`answered a thing with ${status} \\(text/html\\).*“<html> <h1>It works! \\[2J</h1>x+…”$`),
        )
        assert.ok(error.message.length < 400)
        return true
      },
    )
  }
})

test('JSON that is none, and JSON of another content type, are refused', async () => {
  const json = { 'Content-Type': 'application/json' }
  for (const answer of [
    { headers: json, body: '{"a":' },
    { headers: json, body: '' },
    { headers: { 'Content-Type': 'text/plain' }, body: '{}' },
  ]) {
    fixture.ca.scripts.set('/thing', () => answer)
    await assert.rejects(
      post().then((response) => response.json()),
      { code: 'acme-response-invalid' },
    )
  }
})

test('a read is repeated after what passes by itself, with growing pauses, four times in all', async () => {
  let tries = 0
  fixture.ca.scripts.set('/thing', () => (++tries < 4 ? { status: 503, body: 'busy' } : { body: { tries } }))
  const start = fixture.clock.now()
  const response = await asTimePasses(fixture.clock, read())
  assert.deepEqual(response.json(), { tries: 4 })
  assert.ok(fixture.clock.now() - start >= 7000)
  assert.equal(fixture.ca.to('/thing')[0]?.payload, undefined)
  tries = -100
  await assert.rejects(asTimePasses(fixture.clock, read()), { code: 'acme-unavailable' })
  assert.equal(fixture.ca.to('/thing').length, 8)
})

test('a read waits for a short Retry-After and not for a long one', async () => {
  fixture.ca.scripts.set('/thing', () => ({ status: 503, headers: { 'Retry-After': '99999999' }, body: 'busy' }))
  await assert.rejects(read(), (error: AcmeError) => error.retryAfterMs === 24 * 60 * 60 * 1000)
  assert.equal(fixture.ca.to('/thing').length, 1)
  let tries = 0
  fixture.ca.scripts.set('/thing', () =>
    tries++ === 0 ? { status: 503, headers: { 'Retry-After': '20' } } : { body: {} },
  )
  const start = fixture.clock.now()
  await asTimePasses(fixture.clock, read())
  assert.ok(fixture.clock.now() - start >= 20_000)
})

test('what is not a read is not repeated', async () => {
  fixture.ca.scripts.set('/thing', () => ({ status: 503, body: 'busy' }))
  await assert.rejects(post(), AcmeError)
  assert.equal(fixture.ca.to('/thing').length, 1)
})

test('a private key that a CA sends is neither in the error nor in the log, as a page or in a problem', async () => {
  const key = exportPrivateKey((await generateKey('ecdsa-p256')).privateKey)
  const [, secret] = key.split('\n')
  const answers = [
    { status: 200, headers: { 'Content-Type': 'application/x-pem-file' }, body: key },
    { status: 502, body: `<pre>${key}</pre>` },
    problem('serverInternal', key, { title: key, instance: key, subproblems: [{ detail: key }] }),
  ]
  for (const answer of answers) {
    fixture.ca.scripts.set('/thing', () => answer)
    await assert.rejects(
      post().then((response) => response.json()),
      (error: AcmeError) => {
        assert.match(error.message, /\(a private key, left out\)/)
        assert.ok(!inspect([error, error.facts, fixture.log.entries], { depth: 9 }).includes(secret!.slice(0, 20)))
        return true
      },
    )
  }
})

test('a directory that is a web page is an error that quotes it', async () => {
  fixture.ca.scripts.set('/dir', () => ({ body: '<!doctype html><title>Welcome</title>' }))
  await assert.rejects(fixture.connect(), {
    code: 'acme-response-invalid',
    message: /its directory with 200 \(text\/html\).*Welcome/,
  })
})
