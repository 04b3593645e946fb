import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type { CaaRecord } from 'node:dns'
import { afterEach, beforeEach, test } from 'node:test'
import type { AcmeError } from '../../src/acme/acme-error.ts'
import { createTransport } from '../../src/acme/transport.ts'
import type { ChallengeAnswer, ChallengePublisher } from '../../src/challenges/challenge.ts'
import { createAcmeIssuer } from '../../src/issuers/acme.ts'
import type { AcmeIssuerConfig } from '../../src/issuers/acme-config.ts'
import type { IssuedCertificate, Issuer, Spending } from '../../src/issuers/issuer.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { generateKey, importPrivateKey, type KeyPair } from '../../src/pki/keys.ts'
import type { AskProbe } from '../../src/preflight/look.ts'
import type { NameResolver } from '../../src/preflight/name-resolver.ts'
import { problem, type ScriptedAnswer, ScriptedCa } from '../acme/scripted-ca.ts'
import { asTimePasses } from '../acme/time.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { fakeResolver } from '../preflight/fake-resolver.ts'

const forever = new AbortController().signal
const PLACE = 'issuers/own/account'

let ca: ScriptedCa
let clock: FakeClock
let log: RecordingLog
let storage: MemoryStorage
let standing: Set<ChallengeAnswer>
let publisher: ChallengePublisher

beforeEach(async () => {
  ca = await ScriptedCa.open()
  clock = new FakeClock()
  log = new RecordingLog()
  storage = new MemoryStorage()
  standing = new Set()
  publisher = {
    publish: async (answer) => void standing.add(answer),
    withdraw: async (answer) => void standing.delete(answer),
  }
})
afterEach(() => ca.close())

/** As after a start of the program: nothing is left but the storage. */
const open = (config: Partial<AcmeIssuerConfig> = {}, keys = generateKey, resolver?: NameResolver, probe?: AskProbe) =>
  createAcmeIssuer(
    {
      name: 'own',
      directory: ca.directory,
      acceptTerms: true,
      challenges: ['tls-alpn-01', 'http-01'],
      accountKey: 'ecdsa-p256',
      account: 'perIssuer',
      ...config,
    },
    {
      storage,
      clock,
      log,
      publisher,
      random: () => 0.5,
      generateKey: keys,
      resolver,
      probe,
      // Its clock stands still, so that no request is ever late.
      transport: createTransport({ clock: new FakeClock() }),
    },
  )

const ask = (issuer: Issuer, names: readonly string[], signal = forever): Promise<IssuedCertificate> =>
  issuer.issue({ names, keyKind: 'ecdsa-p256' }, signal)

const issue = (issuer = open(), names = ['a.example']): Promise<IssuedCertificate> =>
  asTimePasses(clock, ask(issuer, names))

const record = async (place = PLACE) => JSON.parse(String(await storage.get(place)))
const registrations = () => ca.to('/new-account').filter(({ payload }) => payload?.onlyReturnExisting !== true)

/** The first name's authorization stays pending until one of its challenges is answered, and is then `outcome`'s. */
function validate(outcome: (type: string) => Record<string, unknown>, types = ['http-01', 'tls-alpn-01']): string[] {
  const tried: string[] = []
  let answered: string | undefined
  const challenges = types.map((type) => ({
    type,
    url: `${ca.origin}/${type}`,
    status: 'pending',
    token: type.padEnd(30, '-'),
  }))
  ca.scripts.set('/new-order', (_, normal) => {
    answered = undefined
    return normal()
  })
  for (const type of types)
    ca.scripts.set(`/${type}`, () => {
      assert.deepEqual(
        [...standing].map((answer) => answer.type),
        [type],
      )
      tried.push(type)
      answered = type
      return { body: {} }
    })
  ca.scripts.set('/authorization/0', () => ({
    body: ca.authorization(
      '/authorization/0',
      answered === undefined ? { status: 'pending', challenges } : outcome(answered),
    ),
  }))
  return tried
}

