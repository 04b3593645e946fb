import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { Refusal } from './answer.ts'
import { DAY, HOUR, Life, MINUTE, SECOND } from './life.ts'
import { type LimitName, RateLimits, UNPAUSE_URL } from './rate-limits.ts'

// What tests rely on, and would not notice if it were missing.

let life: Life
beforeEach(async () => {
  life = await Life.open()
})
afterEach(() => life.close())

const refusalOf = (
  work: () => void,
): { detail: string; retryAfter: number | undefined; status: unknown } | undefined => {
  try {
    work()
    return undefined
  } catch (error) {
    assert.ok(error instanceof Refusal)
    const { headers = {}, status } = error.answer
    const wait = headers['Retry-After']
    return { detail: error.message, status, retryAfter: wait === undefined ? undefined : Number(wait) }
  }
}

for (const [limit, count, refillMs] of [
  ['ordersPerAccount', 300, (3 * HOUR) / 300],
  ['certificatesPerDomain', 50, (7 * DAY) / 50],
  ['certificatesPerSet', 5, (7 * DAY) / 5],
  ['failuresPerName', 5, HOUR / 5],
  ['accountsPerAddress', 10, (3 * HOUR) / 10],
] as [LimitName, number, number][])
  test(`${limit}: ${count} at once, and one more every ${refillMs / SECOND} s`, () => {
    let now = 0
    const limits = new RateLimits(() => now)
    const take = () => {
      limits.check(limit, 'x')
      limits.spend(limit, 'x')
    }
    for (let taken = 0; taken < count; taken++) take()
    const refusal = refusalOf(take)
    assert.deepEqual([refusal?.status, refusal?.retryAfter], [429, Math.ceil(refillMs / SECOND)])
    assert.match(refusal!.detail, new RegExp(`\\(${count}\\).*, retry after 1970-01-.* UTC: see https://letsencrypt`))
    assert.equal(
      refusalOf(() => limits.check(limit, 'y')),
      undefined,
    )
    now += refillMs
    take()
    assert.notEqual(refusalOf(take), undefined)
    now += count * refillMs
    limits.exhaust(limit, 'x')
    assert.equal(refusalOf(take)?.retryAfter, refusal?.retryAfter)
  })

test('a name is paused after failures in a row, which a success interrupts, until somebody unpauses it', () => {
  const limits = new RateLimits(() => 0)
  limits.pauseAfter = 3
  const fail = () => limits.failed('account', 'a.test')
  fail()
  fail()
  limits.succeeded('account', 'a.test')
  fail()
  fail()
  limits.checkPaused('account', ['a.test'])
  fail()
  const refusal = refusalOf(() => limits.checkPaused('account', ['b.test', 'a.test']))
  assert.deepEqual([refusal?.status, refusal?.retryAfter], [429, undefined])
  assert.ok(refusal!.detail.includes(`for a.test and possibly others. Please visit: ${UNPAUSE_URL}`))
  limits.checkPaused('another account', ['a.test'])
  limits.unpause()
  limits.checkPaused('account', ['a.test'])
})

test('what a certificate costs is counted, and a renewal costs less', async () => {
  const { ca } = life
  await life.start()
  const account = [...ca.accounts.byUrl.keys()][0]!
  ca.limits.exhaust('ordersPerAccount', account)
  ca.limits.exhaust('certificatesPerDomain', 'a.test')
  await life.certificates.stop()
  ca.directory.hasRenewalInfo = false
  await life.clock.advance(62 * DAY)
  ca.limits.exhaust('ordersPerAccount', account)
  ca.limits.exhaust('certificatesPerDomain', 'a.test')
  await life.start()
  assert.equal(ca.certificates.all.length, 2, 'renewals are free of these two')
  for (let used = 0; used < 4; used++) {
    ca.limits.check('certificatesPerSet', 'a.test')
    ca.limits.spend('certificatesPerSet', 'a.test')
  }
  assert.notEqual(
    refusalOf(() => ca.limits.check('certificatesPerSet', 'a.test')),
    undefined,
  )
})

test('an authorization is good for as long as the profile says, and then proved anew', async () => {
  await life.start({ issuers: [{ profile: { name: 'shortlived', required: true } }] })
  await life.live(112 * HOUR)
  assert.deepEqual([life.ca.certificates.all.length, life.ca.of('challenge').length], [2, 2])
})

test('an order is given again while it is open, to the same account, for the same names and profile', async () => {
  life.ca.faults.set('authorization', 'internal error')
  await life.start({ sites: [{ names: ['a.test'] }, { names: ['b.test'] }] })
  await life.live(MINUTE)
  assert.deepEqual([life.ca.of('newOrder').length, life.ca.orders.all.length], [4, 2])
  await life.restart({ issuers: [{ profile: { name: 'tlsserver', required: true } }] })
  assert.equal(life.ca.orders.all.length, 3)
})
