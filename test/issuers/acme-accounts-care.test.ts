import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { createTransport } from '../../src/acme/transport.ts'
import { createAcmeIssuer } from '../../src/issuers/acme.ts'
import type { AcmeIssuerConfig } from '../../src/issuers/acme-config.ts'
import type { Issuer } from '../../src/issuers/issuer.ts'
import { accountKeyFingerprints } from '../../src/issuers/stored-accounts.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { problem, ScriptedCa } from '../acme/scripted-ca.ts'
import { asTimePasses } from '../acme/time.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const forever = new AbortController().signal
const PLACE = 'issuers/own/account'

let ca: ScriptedCa
let clock: FakeClock
let log: RecordingLog
let storage: MemoryStorage

beforeEach(async () => {
  ca = await ScriptedCa.open()
  ca.resources = { keyChange: '/key-change', revokeCert: '/revoke' }
  // As a CA does it: the account is the new key's from then on.
  ca.scripts.set('/key-change', ({ header, payload }) => {
    const { jwk } = JSON.parse(Buffer.from(String(payload!.protected), 'base64url').toString())
    ca.accounts.set(header.kid!, jwk)
    return { body: {} }
  })
  clock = new FakeClock()
  log = new RecordingLog()
  storage = new MemoryStorage()
})
afterEach(() => ca.close())

/** As after a start of the program: nothing is left but the storage. */
const open = (config: Partial<AcmeIssuerConfig> = {}): Issuer =>
  createAcmeIssuer(
    {
      name: 'own',
      directory: ca.directory,
      acceptTerms: true,
      challenges: ['http-01'],
      accountKey: 'ecdsa-p256',
      account: 'perIssuer',
      ...config,
    },
    {
      storage,
      clock,
      log,
      publisher: { publish: async () => {}, withdraw: async () => {} },
      random: () => 0.5,
      transport: createTransport({ clock: new FakeClock() }),
    },
  )
const issue = (issuer: Issuer, site = 'a.test') =>
  asTimePasses(clock, issuer.issue({ names: [site], keyKind: 'ecdsa-p256', site }, forever))
const record = async () => JSON.parse(String(await storage.get(PLACE)))

test('a rollover gives the account a key of the kind that is configured, and the next order uses it', async () => {
  await issue(open())
  const before = await record()
  const issuer = open({ accountKey: 'ecdsa-p384' })
  const [report] = await issuer.accounts!.rollOver(forever)
  const after = await record()
  assert.notEqual(after.privateKey, before.privateKey)
  assert.deepEqual(Object.keys(after), ['directory', 'privateKey', 'url'])
  assert.equal(after.url, before.url)
  assert.equal(report!.keyKind, 'ecdsa-p384')
  await issue(issuer)
  await issue(open())
  assert.equal(ca.to('/new-order').at(-1)!.header.alg, 'ES384')
  assert.equal(ca.accounts.size, 1)
})

for (const [when, answer, kind] of [
  ['before the CA has done it', 'hang', 'ES256'],
  ['after the CA has done it', 'hang-after', 'ES384'],
] as const)
  test(`a rollover that was cut short ${when} is settled by asking which key the CA knows`, async () => {
    await issue(open())
    const normal = ca.scripts.get('/key-change')!
    const asked = Promise.withResolvers<void>()
    ca.scripts.set('/key-change', async (request, otherwise) => {
      if (answer === 'hang-after') await normal(request, otherwise)
      asked.resolve()
      return 'hang' as const
    })
    const quit = new AbortController()
    const rolling = open({ accountKey: 'ecdsa-p384' }).accounts!.rollOver(quit.signal)
    await asked.promise
    quit.abort(new Error('the program ends'))
    await assert.rejects(rolling, /the program ends/)
    assert.ok((await record()).nextPrivateKey)
    assert.equal((await accountKeyFingerprints(storage)).size, 2)
    // As after a start.
    await issue(open())
    assert.equal(ca.to('/new-order').at(-1)!.header.alg, kind)
    assert.equal((await record()).nextPrivateKey, undefined)
    assert.equal(ca.accounts.size, 1)
  })