/** As CAs do it, what was not tried is no longer listed. */
const refused = (type: string): Record<string, unknown> => ({
  status: 'invalid',
  challenges: [
    {
      type,
      url: `${ca.origin}/${type}`,
      status: 'invalid',
      error: { type: 'urn:ietf:params:acme:error:connection', detail: `${type} refused` },
    },
  ],
})

test('gives a chain with the key that it is for', async () => {
  const { chain, privateKey } = await issue()
  const certificate = new X509Certificate(chain)
  assert.equal(certificate.subjectAltName, 'DNS:a.example')
  assert.ok(certificate.checkPrivateKey(importPrivateKey(privateKey)))
})

test('logs order, challenge and certificate for the operator, and each request for the curious; never a key', async () => {
  validate(() => ({ status: 'valid' }))
  await issue(open({ externalAccount: { kid: 'kid-1', hmacKey: 'c2VjcmV0LXNlY3JldA' } }))
  const info = log.entries.filter(({ level }) => level === 'info').map(({ event }) => event)
  assert.deepEqual(info, ['account-registered', 'order-placed', 'challenge-chosen', 'certificate-received'])
  const [received] = log.of('certificate-received')
  assert.equal(received?.facts.issuer, 'CN=Scripted Root')
  assert.match(String(received?.facts.serial), /^[0-9a-f]+$/)
  assert.match(String(received?.facts.notAfter), /^2026-11-25T/)
  assert.ok(log.of('acme-request').length > 5)
  const text = JSON.stringify(log.entries)
  for (const secret of ['PRIVATE KEY', 'c2VjcmV0LXNlY3JldA', 'secret-secret']) assert.ok(!text.includes(secret))
})

test('stores the key before the CA hears of it, and the URL as soon as it is known', async () => {
  ca.scripts.set('/new-account', async (_, normal) => {
    const stored = await record()
    assert.equal(stored.url, undefined)
    importPrivateKey(stored.privateKey)
    return normal()
  })
  await issue()
  assert.deepEqual(
    storage.puts.filter((key) => key === PLACE),
    [PLACE, PLACE],
  )
  assert.equal((await record()).url, `${ca.origin}/account/1`)
})

test('the account is used again after a restart', async () => {
  await issue()
  await issue()
  assert.equal(registrations().length, 1)
  assert.equal(ca.accounts.size, 1)
})

test('a crash after registration, before the URL was stored, leaves one account', async () => {
  let puts = 0
  storage.fails = (operation) => operation === 'put' && ++puts === 2
  await assert.rejects(issue(), { code: 'storage-unwritable' })
  storage.fails = () => false
  await issue()
  assert.equal(ca.accounts.size, 1)
  assert.equal(registrations().length, 1)
})

test('a crash before registration uses the stored key', async () => {
  ca.scripts.set('/new-account', () => problem('serverInternal', 'oops'))
  await assert.rejects(issue(), { code: 'acme-problem' })
  const { privateKey } = await record()
  ca.scripts.clear()
  await issue()
  assert.equal((await record()).privateKey, privateKey)
})

test('a full disk stops registration before the CA hears of it', async () => {
  storage.fails = (operation) => operation === 'put'
  await assert.rejects(issue(), { code: 'storage-unwritable' })
  assert.equal(ca.to('/new-account').length, 0)
})

test('orders that come while the account is registered share it', async () => {
  const issuer = open()
  ca.scripts.set('/new-order', () => problem('rejectedIdentifier', 'not today'))
  const names = ['a.example', 'b.example', 'c.example']
  await Promise.all(names.map((name) => assert.rejects(ask(issuer, [name]), /not today/)))
  assert.equal(registrations().length, 1)
  assert.equal(ca.to('/new-order').length, 3)
})

test('one who gives up waiting for the registration does not end it for the others', async () => {
  const issuer = open()
  const controller = new AbortController()
  ca.scripts.set('/new-account', (_, normal) => {
    controller.abort(new Error('gave up'))
    return normal()
  })
  const impatient = assert.rejects(ask(issuer, ['b.example'], controller.signal), /gave up/)
  await asTimePasses(clock, Promise.all([impatient, ask(issuer, ['a.example'])]))
  assert.equal(registrations().length, 1)
})

