import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AcmeProblemError } from '../../src/acme/problem.ts'
import type { Limits } from '../../src/certificates/ledger/limits.ts'
import type { CertificateRequest } from '../../src/issuers/issuer.ts'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

const LIMITS: Limits = {
  orders: { count: 100, periodMs: HOUR },
  certificates: { count: 3, periodMs: 3 * DAY },
  sets: { count: 3, periodMs: 3 * DAY },
  failures: { count: 2, periodMs: HOUR },
}

/** A machine whose first CA limits what one may ask of it, and is told of each order as an ACME CA is. */
function limited(limits: Limits = LIMITS): Machine {
  const machine = new Machine()
  machine.limitsOf = (authority) => (authority === machine.ca.authority ? limits : {})
  machine.second.authority = 'https://second.test/directory'
  machine.ca.before = announce
  return machine
}

async function announce({ spending, predecessor }: CertificateRequest): Promise<void> {
  await spending!.ordering(predecessor !== undefined)
}

function sites(count: number, more: object = {}) {
  return Array.from({ length: count }, (_, index) => ({ names: [`n${index}.shop.com`], ...more }))
}

const issued = (machine: Machine): number => machine.log.of('certificate-issued').length

test('orders that would be refused wait, the plan says for what and until when, and none is refused', async () => {
  const machine = limited()
  await machine.start(...sites(5))
  await machine.untilLogged('certificate-issued', 2)
  const waiting = machine.certificates.report().filter(({ held }) => held === undefined)
  assert.equal(waiting.length, 3)
  for (const { step } of waiting) {
    assert.ok(step.type === 'issue')
    assert.equal(
      step.because,
      'waits for a rate limit: 3 certificates of shop.com in 3 days; next at 2026-11-24T12:10:00Z',
    )
  }
  assert.match(machine.certificates.state.waiting[0]!.reason, /^it waits for a rate limit: 3 certificates of shop\.com/)
  await machine.live(10 * MINUTE)
  await machine.untilLogged('certificate-issued', 3)
  await machine.live(DAY - 1)
  assert.equal(issued(machine), 3)
  await machine.live(1)
  await machine.untilLogged('certificate-issued', 4)
  await machine.live(DAY)
  await machine.untilLogged('certificate-issued', 5)
  assert.equal(machine.log.of('certificate-failed').length, 0)
  assert.equal(machine.ca.requests.length, 5)
  await machine.certificates.stop()
})

test('a restart forgets nothing of what was spent', async () => {
  const machine = limited()
  await machine.start(...sites(3))
  await machine.untilLogged('certificate-issued', 2)
  await machine.live(10 * MINUTE)
  await machine.untilLogged('certificate-issued', 3)
  await machine.certificates.stop()
  await machine.start(...sites(5))
  await machine.live(23 * HOUR)
  assert.equal(issued(machine), 0)
  await machine.live(2 * HOUR)
  assert.equal(issued(machine), 1)
  await machine.certificates.stop()
})

test('renewals of the same names wait for no limit of their domain', async () => {
  const machine = limited()
  machine.ca.lifetimeMs = 30 * DAY
  await machine.start(...sites(3))
  await machine.untilLogged('certificate-issued', 2)
  await machine.live(20 * DAY)
  await machine.live(DAY)
  assert.equal(machine.log.of('certificate-renewed').length, 3)
  await machine.certificates.stop()
})

