import assert from 'node:assert/strict'
import type { KeyObject } from 'node:crypto'
import { afterEach, before, beforeEach, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { AcmeError } from '../../src/acme/acme-error.ts'
import { AuthorizationError } from '../../src/acme/authorization.ts'
import { type Issuance, obtain } from '../../src/acme/issuance.ts'
import type { Prover } from '../../src/acme/proof.ts'
import { checkIssued } from '../../src/pki/certificate.ts'
import { createCertificateRequest } from '../../src/pki/certificate-request.ts'
import { exportPrivateKey, generateKey } from '../../src/pki/keys.ts'
import { Fixture, forever } from './fixture.ts'
import { problem, type ScriptedAnswer } from './scripted-ca.ts'
import { asTimePasses } from './time.ts'

const names = ['a.example', 'b.example']
const MINUTE = 60_000
const PEM = { 'Content-Type': 'application/pem-certificate-chain' }

let privateKey: KeyObject
let csr: Buffer
let fixture: Fixture
let shown: Set<string>

before(async () => {
  privateKey = (await generateKey('ecdsa-p256')).privateKey
  csr = await createCertificateRequest({ names, privateKey })
})
beforeEach(async () => {
  fixture = await Fixture.open()
  shown = new Set()
})
afterEach(() => fixture.close())

/** Takes http-01 and notes what it shows. */
const prover: Prover = {
  choose: ({ name, challenges }) => {
    const challenge = challenges.find(({ type }) => type === 'http-01')
    if (challenge?.token === undefined) return undefined
    return {
      challenge: { ...challenge, token: challenge.token },
      whileShown: async (keyAuthorization, _, work) => {
        shown.add(name)
        assert.equal(keyAuthorization, `${challenge.token}.${fixture.account.key.thumbprint}`)
        return work().finally(() => shown.delete(name))
      },
    }
  },
}

const get = (changes: Partial<Issuance> = {}, signal = forever, patience = 5 * MINUTE) =>
  asTimePasses(
    fixture.clock,
    obtain(
      fixture.client,
      fixture.account,
      {
        names,
        csr,
        prover,
        profile: undefined,
        preferredChain: undefined,
        check: (chain) => checkIssued(chain, { privateKey, names, now: fixture.clock.now() }),
        deadlineMs: 10 * MINUTE,
        ...changes,
      },
      signal,
    ),
    patience,
  )

/** Has every authorization pending until its challenge is answered, then `final`. */
function validate(final: (path: string) => Record<string, unknown>): void {
  const answered = new Set<string>()
  const { ca } = fixture
  for (const [index, name] of names.entries()) {
    const path = `/authorization/${index}`
    const url = `${ca.origin}/challenge/${index}`
    const challenges = [{ type: 'http-01', url, status: 'pending', token: `${'t'.repeat(22)}${index}` }]
    ca.scripts.set(path, () => ({
      body: ca.authorization(path, answered.has(name) ? final(path) : { status: 'pending', challenges }),
    }))
    ca.scripts.set(`/challenge/${index}`, ({ payload }) => {
      assert.deepEqual(payload, {})
      assert.ok(shown.has(name), 'shown before the CA is told')
      answered.add(name)
      return { body: { ...challenges[0], status: 'processing' } }
    })
  }
}

/** Has the first name's authorization pending with these challenges as well, and valid with them alone. */
function withMoreChallenges(more: readonly object[]): void {
  validate(() => ({ status: 'valid', challenges: more }))
  const script = fixture.ca.scripts.get('/authorization/0')!
  fixture.ca.scripts.set('/authorization/0', async (request, normal) => {
    const { body } = (await script(request, normal)) as { body: { status: string; challenges: object[] } }
    return { body: body.status === 'valid' ? body : { ...body, challenges: [...body.challenges, ...more] } }
  })
}

test('valid authorizations are used again: no challenge is touched (RFC 8555 §7.1.3)', async () => {
  const { certificates } = await get({ prover: { choose: () => assert.fail('no proof is needed') } })
  assert.deepEqual(certificates[0].names, names)
  const order = fixture.ca.to('/new-order')[0]
  assert.deepEqual(order?.payload, {
    identifiers: [
      { type: 'dns', value: 'a.example' },
      { type: 'dns', value: 'b.example' },
    ],
  })
})

test('everything is read by POST-as-GET (RFC 8555 §6.3)', async () => {
  await get()
  for (const { method, path, payload } of fixture.ca.requests)
    if (['/order', '/certificate', '/authorization/0'].includes(path))
      assert.deepEqual([method, payload], ['POST', undefined])
  assert.deepEqual(
    new Set(fixture.ca.requests.filter(({ method }) => method === 'GET').map(({ path }) => path)),
    new Set(['/dir']),
  )
})

test('asks for a profile by name, and for IP addresses as such (RFC 8738 §3)', async () => {
  fixture.ca.scripts.set('/new-order', () => problem('invalidProfile', 'no'))
  await assert.rejects(get({ profile: 'shortlived', names: ['192.0.2.1', '2001:db8::1'] }))
  assert.deepEqual(fixture.ca.to('/new-order')[0]?.payload, {
    profile: 'shortlived',
    identifiers: [
      { type: 'ip', value: '192.0.2.1' },
      { type: 'ip', value: '2001:db8::1' },
    ],
  })
})

test('shows each proof until its authorization is final, then takes it away', async () => {
  validate(() => ({ status: 'valid' }))
  await get()
  assert.equal(shown.size, 0)
  assert.equal(fixture.ca.to('/challenge/0').length, 1)
})

test('polls an authorization as slowly as Retry-After asks', async () => {
  let reads = 0
  validate(() => ({ status: 'valid' }))
  const pending = fixture.ca.scripts.get('/authorization/0')!
  fixture.ca.scripts.set('/authorization/0', async (request, normal) => {
    const answer = await pending(request, normal)
    // One read to choose, then three polls.
    return ++reads >= 4 || answer === 'hang'
      ? answer
      : { headers: { 'Retry-After': '30' }, body: { ...(answer.body as object), status: 'pending' } }
  })
  const start = fixture.clock.now()
  await get()
  assert.ok(fixture.clock.now() - start >= MINUTE)
  assert.equal(reads, 4)
})

test('a challenge that the CA is already processing is shown, but not begun again', async () => {
  validate(() => ({ status: 'valid' }))
  let reads = 0
  const challenges = [
    { type: 'http-01', url: `${fixture.ca.origin}/challenge/0`, status: 'processing', token: 't'.repeat(22) },
  ]
  fixture.ca.scripts.set('/authorization/0', () => ({
    body: fixture.ca.authorization('/authorization/0', reads++ === 0 ? { status: 'pending', challenges } : {}),
  }))
  await get()
  assert.equal(fixture.ca.to('/challenge/0').length, 0)
})

test('all names that fail are in the error, with the CA’s words for each', async () => {
  validate((path) => ({
    status: 'invalid',
    challenges: [
      {
        type: 'http-01',
        url: 'http://x/',
        status: 'invalid',
        error: { type: 'urn:ietf:params:acme:error:connection', detail: `no route for ${path}` },
      },
    ],
  }))
  await assert.rejects(get(), (error: AuthorizationError) => {
    assert.ok(error instanceof AuthorizationError)
    assert.equal(error.code, 'authorization-failed')
    assert.deepEqual(error.failures.map(({ name, challengeType }) => [name, challengeType]).sort(), [
      ['a.example', 'http-01'],
      ['b.example', 'http-01'],
    ])
    assert.match(
      error.message,
      /a\.example by http-01, through port 80: “no route for \/authorization\/0” \(connection\)/,
    )
    assert.match(
      error.message,
      /b\.example by http-01, through port 80: “no route for \/authorization\/1” \(connection\)/,
    )
    return true
  })
  assert.equal(shown.size, 0)
})

test('nothing is shown or validated where a name of the order cannot be proved anyway (RFC 8555 §7.5)', async () => {
  const impossible: [Record<string, unknown>, string][] = [
    [{ status: 'pending', challenges: [] }, 'challenge-not-offered'],
    [{ status: 'pending', identifier: { type: 'dns', value: 'victim.example' } }, 'acme-response-invalid'],
    [{ status: 'unheard-of' }, 'acme-response-invalid'],
  ]
  for (const [changes, code] of impossible) {
    validate(() => ({ status: 'valid' }))
    fixture.ca.scripts.set('/authorization/1', () => ({ body: fixture.ca.authorization('/authorization/1', changes) }))
    await assert.rejects(get(), { code })
  }
  assert.equal(fixture.ca.to('/challenge/0').length, 0)
})

/** What b.example's lane ends with, while the CA validates a.example until b.example's lane is over. */
async function breakSecondName(path: string, answer: ScriptedAnswer, final = {}): Promise<AcmeError> {
  validate(() => ({ status: 'valid', ...final }))
  const first = fixture.ca.scripts.get('/authorization/0')!
  fixture.ca.requests.length = 0
  let polls = 0
  let isWithdrawn = false
  fixture.ca.scripts.set('/authorization/0', async (request, normal) => {
    const isBegun = fixture.ca.to('/challenge/0').length > 0
    isWithdrawn ||= isBegun && !shown.has('a.example')
    const isOver = fixture.ca.to('/challenge/1').length > 0 && !shown.has('b.example') && ++polls > 3
    if (isOver || !isBegun) return first(request, normal)
    return { body: fixture.ca.authorization('/authorization/0', { status: 'pending' }) }
  })
  const second = fixture.ca.scripts.get(path)!
  fixture.ca.scripts.set(path, (request, normal) => (shown.has('b.example') ? answer : second(request, normal)))
  const error = await get().then(
    () => assert.fail('an order of which a name cannot be validated succeeded'),
    (reason: AcmeError) => reason,
  )
  assert.equal(shown.size, 0)
  assert.ok(polls > 3, 'a.example was waited for')
  assert.ok(!isWithdrawn, 'its answer stood all the time')
  return error
}

test('what fails for one name takes no answer away that the CA is validating, and is thrown (RFC 8555 §7.5.1)', async () => {
  const limited = { ...problem('rateLimited', 'slow down'), status: 429, headers: { 'Retry-After': '1800' } }
  for (const path of ['/challenge/1', '/authorization/1']) {
    const error = await breakSecondName(path, limited)
    assert.match(error.message, /slow down/)
    assert.equal(error.retryAfterMs, 30 * MINUTE)
  }
  const malformed = await breakSecondName('/authorization/1', { body: { status: 'unheard-of' } })
  assert.equal(malformed.code, 'acme-response-invalid')
  assert.equal(fixture.log.of('authorization-failed').length, 0)
})

test('where a name fails and the CA asks to be left alone, that is thrown and the failure logged', async () => {
  const limited = { ...problem('rateLimited', 'slow down'), status: 429, headers: { 'Retry-After': '1800' } }
  const error = await breakSecondName('/challenge/1', limited, { status: 'invalid' })
  assert.equal(error.retryAfterMs, 30 * MINUTE)
  assert.match(fixture.log.of('authorization-failed')[0]!.message, /could not validate a\.example by http-01/)
})

test('authorizations that cannot be used to begin with are failures too', async () => {
  for (const status of ['deactivated', 'expired', 'revoked', 'invalid']) {
    fixture.ca.scripts.set('/authorization/1', () => ({
      body: fixture.ca.authorization('/authorization/1', { status }),
    }))
    await assert.rejects(get(), {
      code: 'authorization-failed',
      message: new RegExp(`b\\.example: the authorization is ${status}`),
    })
  }
})

test('an authorization for a name that was not ordered is never answered', async () => {
  const victims = ['victim.example', 'a.example\nforged', '\u001b[2J'].map((value) => ({
    identifier: { type: 'dns', value },
  }))
  for (const foreign of [...victims, { wildcard: true }]) {
    fixture.ca.scripts.set('/authorization/0', () => ({
      body: fixture.ca.authorization('/authorization/0', { status: 'pending', ...foreign }),
    }))
    await assert.rejects(get(), { code: 'acme-response-invalid', message: /^[^\p{C}]+, which was not ordered/u })
  }
  assert.equal(fixture.ca.requests.filter(({ path }) => path.startsWith('/challenge')).length, 0)
})

test('unknown challenge types and broken challenges stand in nobody’s way', async () => {
  validate(() => ({ status: 'valid' }))
  const script = fixture.ca.scripts.get('/authorization/0')!
  fixture.ca.scripts.set('/authorization/0', async (request, normal) => {
    const { body } = (await script(request, normal)) as ScriptedAnswer
    const { challenges } = body as { challenges: object[] }
    const strange = [
      null,
      7,
      'x',
      [],
      {},
      { type: 'dns-persist-01', status: 'pending', url: `${fixture.ca.origin}/x` },
      { type: 'http-01' },
      { type: 'dns-account-01', status: 'new-status', url: 5 },
    ]
    return { body: { ...(body as object), challenges: [...strange, ...challenges] } }
  })
  await get()
})

test('a challenge of an unknown type with a URL that is not ours to use stands in nobody’s way (RFC 8555 §7.1.4, §8)', async () => {
  for (const url of ['', '/relative', 'urn:x', 'ftp://x/', 'https://x/ü', 'https://user:pw@x/']) {
    withMoreChallenges([{ type: 'future-01', status: 'pending', url }])
    await get()
  }
})

test('a challenge of a known type with a URL that is not ours to use is not answered (RFC 8555 §6.1)', async () => {
  for (const url of ['ftp://x/', 'urn:x', '/challenge/0', 'https://user:pw@x/']) {
    const challenges = [{ type: 'http-01', url, status: 'pending', token: 't'.repeat(22) }]
    fixture.ca.scripts.set('/authorization/0', () => ({
      body: fixture.ca.authorization('/authorization/0', { status: 'pending', challenges }),
    }))
    await assert.rejects(get(), {
      code: 'challenge-not-offered',
      message: /offers none to prove control of a\.example/,
    })
  }
  assert.equal(fixture.ca.to('/challenge/0').length, 0)
})

test('of more than twenty challenges the first twenty are looked at, in messages too (RFC 8555 §7.1.4)', async () => {
  const url = fixture.ca.origin
  const many = Array.from({ length: 5000 }, (_, index) => ({ type: `t-${index}`, status: 'pending', url }))
  withMoreChallenges(many)
  await get()
  withMoreChallenges(many)
  await assert.rejects(
    get({ prover: { choose: (each) => (each.name === 'b.example' ? prover.choose(each) : undefined) } }),
    (error: AcmeError) => {
      assert.equal(error.code, 'challenge-not-offered')
      assert.equal((error.facts.offered as string[]).length, 20)
      return true
    },
  )
})

test('a token that is not base64url of 128 bits is not shown (RFC 8555 §8.1)', async () => {
  for (const token of [
    '../../etc/passwd-and-more',
    'short',
    '',
    7,
    'x'.repeat(300),
    'tokentokentokentoken+/==',
    null,
  ]) {
    const challenges = [{ type: 'http-01', url: `${fixture.ca.origin}/challenge/0`, status: 'pending', token }]
    fixture.ca.scripts.set('/authorization/0', () => ({
      body: fixture.ca.authorization('/authorization/0', { status: 'pending', challenges }),
    }))
    await assert.rejects(get(), {
      code: 'challenge-not-offered',
      message: /offers http-01 to prove control of a\.example/,
    })
  }
})

test('the order is polled while it is processing, as slowly as Retry-After asks (RFC 8555 §7.4)', async () => {
  let reads = 0
  fixture.ca.scripts.set('/finalize', async (_, normal) => {
    await normal()
    fixture.ca.order.status = 'processing'
    return { headers: { 'Retry-After': '20' }, body: fixture.ca.orderBody() }
  })
  fixture.ca.scripts.set('/order', async (_, normal) => {
    if (fixture.ca.order.status !== 'processing') return normal()
    if (++reads === 3) fixture.ca.order.status = 'valid'
    return { headers: { 'Retry-After': '20' }, body: fixture.ca.orderBody() }
  })
  const start = fixture.clock.now()
  await get()
  assert.equal(reads, 3)
  assert.ok(fixture.clock.now() - start >= MINUTE)
})

test('an order that stays processing, or pending, ends at its deadline, and says how far it came', async () => {
  for (const status of ['processing', 'pending', 'ready']) {
    fixture.ca.scripts.set('/order', () => ({ body: { ...fixture.ca.orderBody(), status } }))
    fixture.ca.scripts.set('/finalize', () => ({ body: { ...fixture.ca.orderBody(), status } }))
    const start = fixture.clock.now()
    await assert.rejects(get(), {
      code: 'order-timeout',
      message: `The order for a.example, b.example at ${fixture.client.server} was still ${status} after 10 minutes.`,
    })
    assert.equal(fixture.clock.now() - start, 10 * MINUTE)
    assert.equal(fixture.clock.sleeping, 0)
    // Ten minutes at ten seconds each, and not a busy loop.
    assert.ok(fixture.ca.to('/order').length < 100 + 100)
    fixture.ca.requests.length = 0
  }
})

test('an order that goes back and forth is polled as slowly as one that stays, until its deadline (RFC 8555 §7.1.6)', async () => {
  const cycles = [
    ['ready', 'pending'],
    ['processing', 'ready'],
    ['processing', 'pending'],
  ]
  for (const cycle of cycles) {
    let turn = 0
    const script = () => ({ body: { ...fixture.ca.orderBody(), status: cycle[turn++ % cycle.length] } })
    fixture.ca.scripts.set('/order', script)
    fixture.ca.scripts.set('/finalize', script)
    const start = fixture.clock.now()
    await assert.rejects(get(), { code: 'order-timeout' }, cycle.join())
    assert.equal(fixture.clock.now() - start, 10 * MINUTE)
    const asked = fixture.ca.to('/order').length + fixture.ca.to('/finalize').length
    assert.ok(asked < 300, `${asked} requests for ${cycle}`)
    fixture.ca.requests.length = 0
  }
})

test('a Retry-After beyond the deadline ends the order at once, and the error has it (RFC 8555 §7.4)', async () => {
  const cases = [
    ['3600', 60 * MINUTE],
    ['601', 601_000],
    ['99999999', 24 * 60 * MINUTE],
  ] as const
  for (const status of ['processing', 'pending', 'ready'])
    for (const [field, retryAfterMs] of cases) {
      const answer = () => ({ headers: { 'Retry-After': field }, body: { ...fixture.ca.orderBody(), status } })
      fixture.ca.scripts.set('/order', answer)
      fixture.ca.scripts.set('/finalize', answer)
      const start = fixture.clock.now()
      await assert.rejects(get(), (error: AcmeError) => {
        assert.deepEqual([error.code, error.retryAfterMs], ['order-timeout', retryAfterMs])
        assert.match(
          error.message,
          new RegExp(`is ${status}, and the CA asks to be left alone for ${Math.ceil(retryAfterMs / MINUTE)} minutes`),
        )
        return true
      })
      assert.equal(fixture.clock.now(), start)
      assert.equal(fixture.clock.sleeping, 0)
    }
})

test('an order that ends at its deadline has the CA’s last Retry-After in its error, if there was one', async () => {
  for (const headers of [{ 'Retry-After': '100' }, undefined]) {
    let reads = 0
    fixture.ca.scripts.set('/order', () => {
      if (++reads === 3) {
        void fixture.clock.advance(10 * MINUTE)
        return 'hang'
      }
      return { ...(headers && { headers }), body: { ...fixture.ca.orderBody(), status: 'processing' } }
    })
    await assert.rejects(get(), (error: AcmeError) => {
      assert.deepEqual([error.code, error.retryAfterMs], ['order-timeout', headers && 100_000])
      assert.match(error.message, /was still processing after 10 minutes/)
      return true
    })
  }
})

test('an abortion ends the order and takes proofs away', async () => {
  validate(() => ({ status: 'pending' }))
  const controller = new AbortController()
  fixture.ca.scripts.set('/challenge/1', async () => {
    while (fixture.ca.to('/challenge/0').length === 0) await setImmediate()
    controller.abort(new Error('shutting down'))
    return { body: {} }
  })
  await assert.rejects(get({}, controller.signal), /shutting down/)
  assert.equal(shown.size, 0)
  assert.equal(fixture.clock.sleeping, 0)
})

test('orderNotReady has the order read again (RFC 8555 §7.4)', async () => {
  let tries = 0
  fixture.ca.scripts.set('/finalize', (_, normal) => (tries++ === 0 ? problem('orderNotReady', 'wait') : normal()))
  await get()
  assert.equal(tries, 2)
})

/** What comes in place of an answer, whether or not the CA has got the request. */
const losses: ScriptedAnswer[] = [
  { status: 503, headers: { 'Retry-After': '1' }, body: 'busy' },
  { status: 502, body: '<h1>Bad gateway</h1>' },
  { ...problem('serverInternal', 'oops'), status: 500 },
]

test('an order whose finalization was done, though the answer was lost, is gone on with (RFC 8555 §7.4)', async () => {
  for (const loss of losses) {
    fixture.ca.scripts.set('/finalize', async (_, normal) => {
      await normal()
      return loss
    })
    await get()
    assert.equal(fixture.ca.to('/new-order').length, 1)
    assert.equal(fixture.ca.to('/finalize').length, 1)
    fixture.ca.requests.length = 0
  }
})

test('an order that a lost request has left ready is finalized again, four times in all, as slowly as the CA asks', async () => {
  for (const loss of losses) {
    let tries = 0
    fixture.ca.scripts.set('/finalize', (_, normal) => (++tries < 4 ? loss : normal()))
    await get()
    assert.equal(tries, 4)
    tries = -100
    await assert.rejects(get(), (error: AcmeError) => error.transient)
    assert.equal(tries, -96)
  }
  fixture.ca.requests.length = 0
  fixture.ca.scripts.set('/finalize', () => ({ status: 503, headers: { 'Retry-After': '3600' }, body: 'closed' }))
  await assert.rejects(get(), (error: AcmeError) => error.retryAfterMs === 60 * MINUTE)
  assert.equal(fixture.ca.to('/finalize').length, 1)
})

test('a challenge that the CA has begun, though the answer was lost, is not begun again (RFC 8555 §7.5.1)', async () => {
  for (const loss of losses) {
    validate(() => ({ status: 'valid' }))
    const begin = fixture.ca.scripts.get('/challenge/0')!
    fixture.ca.scripts.set('/challenge/0', async (request, normal) => {
      await begin(request, normal)
      return loss
    })
    await get()
    assert.equal(fixture.ca.to('/challenge/0').length, 1)
    assert.equal(fixture.ca.to('/new-order').length, 1)
    fixture.ca.requests.length = 0
  }
})

test('a challenge that a lost request has left pending is begun again, four times in all', async () => {
  for (const loss of losses) {
    validate(() => ({ status: 'valid' }))
    const begin = fixture.ca.scripts.get('/challenge/0')!
    let tries = 0
    fixture.ca.scripts.set('/challenge/0', (request, normal) => (++tries < 4 ? loss : begin(request, normal)))
    await get()
    assert.equal(tries, 4)
    validate(() => ({ status: 'valid' }))
    fixture.ca.requests.length = 0
    fixture.ca.scripts.set('/challenge/0', () => loss)
    await assert.rejects(get(), (error: AcmeError) => error.transient)
    assert.equal(fixture.ca.to('/challenge/0').length, 4)
  }
})

test('a challenge that the CA no longer lists after a lost answer is not begun again', async () => {
  validate(() => ({ status: 'valid' }))
  fixture.ca.scripts.set('/challenge/0', () => {
    const script = () => {
      const isRead = fixture.ca.to('/authorization/0').length > 2
      return { body: fixture.ca.authorization('/authorization/0', isRead ? {} : { status: 'pending', challenges: [] }) }
    }
    fixture.ca.scripts.set('/authorization/0', script)
    return losses[0]!
  })
  await get()
  assert.equal(fixture.ca.to('/challenge/0').length, 1)
})

test('badCSR is an error in the CA’s words', async () => {
  fixture.ca.scripts.set('/finalize', () => problem('badCSR', 'key too weak'))
  await assert.rejects(get(), {
    code: 'acme-problem',
    message: /refused to finalize an order: “key too weak” \(badCSR\)/,
  })
})

test('an invalid order is an error with the names and the CA’s words', async () => {
  const error = { type: 'urn:ietf:params:acme:error:caa', detail: 'CAA forbids' }
  fixture.ca.scripts.set('/order', () => ({ body: { ...fixture.ca.orderBody(), status: 'invalid', error } }))
  await assert.rejects(get(), { code: 'order-invalid', message: /a\.example, b\.example: “CAA forbids” \(caa\)/ })
})

test('a network that fails at newOrder is a typed error at once', async () => {
  fixture.ca.scripts.set('/new-order', () => {
    void fixture.network.advance(MINUTE)
    return 'hang'
  })
  await assert.rejects(get(), { code: 'acme-timeout' })
  assert.equal(fixture.ca.to('/new-order').length, 1)
})

test('orders that are no orders are refused', async () => {
  const { origin } = fixture.ca
  const bodies: object[] = [
    [],
    {},
    { status: 'done' },
    { status: 'pending' },
    { status: 'pending', authorizations: [7] },
    { status: 'ready' },
    { status: 'valid' },
    { status: 'valid', certificate: 'ftp://x/' },
    { status: 'pending', authorizations: Array.from({ length: 1000 }, () => origin) },
  ]
  for (const body of bodies) {
    fixture.ca.scripts.set('/new-order', () => ({ status: 201, headers: { Location: `${origin}/order` }, body }))
    await assert.rejects(get(), { code: 'acme-response-invalid' }, JSON.stringify(body).slice(0, 80))
  }
  fixture.ca.scripts.set('/new-order', () => ({
    status: 201,
    body: { status: 'ready', finalize: `${origin}/finalize` },
  }))
  await assert.rejects(get(), { code: 'acme-response-invalid' })
})

test('a Location may be relative to what was asked for (RFC 9110 §10.2.2)', async () => {
  for (const Location of ['/order', 'order', './x/../order', `//${new URL(fixture.ca.origin).host}/order`]) {
    fixture.ca.scripts.set('/new-order', async (_, normal) => ({ ...(await normal()), headers: { Location } }))
    await get()
    assert.equal(fixture.ca.to('/order').at(-1)?.header.url, `${fixture.ca.origin}/order`)
  }
})

test('a Location that leads nowhere is refused, absolute or relative (RFC 8555 §6.1)', async () => {
  for (const Location of ['', 'javascript:1', 'ftp://x/', '//user:pw@x/', 'https://', '//']) {
    fixture.ca.scripts.set('/new-order', async (_, normal) => ({ ...(await normal()), headers: { Location } }))
    await assert.rejects(get(), { code: 'acme-response-invalid' }, Location)
  }
})

test('a certificate that is not the one ordered is refused, and the message says why (RFC 8555 §11.4)', async () => {
  const { ca } = fixture
  const stranger = await generateKey('ecdsa-p256')
  const cases: [() => Promise<string>, RegExp][] = [
    [() => ca.certificate({ publicKey: stranger.publicKey }), /another key/],
    [() => ca.certificate({ names: ['a.example', 'evil.example'] }), /not for b\.example/],
    [() => ca.certificate({ validMs: -MINUTE }), /expired/],
    [async () => (await ca.certificate()) + exportPrivateKey(stranger.privateKey), /PRIVATE KEY/],
    [async () => `hello\n${await ca.certificate()}`, /not PEM/],
    [async () => '', /empty/],
    [async () => `-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, /cannot be read/],
    [async () => (await ca.certificate()) + (await ca.certificate()), /not signed by the next/],
  ]
  for (const [certificate, reason] of cases) {
    ca.scripts.set('/certificate', async () => ({ headers: PEM, body: await certificate() }))
    await assert.rejects(get(), (error: AcmeError) => {
      assert.equal(error.code, 'certificate-unusable')
      assert.match(error.message, reason)
      assert.match(error.message, /sent a certificate for a\.example, b\.example that cannot be used/)
      return true
    })
  }
  ca.scripts.set('/certificate', async () => ({ body: await ca.certificate() }))
  await assert.rejects(get(), { code: 'acme-response-invalid' }, 'as HTML')
})

/** Jumps over no deadline: how long chains take is up to the test. */
const getChain = (preferredChain: string, signal = forever) => get({ preferredChain }, signal, 10_000)

/** The CA's own chain and two alternates, one of them longer. */
async function offerChains(link = '</other>;rel="alternate", </long>;rel="alternate"'): Promise<void> {
  const { ca } = fixture
  const chain =
    (issuer: string, more = '') =>
    async () => ({
      headers: { ...PEM, Link: link },
      body: (await ca.certificate({ issuer })) + more,
    })
  const authority = await ca.authorityCertificate()
  ca.scripts.set('/certificate', chain('Scripted Root', authority))
  ca.scripts.set('/long', chain('Scripted Root', authority))
  ca.scripts.set('/other', chain('New Root'))
}

test('takes the chain whose top issuer is preferred, or the shortest (RFC 8555 §7.4.2)', async () => {
  await offerChains()
  assert.equal((await get()).certificates.length, 2)
  assert.equal(fixture.ca.to('/other').length, 0)
  for (const preferredChain of ['New Root', 'shortest'])
    assert.deepEqual(
      (await getChain(preferredChain)).certificates.map(({ issuer }) => issuer),
      ['CN=New Root'],
    )
  assert.equal((await getChain('Older Root')).certificates.length, 2)
  assert.equal(fixture.log.of('chain-not-offered').length, 0)
})

test('takes the CA’s own chain, with a warning, if the preferred one is not offered', async () => {
  await offerChains()
  assert.equal((await getChain('Ancient Root')).certificates.length, 2)
  assert.match(
    fixture.log.of('chain-not-offered')[0]!.message,
    /no chain up to “Ancient Root” but only up to Older Root, New Root/,
  )
})

test('an alternate chain that is malformed or unusable does not cost the certificate', async () => {
  await offerChains('</other>;rel="alternate", <ftp://x/>;rel=alternate, <<;;rel, </gone>;rel="alternate"')
  fixture.ca.scripts.set('/other', async () => ({
    headers: PEM,
    body: await fixture.ca.certificate({ names: ['evil.example'] }),
  }))
  assert.equal((await getChain('New Root')).certificates.length, 2)
  assert.equal(fixture.log.of('alternate-chain-unusable').length, 3)
})

/** A CA that never answers for its other chains; `advance` is by how much each request for one moves time. */
function hangAlternates(advance: number): void {
  for (const path of ['/other', '/long'])
    fixture.ca.scripts.set(path, () => {
      void fixture.clock.advance(advance)
      return 'hang'
    })
}

test('alternate chains that never come cost a minute in all, and not the certificate (RFC 8555 §7.4.2)', async () => {
  await offerChains()
  hangAlternates(MINUTE)
  const start = fixture.clock.now()
  assert.equal((await getChain('New Root')).certificates.length, 2)
  assert.equal(fixture.clock.now() - start, MINUTE)
  assert.match(
    fixture.log.of('alternate-chain-unusable')[0]!.message,
    /not sent all its other chains.*within 60 seconds/,
  )
  assert.equal(fixture.log.of('alternate-chain-unusable').length, 1)
  assert.equal(fixture.ca.to('/other').length + fixture.ca.to('/long').length, 1)
  assert.equal(fixture.clock.sleeping, 0)
})

test('an order’s deadline that passes while alternate chains are asked for does not cost the certificate', async () => {
  await offerChains()
  hangAlternates(20 * MINUTE)
  assert.equal((await getChain('New Root')).certificates.length, 2)
})

test('an alternate chain that came before the others hung is taken', async () => {
  await offerChains()
  const other = fixture.ca.scripts.get('/other')!
  hangAlternates(MINUTE)
  fixture.ca.scripts.set('/other', other)
  assert.deepEqual(
    (await getChain('New Root')).certificates.map(({ issuer }) => issuer),
    ['CN=New Root'],
  )
})

test('an abortion while alternate chains are asked for ends with its reason', async () => {
  await offerChains()
  const controller = new AbortController()
  fixture.ca.scripts.set('/other', () => {
    controller.abort(new Error('shutting down'))
    return 'hang'
  })
  await assert.rejects(getChain('New Root', controller.signal), /shutting down/)
  assert.equal(fixture.clock.sleeping, 0)
})