test('a failed registration is tried again with the next order', async () => {
  const issuer = open()
  ca.scripts.set('/new-account', () => problem('rateLimited', 'too many accounts'))
  await assert.rejects(issue(issuer), /too many accounts/)
  ca.scripts.clear()
  await issue(issuer)
})

test('a damaged account is reported by name, set aside and replaced', async () => {
  const { privateKey } = await generateKey('ecdsa-p256').then(() => issue().then(() => record()))
  const { directory } = ca
  const damaged = [
    '',
    'not JSON',
    '[]',
    '{}',
    JSON.stringify({ directory, privateKey: 'x' }),
    JSON.stringify({ directory, privateKey, url: 7 }),
    JSON.stringify({ directory, privateKey: privateKey.slice(0, 100) }),
    JSON.stringify({ directory, privateKey, url: 'no URL' }),
    JSON.stringify({ directory, privateKey, url: `${ca.origin}/account/1`, contact: 7 }),
  ]
  for (const [index, text] of damaged.entries()) {
    await storage.put(PLACE, Buffer.from(text))
    await issue()
    const report = log.of('account-damaged')
    assert.equal(report.length, index + 1, text)
    assert.match(report[index]!.message, /memory:issuers\/own\/account is damaged: it was moved to/)
    assert.equal(String(storage.aside.get(String(report[index]!.facts.movedTo))), text)
    assert.notEqual((await record()).privateKey, privateKey)
  }
})

test('the account of another directory is set aside, not used', async () => {
  await issue()
  const former = await record()
  await storage.put(PLACE, Buffer.from(JSON.stringify({ ...former, directory: 'https://elsewhere.example/dir' })))
  await issue()
  assert.notEqual((await record()).privateKey, former.privateKey)
  assert.match(log.of('account-of-other-directory')[0]!.message, /https:\/\/elsewhere\.example\/dir/)
})

test('an account that the CA has forgotten is registered again with the same key, once', async () => {
  const issuer = open()
  await issue(issuer)
  const before = await record()
  ca.accounts.clear()
  ca.scripts.set('/new-account', async (request, normal) => {
    const answer = await normal()
    const url = `${ca.origin}/account/renewed`
    ca.accounts.clear()
    ca.accounts.set(url, request.header.jwk!)
    return { ...answer, headers: { Location: url } }
  })
  await issue(issuer)
  const after = await record()
  assert.equal(after.privateKey, before.privateKey)
  assert.equal(after.url, `${ca.origin}/account/renewed`)
  assert.equal(log.of('account-lost').length, 1)
  ca.scripts.set('/new-order', () => problem('accountDoesNotExist', 'never heard of it'))
  await assert.rejects(issue(issuer), /never heard of it/)
  assert.equal(log.of('account-lost').length, 2)
})

test('orders that find out together that the account is gone register it together', async () => {
  const issuer = open()
  await issue(issuer)
  ca.accounts.clear()
  ca.requests.length = 0
  ca.scripts.set('/new-order', () => problem('rejectedIdentifier', 'not today'))
  const names = ['b.example', 'c.example', 'd.example']
  await Promise.all(names.map((name) => assert.rejects(ask(issuer, [name]), /not today/)))
  assert.equal(registrations().length, 1)
})

const contacts = () => ca.to('/account/1').map(({ payload }) => payload?.contact)

test('a contact that was changed or removed is told to the CA once, and the account stays (RFC 8555 §7.3.2)', async () => {
  ca.scripts.set('/account/1', () => ({ body: { status: 'valid' } }))
  for (const contact of [
    'a@example.com',
    'a@example.com',
    'b@example.com',
    'b@example.com',
    undefined,
    undefined,
    'c@example.com',
  ])
    await issue(open({ contact }))
  assert.deepEqual(contacts(), [['mailto:b@example.com'], [], ['mailto:c@example.com']])
  assert.equal(registrations().length, 1)
  assert.equal((await record()).contact, 'c@example.com')
})

