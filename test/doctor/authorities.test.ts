import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AcmeError } from '../../src/acme/acme-error.ts'
import type { Transport } from '../../src/acme/transport.ts'
import { examineAuthority } from '../../src/doctor/authorities.ts'
import type { AcmeIssuerConfig } from '../../src/issuers/acme-config.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

const config: AcmeIssuerConfig = {
  name: 'corporate',
  directory: 'https://ca.test/directory',
  acceptTerms: true,
  challenges: ['http-01'],
  accountKey: 'ecdsa-p256',
  account: 'perIssuer',
}
const SECOND = 1000
const signal = new AbortController().signal

/** `level seen` of each finding, by what the CA says of itself and how far its clock is ahead of ours. */
async function examined(meta: object, changed: Partial<AcmeIssuerConfig> = {}, aheadMs = 0): Promise<string[]> {
  const clock = new FakeClock()
  const url = (path: string): string => `https://ca.test/${path}`
  const directory = { newNonce: url('nonce'), newAccount: url('account'), newOrder: url('order'), meta }
  const date = new Date(clock.now() + aheadMs).toUTCString()
  const headers = { date, 'content-type': 'application/json' }
  const transport: Transport = {
    send: async ({ url }) => ({ url, status: 200, headers, body: JSON.stringify(directory) }),
  }
  const { findings } = await examineAuthority({ ...config, ...changed }, { transport, clock, signal })
  return findings.map(({ check, level, seen }) => `${check} ${level}: ${seen}`)
}

const WELL = 'ca ok: https://ca.test/directory answered in 0 ms'
const AGREES = 'clock ok: agrees with the CA’s'

test('a CA that answers and would take our orders is well', async () => {
  assert.deepEqual(await examined({}), [WELL, AGREES])
  assert.deepEqual(await examined({ termsOfService: 'https://ca.test/terms' }), [WELL, AGREES])
})

test('terms, external accounts and profiles that are wanted are told before an order meets them', async () => {
  const terms = { termsOfService: 'https://ca.test/terms' }
  const [first] = await examined(terms, { acceptTerms: false })
  assert.equal(first, 'ca fail: its terms are not accepted: https://ca.test/terms')
  const [second] = await examined({ externalAccountRequired: true })
  assert.equal(second, 'ca fail: it wants an external account')
  const meta = { profiles: { classic: 'x' } }
  const profile = { name: 'tlsserver', required: false }
  assert.match((await examined(meta, { profile }))[0]!, /^ca warn: it has no profile tlsserver; it offers classic/)
  assert.match((await examined({}, { profile: { ...profile, required: true } }))[0]!, /^ca fail: .*offers none/)
  assert.deepEqual(await examined(meta, { profile: { ...profile, name: 'classic' } }), [WELL, AGREES])
})

test('clocks that differ are told, and wrong ones are wrong', async () => {
  assert.equal((await examined({}, {}, 30 * SECOND))[1], 'clock ok: is 30 s behind the CA’s')
  assert.equal((await examined({}, {}, -90 * SECOND))[1], 'clock warn: is 90 s ahead of the CA’s')
  assert.equal(
    (await examined({}, {}, 7200 * SECOND))[1],
    'clock fail: is 7200 s behind the CA’s: nothing is ordered so',
  )
})

test('a CA that is not reached has no directory, and its words are told', async () => {
  const transport: Transport = {
    send: async () => {
      throw new AcmeError('acme-unreachable', 'The ACME server ca.test cannot be reached: refused.')
    },
  }
  const { directory, findings } = await examineAuthority(config, { transport, clock: new FakeClock(), signal })
  assert.equal(directory, undefined)
  assert.deepEqual(
    findings.map(({ level, seen }) => `${level} ${seen}`),
    ['fail The ACME server ca.test cannot be reached: refused.'],
  )
})