test('a refused rollover leaves the former key in use', async () => {
  const issuer = open()
  await issue(issuer)
  const { privateKey } = await record()
  ca.scripts.set('/key-change', () => problem('malformed', 'not today'))
  await assert.rejects(issuer.accounts!.rollOver(forever), /not today/)
  await issue(issuer)
  const after = await record()
  assert.equal(after.privateKey, privateKey)
  assert.equal(after.nextPrivateKey, undefined)
})

test('each site’s account is shown, with what the CA says of it, or why that is not known', async () => {
  const issuer = open({ account: 'perSite', contact: 'ops@castellan.test' })
  for (const site of ['a.test', 'b.test']) await issue(issuer, site)
  ca.scripts.set('/account/1', () => ({ body: { status: 'valid' } }))
  ca.scripts.set('/account/2', () => problem('unauthorized', 'who are you'))
  const [a, b] = await issuer.accounts!.show(forever)
  assert.equal(a!.site, 'a.test')
  assert.equal(a!.status, 'valid')
  assert.equal(a!.url, `${ca.origin}/account/1`)
  assert.equal(a!.contact, 'ops@castellan.test')
  assert.equal(b!.status, undefined)
  assert.match(b!.fault!, /who are you/)
  assert.doesNotMatch(JSON.stringify([a, b]), /PRIVATE/)
})

test('a deactivated account is put aside, and the next order registers another', async () => {
  const issuer = open()
  await issue(issuer)
  ca.scripts.set('/account/1', ({ payload }) => ({ body: { status: payload?.status ?? 'valid' } }))
  const [report] = await issuer.accounts!.deactivate(forever)
  assert.equal(report!.status, 'deactivated')
  assert.equal(await storage.get(PLACE), undefined)
  assert.equal(log.of('account-deactivated').length, 1)
  await issue(issuer)
  assert.equal(ca.accounts.size, 2)
  assert.equal((await record()).url, `${ca.origin}/account/2`)
})

test('where there is no account, none is made to be looked at, rolled over or deactivated', async () => {
  const { accounts } = open()
  for (const ask of ['show', 'rollOver', 'deactivate'] as const) assert.deepEqual(await accounts![ask](forever), [])
  assert.equal(ca.to('/new-account').length, 0)
})

test('a revocation is signed by the account, and by the certificate’s own key where that may not', async () => {
  const issuer = open()
  const { chain, privateKey } = await issue(issuer)
  const [certificate] = parseChain(chain)
  const revocation = { certificate, privateKey, site: 'a.test', reason: 'keyCompromise' } as const
  ca.scripts.set('/revoke', () => ({}))
  await issuer.revoke!(revocation, forever)
  assert.equal(ca.to('/revoke')[0]!.header.kid, `${ca.origin}/account/1`)
  ca.scripts.set('/revoke', ({ header }) => (header.kid === undefined ? {} : problem('unauthorized', 'not yours')))
  await issuer.revoke!(revocation, forever)
  assert.equal(ca.to('/revoke')[2]!.header.kid, undefined)
  await storage.delete(PLACE)
  await open().revoke!(revocation, forever)
  assert.equal(ca.to('/revoke').length, 4)
  ca.scripts.set('/revoke', () => problem('badRevocationReason', 'no such reason'))
  await assert.rejects(issuer.revoke!(revocation, forever), /no such reason/)
})

test('an account that was deactivated is not there any more, for whoever counts or looks', async () => {
  const issuer = open()
  await issue(issuer)
  assert.equal(issuer.hasAccount!('a.test'), true)
  ca.scripts.set('/account/1', () => ({ body: { status: 'deactivated' } }))
  await issuer.accounts!.deactivate(forever)
  assert.equal(issuer.hasAccount!('a.test'), false)
  assert.deepEqual(await issuer.accounts!.show(forever), [])
  assert.deepEqual(await accountKeyFingerprints(storage), new Set())
})