test('a contact that the CA does not take is reported, costs no certificate and is tried again after a restart', async () => {
  await issue(open({ contact: 'a@example.com' }))
  ca.scripts.set('/account/1', () => problem('invalidContact', 'no such domain'))
  const issuer = open({ contact: 'b@nowhere.example' })
  await issue(issuer)
  await issue(issuer)
  assert.match(log.of('account-contact-not-changed')[0]!.message, /no such domain/)
  assert.equal(contacts().length, 1)
  assert.equal((await record()).contact, 'a@example.com')
  await issue(open({ contact: 'b@nowhere.example' }))
  assert.equal(contacts().length, 2)
})

test('an account found after a crash is told the contact of today (RFC 8555 §7.3.1, §7.3.2)', async () => {
  let puts = 0
  storage.fails = (operation) => operation === 'put' && ++puts === 2
  await assert.rejects(issue(open({ contact: 'a@example.com' })), { code: 'storage-unwritable' })
  storage.fails = () => false
  ca.scripts.set('/account/1', () => ({ body: { status: 'valid' } }))
  await issue(open({ contact: 'b@example.com' }))
  assert.deepEqual(contacts(), [['mailto:b@example.com']])
})

test('with `perSite`, each site has an account of its own', async () => {
  const issuer = open({ account: 'perSite' })
  const keyKind = 'ecdsa-p256'
  for (const names of [['a.example', 'b.example'], ['b.example']])
    await asTimePasses(clock, issuer.issue({ names, keyKind, site: 'a.example' }, forever))
  await issue(issuer, ['c.example'])
  assert.equal(ca.accounts.size, 2)
  assert.deepEqual(await storage.list('issuers'), ['issuers/own/accounts/a.example', 'issuers/own/accounts/c.example'])
})

test('the account has a key of the configured kind', async () => {
  await issue(open({ accountKey: 'ecdsa-p384' }))
  assert.equal(importPrivateKey((await record()).privateKey).asymmetricKeyDetails?.namedCurve, 'secp384r1')
})

test('an external account’s key must be base64url, and is not repeated if it is not', () => {
  const externalAccount = { kid: 'kid-1', hmacKey: 'env:EAB_KEY not set!' }
  assert.throws(
    () => open({ externalAccount }),
    (error: Error & { code: string }) =>
      error.code === 'external-account-invalid' && !JSON.stringify(error).includes('EAB_KEY'),
  )
})

test('the account’s key is never a certificate’s (RFC 8555 §11.1)', async () => {
  let pair: Promise<KeyPair> | undefined
  await assert.rejects(issue(open({}, (kind) => (pair ??= generateKey(kind)))), { code: 'account-key-reused' })
  assert.equal(ca.to('/new-order').length, 0)
})

test('the first configured type that is offered is tried first', async () => {
  assert.deepEqual(
    [await issueBy(['tls-alpn-01', 'http-01']), await issueBy(['http-01', 'tls-alpn-01'])],
    [['tls-alpn-01'], ['http-01']],
  )
  async function issueBy(challenges: AcmeIssuerConfig['challenges']): Promise<string[]> {
    const tried = validate(() => ({ status: 'valid' }))
    await issue(open({ challenges }))
    return tried
  }
})

test('a challenge that has failed already is passed over', async () => {
  const tried = validate(() => ({ status: 'valid' }))
  const script = ca.scripts.get('/authorization/0')!
  ca.scripts.set('/authorization/0', async (request, normal) => {
    const { body } = (await script(request, normal)) as { body: { challenges: { type: string }[] } }
    const challenges = body.challenges.map((each) => (each.type === 'http-01' ? each : { ...each, status: 'invalid' }))
    return { body: { ...body, challenges } }
  })
  await issue()
  assert.deepEqual(tried, ['http-01'])
})