test('a limit that lasts is no reason to do without: the next issuer is asked', async () => {
  const machine = limited()
  await machine.start(...sites(5, { issuersFor: () => ['ca', 'second'] }))
  await machine.untilLogged('certificate-issued', 2)
  await machine.live(10 * MINUTE - 1)
  assert.equal(issued(machine), 2)
  await machine.live(1)
  await machine.untilLogged('certificate-issued', 5)
  assert.equal(machine.ca.requests.length, 3)
  assert.equal(machine.second.requests.length, 2)
  assert.match(
    machine.log.of('certificate-passed-on')[0]!.message,
    /its rate limit is spent \(3 certificates of shop\.com/,
  )
  await machine.certificates.stop()
})

test('an outage costs nothing of the limits of the CA, and they keep nobody from the next issuer', async () => {
  const machine = limited()
  await machine.start(...sites(2, { issuersFor: () => ['ca', 'second'] }))
  await machine.untilLogged('certificate-issued', 2)
  await machine.certificates.stop()
  const lasting = () => machine.certificates.limits.filter(({ limit }) => limit!.periodMs > HOUR)
  const spent = lasting().map(({ left }) => left)
  machine.ca.breakDown('connect ECONNREFUSED')
  await machine.start(...sites(5, { issuersFor: () => ['ca', 'second'] }), { names: ['a.org'] })
  await machine.live(10 * MINUTE)
  await machine.untilLogged('certificate-issued', 3)
  await machine.live(HOUR)
  const left = lasting().map((balance) => balance.left)
  assert.equal(left.length, spent.length)
  assert.ok(
    left.every((each, index) => each >= spent[index]!),
    `${left} of ${spent}`,
  )
  const waiting = machine.certificates.report('a.org')[0]!
  assert.ok(waiting.step.type === 'issue')
  assert.match(waiting.step.because, /^waits for the CA: ca is out of order/)
  await machine.certificates.stop()
})

test("a CA's refusal is known to all others that it would meet", async () => {
  const machine = limited({})
  const detail =
    'too many certificates (50) already issued for "shop.com" in the last 168h0m0s, retry after 2026-11-24 18:00:00 UTC'
  machine.ca.before = async () => {
    const problem = {
      type: 'rateLimited',
      detail,
      status: 429,
      instance: undefined,
      identifier: undefined,
      subproblems: [],
      unpauseUrl: undefined,
    }
    throw new AcmeProblemError(problem, {
      what: 'newOrder',
      server: 'ca.test',
      httpStatus: 429,
      retryAfterMs: 6 * HOUR,
    })
  }
  await machine.start({ names: ['n.shop.com'] })
  await machine.untilLogged('certificate-failed')
  await machine.certificates.stop()
  machine.ca.before = announce
  await machine.start({ names: ['n.shop.com'] }, { names: ['m.shop.com'] }, { names: ['other.org'] })
  await machine.untilLogged('certificate-issued', 1)
  await machine.live(5 * HOUR)
  assert.equal(issued(machine), 1)
  const [balance] = machine.certificates.limits
  assert.deepEqual([balance!.kind, balance!.subject, balance!.left], ['certificates', 'shop.com', 0])
  await machine.live(HOUR + MINUTE)
  await machine.untilLogged('certificate-issued', 3)
  await machine.certificates.stop()
})

test('a retry by hand says what the limits leave, and does not spend what is not there', async () => {
  const machine = limited()
  machine.ca.before = async (request) => {
    await announce(request)
    request.spending!.authorizationsFailed(request.names)
    throw new Error('nobody answers there')
  }
  await machine.start({ names: ['a.shop.com'] })
  await machine.untilLogged('certificate-failed')
  const [asked] = await machine.certificates.retry({ name: 'a.shop.com' })
  assert.deepEqual(await asked!.outcome, {
    status: 'limited',
    at: machine.clock.now() + MINUTE,
    because:
      'waits for a rate limit: 2 failed authorizations of a.shop.com in 60 minutes; next at 2026-11-24T12:01:00Z',
  })
  assert.deepEqual(
    asked!.left.map(({ kind, left }) => [kind, left]),
    [
      ['orders', 99],
      ['certificates', 3],
      ['sets', 3],
      ['failures', 0],
    ],
  )
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('a renewal that its CA asks for waits for nothing while now lies within the window', async () => {
  const machine = limited({ ...LIMITS, sets: { count: 1, periodMs: 30 * DAY } })
  machine.ca.renewalInfo = async ({ notBefore }) => ({
    windowStart: notBefore + 2 * DAY,
    windowEnd: notBefore + 4 * DAY,
    explanationUrl: undefined,
    retryAfterMs: undefined,
  })
  await machine.start({ names: ['a.shop.com'] })
  await machine.untilLogged('renewal-suggested')
  await machine.live(3 * DAY + HOUR)
  assert.equal(machine.log.of('certificate-renewed').length, 1)
  // Asked to renew at once, after the window: that one is counted.
  const info = { explanationUrl: undefined, retryAfterMs: undefined }
  machine.ca.renewalInfo = async () => ({ windowStart: 0, windowEnd: 1, ...info })
  await machine.live(2 * DAY)
  assert.equal(machine.log.of('certificate-renewed').length, 1)
  const { step } = machine.certificates.report()[0]!
  assert.match(
    step.type === 'renew' ? step.because : '',
    /waits for a rate limit: 1 certificates for exactly a\.shop\.com/,
  )
  await machine.certificates.stop()
})

test('where each site has an account, no more are made than one address may', async () => {
  const machine = limited({ accounts: { count: 2, periodMs: 2 * HOUR } })
  const accounts = new Set<string>()
  const perSite = { accountFor: (site: string) => site, hasAccount: (site: string) => accounts.has(site) }
  Object.assign(machine.ca, perSite)
  machine.ca.before = async (request) => {
    if (!accounts.has(request.site!)) request.spending!.accountMade()
    accounts.add(request.site!)
    await announce(request)
  }
  await machine.start(...['a.com', 'b.com', 'c.com', 'd.com'].map((name) => ({ names: [name] })))
  await machine.untilLogged('certificate-issued', 1)
  await machine.live(MINUTE)
  await machine.untilLogged('certificate-issued', 2)
  const waiting = machine.certificates.report().find(({ held }) => held === undefined)!
  assert.ok('because' in waiting.step)
  assert.match(waiting.step.because, /2 new accounts from one address in 2 hours; next at 2026-11-24T13:01:00Z/)
  await machine.live(HOUR - 1)
  assert.equal(accounts.size, 2)
  await machine.live(1)
  await machine.untilLogged('certificate-issued', 3)
  await machine.certificates.stop()
})

test('many that wait for the same account take it from the limit once, and give it back if it was there', async () => {
  const machine = limited({ accounts: { count: 2, periodMs: 2 * HOUR } })
  Object.assign(machine.ca, { accountFor: () => 'shared', hasAccount: () => false })
  await machine.start(...sites(4))
  await machine.untilLogged('certificate-issued', 4)
  assert.deepEqual(machine.certificates.limits, [])
  await machine.certificates.stop()
})

test('an order without a bad name is one more, and counts as one for the names that are left', async () => {
  const machine = limited()
  machine.ca.before = async (request) => {
    await announce(request)
    if (!request.names.includes('bad.shop.com')) return
    const badNames = [{ name: 'bad.shop.com', reason: 'no such name' }]
    throw Object.assign(new Error('it cannot be validated'), { badNames, concernsNames: true })
  }
  await machine.start({ names: ['a.shop.com', 'bad.shop.com'] })
  await machine.untilLogged('certificate-issued')
  const left = new Map(machine.certificates.limits.map(({ kind, subject, left }) => [`${kind} ${subject}`, left]))
  assert.deepEqual([left.get('orders ca'), left.get('certificates shop.com')], [98, 2])
  assert.equal(left.get('sets a.shop.com'), 2)
  await machine.certificates.stop()
})