test('there are no more orders than types, even if another name fails each time', async () => {
  const failed = (name: number): Record<string, unknown> => ({
    ...refused('tls-alpn-01'),
    identifier: { type: 'dns', value: ['a.example', 'b.example'][name] },
  })
  let orders = 0
  ca.scripts.set('/new-order', (_, normal) => {
    orders++
    return normal()
  })
  for (const name of [0, 1]) {
    let answered = 0
    const path = `/authorization/${name}`
    const pending = {
      type: 'tls-alpn-01',
      url: `${ca.origin}/challenge/${name}`,
      status: 'pending',
      token: 'x'.repeat(22),
    }
    const challenges = [pending, { ...pending, type: 'http-01' }]
    ca.scripts.set(`/challenge/${name}`, () => {
      answered = orders
      return { body: {} }
    })
    ca.scripts.set(path, () => {
      if (answered !== orders) return { body: ca.authorization(path, { status: 'pending', challenges }) }
      return { body: orders % 2 === name ? failed(name) : ca.authorization(path) }
    })
  }
  await assert.rejects(issue(open(), ['a.example', 'b.example']), { code: 'authorization-failed' })
  assert.equal(orders, 2)
})

test('where a type fails, one more order tries the next', async () => {
  const tried = validate((type) => (type === 'http-01' ? { status: 'valid' } : refused(type)))
  await issue()
  assert.deepEqual(tried, ['tls-alpn-01', 'http-01'])
  assert.match(
    log.of('challenge-failed')[0]!.message,
    /a\.example by tls-alpn-01, through port 443: “tls-alpn-01 refused” \(connection\)/,
  )
  assert.equal(standing.size, 0)
})

test('where all types fail, the error has the CA’s words on each, and there were no more orders', async () => {
  const tried = validate(refused)
  await assert.rejects(issue(), { code: 'authorization-failed', message: /tls-alpn-01 refused.*http-01 refused/ })
  assert.deepEqual(tried, ['tls-alpn-01', 'http-01'])
  assert.equal(ca.to('/new-order').length, 2)
  assert.equal(standing.size, 0)
})

test('there is no second order where no other type is offered', async () => {
  const tried = validate(refused, ['http-01'])
  await assert.rejects(issue(), { code: 'authorization-failed' })
  assert.deepEqual(tried, ['http-01'])
})

test('types that are not offered are named', async () => {
  validate(refused, ['dns-01'])
  await assert.rejects(issue(), {
    code: 'challenge-not-offered',
    message: /offers dns-01 to prove control of a\.example/,
  })
})

test('a frontend that does not take the answer fails the order, and is asked to forget it', async () => {
  const withdrawn: ChallengeAnswer[] = []
  publisher = {
    publish: () => Promise.reject(new Error('worker 3 does not answer')),
    withdraw: async (answer) => void withdrawn.push(answer),
  }
  const tried = validate(refused)
  await assert.rejects(issue(), /worker 3 does not answer/)
  assert.deepEqual(tried, [])
  assert.equal(withdrawn.length, 1)
})

test('a frontend that never takes the answer ends with the order’s deadline', async () => {
  publisher = {
    publish: () => {
      void clock.advance(10 * 60_000)
      return new Promise(() => {})
    },
    withdraw: async () => {},
  }
  validate(refused)
  await assert.rejects(issue(), { code: 'order-timeout' })
})

test('an answer that cannot be withdrawn is reported, and costs no certificate', async () => {
  publisher = {
    publish: async (answer) => void standing.add(answer),
    withdraw: () => Promise.reject(new Error('worker 3 does not answer')),
  }
  validate(() => ({ status: 'valid' }))
  await issue()
  assert.match(log.of('challenge-not-withdrawn')[0]!.message, /tls-alpn-01 for a\.example.*worker 3 does not answer/)
})

test('an answer whose withdrawal never ends is reported after ten seconds, and costs no certificate', async () => {
  publisher = {
    publish: async (answer) => void standing.add(answer),
    withdraw: () => new Promise(() => {}),
  }
  validate(() => ({ status: 'valid' }))
  await issue()
  assert.match(log.of('challenge-not-withdrawn')[0]!.message, /tls-alpn-01 for a\.example.*within 10 seconds/)
  assert.equal(clock.sleeping, 0)
})

test('a withdrawal that never ends holds neither an aborted order nor the next one for its name', async () => {
  const controller = new AbortController()
  const issuer = open()
  let withdrawals = 0
  publisher.withdraw = () => (++withdrawals === 1 ? new Promise(() => {}) : Promise.resolve())
  validate(() => ({ status: 'valid' }))
  const script = ca.scripts.get('/tls-alpn-01')!
  ca.scripts.set('/tls-alpn-01', () => {
    standing.clear()
    ca.scripts.set('/tls-alpn-01', script)
    controller.abort(new Error('stop'))
    return 'hang'
  })
  const aborted = assert.rejects(ask(issuer, ['a.example'], controller.signal), /stop/)
  await asTimePasses(clock, Promise.all([aborted, ask(issuer, ['a.example'])]))
  assert.equal(log.of('challenge-not-withdrawn').length, 1)
})

test('a profile is asked for where the CA has it', async () => {
  ca.meta = { profiles: { classic: '', shortlived: '' } }
  await issue(open({ profile: { name: 'shortlived', required: true } }))
  assert.equal(ca.to('/new-order')[0]?.payload?.profile, 'shortlived')
})

test('a profile that the CA lacks is done without, or is an error that lists what it has', async () => {
  ca.meta = { profiles: { classic: '', tlsserver: '' } }
  await issue(open({ profile: { name: 'shortlived', required: false } }))
  assert.deepEqual(Object.keys(ca.to('/new-order')[0]!.payload!), ['identifiers'])
  assert.match(
    log.of('profile-not-offered')[0]!.message,
    /does not offer the profile “shortlived”; it offers classic, tlsserver\./,
  )
  await assert.rejects(issue(open({ profile: { name: 'shortlived', required: true } })), {
    code: 'profile-not-offered',
    message: /it offers classic, tlsserver/,
  })
})

for (const [type, detail] of [
  ['invalidProfile', 'no such thing'],
  ['malformed', 'Profile "tlsserver" does not exist'],
  ['unauthorized', 'This account may not use profile tlsserver'],
] as const)
  test(`a profile that the CA lists and then refuses as ${type} is done without, unless it is required`, async () => {
    ca.meta = { profiles: { tlsserver: '' } }
    ca.scripts.set('/new-order', ({ payload }, normal) =>
      payload?.profile === undefined ? normal() : problem(type, detail),
    )
    await issue(open({ profile: { name: 'tlsserver', required: false } }))
    assert.deepEqual(
      ca.to('/new-order').map(({ payload }) => payload?.profile),
      ['tlsserver', undefined],
    )
    assert.equal(log.of('profile-refused').length, 1)
    const required = { name: 'tlsserver', required: true }
    await assert.rejects(issue(open({ profile: required })), { code: 'profile-not-offered' })
  })

test('another refusal is not taken for one of the profile', async () => {
  ca.meta = { profiles: { tlsserver: '' } }
  ca.scripts.set('/new-order', () => problem('malformed', 'no'))
  await assert.rejects(issue(open({ profile: { name: 'tlsserver', required: false } })), { code: 'acme-problem' })
  assert.equal(ca.to('/new-order').length, 1)
})

for (const detail of [
  'Order cannot contain more than 25 identifiers',
  'Too many names in the order; the maximum is 25',
  'At most 25 DNS names are permitted',
])
  test(`an order of too many names is said to be one: ${detail}`, async () => {
    ca.scripts.set('/new-order', () => problem('malformed', detail))
    await assert.rejects(issue(open(), ['a.example', 'b.example']), {
      code: 'too-many-names',
      message:
        'own does not put 2 names into one certificate; set “maxNames: 25” for this issuer, and the site gets several.',
    })
    await assert.rejects(issue(open()), { code: 'acme-problem' })
  })

test('an error says which of the names were to blame', async () => {
  ca.scripts.set('/new-order', () => problem('rejectedIdentifier', 'Cannot issue for "b.example": policy'))
  await assert.rejects(issue(open(), ['a.example', 'b.example']), ({ badNames }: AcmeError) => {
    assert.deepEqual(
      badNames.map(({ name }) => name),
      ['b.example'],
    )
    return true
  })
  const resolver = fakeResolver({ 'a.example': ['192.0.2.1'] })
  await assert.rejects(issue(open({}, generateKey, resolver), ['a.example', 'c.example']), {
    code: 'names-hopeless',
    badNames: [
      {
        name: 'c.example',
        reason:
          'c.example leads nowhere: create an A or AAAA record for it with the address at which this machine is reached',
      },
    ],
  })
})

test('what the CA says of itself comes with the certificate', async () => {
  ca.meta = { termsOfService: 'https://ca.test/terms', profiles: { short: '' }, caaIdentities: ['CA.test'] }
  const { said } = await issue(open({ profile: { name: 'short', required: false } }))
  assert.deepEqual(said, {
    terms: 'https://ca.test/terms',
    profiles: ['short'],
    profile: 'short',
    resources: ['newAccount', 'newNonce', 'newOrder'],
    caaIdentities: ['ca.test'],
    externalAccountRequired: false,
  })
})

test('a name that is given twice is ordered once', async () => {
  await issue(open(), ['a.example', 'A.example'])
  assert.deepEqual(ca.to('/new-order')[0]?.payload?.identifiers, [{ type: 'dns', value: 'a.example' }])
})

test('orders of the same names run one after the other, as Boulder would give both the same order', async () => {
  const events: string[] = []
  const note = (event: string) => (_: unknown, normal: () => Promise<ScriptedAnswer>) => {
    events.push(event)
    return normal()
  }
  ca.scripts.set('/new-order', note('order'))
  ca.scripts.set('/certificate', note('certificate'))
  const issuer = open()
  await asTimePasses(clock, Promise.all([ask(issuer, ['A.example']), ask(issuer, ['a.example'])]))
  assert.deepEqual(events, ['order', 'certificate', 'order', 'certificate'])
})

test('an abortion ends with its reason, before and during an order', async () => {
  await assert.rejects(ask(open(), ['a.example'], AbortSignal.abort(new Error('stop'))), /stop/)
  const controller = new AbortController()
  ca.scripts.set('/new-order', () => {
    controller.abort(new Error('stop now'))
    return 'hang'
  })
  await assert.rejects(ask(open(), ['a.example'], controller.signal), /stop now/)
  assert.equal(clock.sleeping, 0)
})

test('a public CA is not asked for what it could not validate, unless that is insisted on', async () => {
  const issuer = open({}, generateKey, fakeResolver({ 'a.example': ['192.0.2.1'] }))
  await issue(issuer)
  await assert.rejects(issue(issuer, ['a.example', 'gone.example']), {
    code: 'names-hopeless',
    message: /was not asked: gone\.example leads nowhere: create an A or AAAA record/,
    concernsNames: true,
    isForesight: true,
  })
  assert.equal(ca.to('/new-order').length, 1)
  await asTimePasses(
    clock,
    issuer.issue({ names: ['gone.example'], keyKind: 'ecdsa-p256', isInsistent: true }, forever),
  )
  assert.equal(ca.to('/new-order').length, 2)
})

test('CAA records are read for the CA by the name that it gives itself, and for this account', async () => {
  ca.meta = { caaIdentities: ['CA.example'] }
  const records = (value: string) => ({ example: [{ critical: 0, issue: value } as CaaRecord] })
  const asked = (value: string) =>
    issue(open({}, generateKey, fakeResolver({ 'a.example': ['192.0.2.1'] }, records(value))))
  await asked('ca.example')
  await asked(`ca.example; accounturi=${ca.origin}/account/1`)
  await assert.rejects(asked('ca.example; accounturi=https://elsewhere/1'), { code: 'names-hopeless' })
  await assert.rejects(asked('other.example'), { code: 'names-hopeless' })
})

/** Notes what an issuer says that it spends. */
function spendingNotes(before = async (): Promise<void> => {}) {
  const notes: string[] = []
  const spending: Spending = {
    ordering: async (isReplacement) => {
      notes.push(`order${isReplacement ? ' of a replacement' : ''}, the ${ca.to('/new-order').length + 1}. request`)
      await before()
    },
    orderLost: () => void notes.push('order lost'),
    authorizationsFailed: (names) => void notes.push(`failed: ${names.join()}`),
    accountMade: () => void notes.push('account'),
  }
  return { notes, spending }
}

test('all that a CA counts is told as it happens: accounts, orders, failed authorizations', async () => {
  validate(refused)
  const issuer = open()
  assert.equal(issuer.hasAccount?.('a.example'), false)
  const { notes, spending } = spendingNotes()
  const request = { names: ['a.example'], keyKind: 'ecdsa-p256', spending } as const
  await assert.rejects(asTimePasses(clock, issuer.issue(request, forever)), { code: 'authorization-failed' })
  assert.equal(issuer.hasAccount?.('a.example'), true)
  const orders = ['order, the 1. request', 'failed: a.example', 'order, the 2. request', 'failed: a.example']
  assert.deepEqual(notes, ['account', ...orders])
  await assert.rejects(asTimePasses(clock, issuer.issue(request, forever)))
  assert.equal(notes.filter((note) => note === 'account').length, 1)
})

test('an authorization that no challenge was tried for is no failure that the CA counts', async () => {
  validate(refused, ['dns-01'])
  const { notes, spending } = spendingNotes()
  const request = { names: ['a.example'], keyKind: 'ecdsa-p256', spending } as const
  await assert.rejects(asTimePasses(clock, open().issue(request, forever)), { code: 'challenge-not-offered' })
  assert.deepEqual(notes, ['account', 'order, the 1. request'])
})

test('an order that the CA never took up is told as lost, and one that it refused is not', async () => {
  const { notes, spending } = spendingNotes()
  const request = { names: ['a.example'], keyKind: 'ecdsa-p256', spending } as const
  ca.scripts.set('/new-order', () => problem('badNonce', 'never good enough'))
  const issuer = open()
  await assert.rejects(asTimePasses(clock, issuer.issue(request, forever)), { code: 'acme-nonces-refused' })
  assert.deepEqual(notes.splice(0), ['account', 'order, the 1. request', 'order lost'])
  ca.scripts.set('/new-order', () => problem('rejectedIdentifier', 'no'))
  await assert.rejects(asTimePasses(clock, issuer.issue(request, forever)), { code: 'acme-problem' })
  assert.ok(!notes.includes('order lost'))
})

test('an order that could not be noted is not placed', async () => {
  const { spending } = spendingNotes(async () => {
    throw new Error('not noted')
  })
  const request = { names: ['a.example'], keyKind: 'ecdsa-p256', spending } as const
  await assert.rejects(asTimePasses(clock, open().issue(request, forever)), /not noted/)
  assert.equal(ca.to('/new-order').length, 0)
})

test('sites share an account or have their own, as the config says', () => {
  assert.equal(open().accountFor?.('a.example'), open().accountFor?.('b.example'))
  const perSite = open({ account: 'perSite' })
  assert.notEqual(perSite.accountFor?.('a.example'), perSite.accountFor?.('b.example'))
})

test('before a first order it is seen who answers at the names, and before a renewal it is not', async () => {
  const asked: string[] = []
  const strangers: AskProbe = async (name, addresses, challenge) => {
    asked.push(`${name} ${challenge}`)
    return addresses.map((address) => ({ address, challenge, outcome: 'other', seen: 'answers 404' }))
  }
  const issuer = open({}, generateKey, fakeResolver({ 'a.example': ['192.0.2.1'] }), strangers)
  await assert.rejects(issue(issuer), { code: 'names-hopeless', message: /leads to somebody else/, isForesight: true })
  assert.equal(ca.to('/new-order').length, 0)
  assert.deepEqual(asked, ['a.example tls-alpn-01', 'a.example http-01'])
  const [predecessor] = parseChain((await issue()).chain)
  await asTimePasses(clock, issuer.issue({ names: ['a.example'], keyKind: 'ecdsa-p256', predecessor }, forever))
  assert.equal(asked.length, 2)
})
