import assert from 'node:assert/strict'
import { test } from 'node:test'
import { publishedLimits } from '../../../src/certificates/ledger/limits.ts'
import type { OrderFacts } from '../../../src/certificates/ledger/order-facts.ts'
import { RateLimits } from '../../../src/certificates/ledger/rate-limits.ts'
import { readRefusal } from '../../../src/certificates/ledger/refusal.ts'
import { registeredDomain } from '../../../src/certificates/ledger/registered-domain.ts'

const LETSENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory'
const NOW = Date.parse('2026-11-24T12:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

function order(names: readonly string[], facts: Partial<OrderFacts> = {}): OrderFacts {
  const exemptions = { isSuggested: false, isRenewal: false, needsAccount: false }
  return { authority: LETSENCRYPT, account: 'issuers/letsencrypt/account', names, ...exemptions, ...facts }
}

/** Orders one and gets it. */
function issue(limits: RateLimits, facts: OrderFacts, now: number): void {
  const charge = limits.charge(facts, now)
  charge.placing(facts.isSuggested, now)
  charge.close(true, now)
}

/** How many orders like these can be placed at once. */
function countUntilWait(limits: RateLimits, next: (index: number) => OrderFacts, now: number): number {
  for (let index = 0; ; index++) {
    if (limits.wait(next(index), now) !== undefined) return index
    issue(limits, next(index), now)
    assert.ok(index < 10_000)
  }
}

test('an account may place 300 orders in 3 hours, and one every 36 seconds after that', () => {
  const limits = new RateLimits(publishedLimits)
  const next = (index: number) => order([`www.n${index}.com`])
  // The last two tokens of a bucket are kept for a minute, as the CA may have begun to count later.
  assert.equal(countUntilWait(limits, next, NOW), 298)
  assert.equal(
    countUntilWait(limits, (index) => next(299 + index), NOW + MINUTE),
    2,
  )
  const wait = limits.wait(next(400), NOW + MINUTE)
  assert.equal(wait?.limit, '300 orders of one account in 3 hours')
  assert.ok(wait.at > NOW + MINUTE && wait.at <= NOW + MINUTE + 36_000, `${wait.at - NOW}`)
  assert.equal(limits.wait(next(401), wait.at), undefined)
})

test('another account has orders of its own, and shares what is counted by domain', () => {
  const limits = new RateLimits(publishedLimits)
  countUntilWait(limits, (index) => order([`n${index}.com`]), NOW)
  const other = { account: 'issuers/other/account' }
  assert.equal(
    countUntilWait(limits, (index) => order([`a${index}.shop.com`], other), NOW),
    49,
  )
  const wait = limits.wait(order(['x.shop.com', 'y.org'], other), NOW)
  assert.equal(wait?.limit, '50 certificates of shop.com in 7 days')
  assert.equal(limits.wait(order(['y.org'], other), NOW), undefined)
})

test('five certificates for exactly the same names, in whatever order these are said', () => {
  const limits = new RateLimits(publishedLimits)
  const names = ['b.com', 'a.com']
  assert.equal(
    countUntilWait(limits, (index) => order(index % 2 === 0 ? names : names.toReversed()), NOW),
    4,
  )
  assert.match(
    limits.wait(order(names), NOW)!.limit,
    /^5 certificates for exactly a\.com and 1 more \([0-9a-f]{12}\) in 7/,
  )
  assert.equal(limits.wait(order([...names, 'c.com']), NOW), undefined)
})

test('renewals that a CA asks for are not held back, and those of the same names only for their set', () => {
  const limits = new RateLimits(publishedLimits)
  countUntilWait(limits, (index) => order([`n${index}.shop.com`]), NOW)
  countUntilWait(limits, (index) => order([`n${index}.com`]), NOW)
  const names = ['n1.shop.com']
  assert.notEqual(limits.wait(order(names), NOW), undefined)
  assert.equal(limits.wait(order(names, { isRenewal: true }), NOW), undefined)
  assert.equal(
    countUntilWait(limits, () => order(names, { isRenewal: true }), NOW),
    3,
  )
  for (let times = 0; times < 20; times++) {
    assert.equal(limits.wait(order(names, { isSuggested: true }), NOW), undefined)
    issue(limits, order(names, { isSuggested: true }), NOW)
  }
  const all = limits.leftFor(order(['n1.com'], { isSuggested: true }), NOW)
  assert.deepEqual(
    all.map(({ kind, left }) => [kind, left]),
    [
      ['orders', 0],
      ['certificates', 49],
      ['sets', 4],
      ['failures', 5],
    ],
  )
})

test('an order that its CA does not take for a replacement is counted like any other', () => {
  const limits = new RateLimits(publishedLimits)
  const facts = order(['a.shop.com'], { isSuggested: true })
  const charge = limits.charge(facts, NOW)
  charge.placing(true, NOW)
  charge.placing(false, NOW)
  charge.close(true, NOW)
  const left = limits.leftFor(facts, NOW).map(({ kind, left }) => [kind, left])
  assert.deepEqual(left.slice(0, 3), [
    ['orders', 299],
    ['certificates', 49],
    ['sets', 4],
  ])
})

test('one that fails takes an order and a failure, and gives back the certificate', () => {
  const limits = new RateLimits(publishedLimits)
  const facts = order(['a.com'])
  for (let tries = 0; tries < 5; tries++) {
    const charge = limits.charge(facts, NOW)
    charge.placing(false, NOW)
    charge.placing(false, NOW)
    charge.failed(['a.com'], NOW)
    charge.close(false, NOW)
  }
  const left = limits.leftFor(facts, NOW).map(({ kind, left }) => [kind, left])
  assert.deepEqual(left, [
    ['orders', 290],
    ['certificates', 50],
    ['sets', 5],
    ['failures', 0],
  ])
  const wait = limits.wait(facts, NOW)
  assert.equal(wait?.limit, '5 failed authorizations of a.com in 60 minutes')
  assert.equal(wait.at, NOW + 13 * MINUTE)
})

test('one that is never placed takes nothing', () => {
  const limits = new RateLimits(publishedLimits)
  const facts = order(['a.com'])
  limits.charge(facts, NOW).close(false, NOW)
  assert.deepEqual(limits.balances(NOW), [])
})

test('one that never came to the CA takes nothing, and the one before it is counted', () => {
  const limits = new RateLimits(publishedLimits)
  const charge = limits.charge(order(['a.com']), NOW)
  charge.placing(false, NOW)
  charge.placing(false, NOW)
  charge.lost(NOW)
  assert.equal(limits.leftFor(order(['b.com']), NOW)[0]!.left, 299)
  charge.lost(NOW)
  charge.close(false, NOW)
  assert.deepEqual(limits.balances(NOW), [])
})

test('an end that is told twice counts once', () => {
  const limits = new RateLimits(publishedLimits)
  const facts = order(['a.com'])
  const charge = limits.charge(facts, NOW)
  charge.placing(false, NOW)
  charge.close(true, NOW)
  charge.close(false, NOW)
  const left = limits.leftFor(facts, NOW).map(({ left }) => left)
  assert.deepEqual(left, [299, 49, 4, 5])
})

test('what is under way is counted before it has come to its end', () => {
  const limits = new RateLimits(publishedLimits)
  const charges = Array.from({ length: 4 }, () => limits.charge(order(['a.com']), NOW))
  assert.equal(limits.wait(order(['a.com']), NOW)?.limit, '5 certificates for exactly a.com in 7 days')
  for (const charge of charges) charge.close(false, NOW)
  assert.equal(limits.wait(order(['a.com']), NOW), undefined)
})

test('no CA would refuse what is let through, whenever within an order it counts', () => {
  // The same bucket, counted where the CA does so: later than here, by up to the margin.
  for (const [kind, lateMs, stepMs, limit] of [
    ['orders', 59_000, 4_000, { count: 300, periodMs: 3 * HOUR }],
    ['certificates', 9 * MINUTE, 40 * MINUTE, { count: 50, periodMs: 7 * DAY }],
  ] as const) {
    const limits = new RateLimits(publishedLimits)
    let fullAt = 0
    let placed = 0
    const length = kind === 'orders' ? 12 * HOUR : 30 * DAY
    for (let now = NOW; now < NOW + length; now += stepMs) {
      const facts = kind === 'orders' ? order([`n${placed}.com`]) : order([`n${placed}.a.com`])
      if (limits.wait(facts, now) !== undefined) continue
      placed++
      const charge = limits.charge(facts, now)
      charge.placing(false, now)
      const then = now + (placed === 1 ? lateMs : 0)
      const interval = limit.periodMs / limit.count
      fullAt = Math.max(fullAt, then) + interval
      assert.ok(fullAt - then <= limit.periodMs, `${kind}: refused at order ${placed}`)
      charge.close(true, then)
    }
    const most = limit.count + length / (limit.periodMs / limit.count)
    assert.ok(placed > most * 0.95 && placed <= most, `${placed} of ${most}`)
  }
})

test('a CA of which no limits are known keeps nobody waiting, until it says so itself', () => {
  const limits = new RateLimits(publishedLimits)
  const facts = order(['a.com'], { authority: 'https://ca.test/directory' })
  assert.equal(
    countUntilWait(limits, (index) => (index < 1000 ? facts : order(['b.com'], { needsAccount: true })), NOW) > 1000,
    true,
  )
  limits.charge(facts, NOW).refused({ kind: 'orders', subject: undefined, until: NOW + HOUR }, NOW)
  assert.equal(limits.wait(facts, NOW)?.at, NOW + HOUR)
  assert.equal(limits.wait(facts, NOW + HOUR), undefined)
})

test("a CA's word on a limit outweighs our count of it", () => {
  const limits = new RateLimits(publishedLimits)
  const facts = order(['a.shop.com'])
  const detail =
    'too many certificates (50) already issued for "shop.com" in the last 168h0m0s, retry after 2026-11-24 15:05:17 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-registered-domain'
  limits.charge(facts, NOW).refused(readRefusal(detail, DAY, NOW)!, NOW)
  const wait = limits.wait(order(['b.shop.com']), NOW)
  assert.equal(wait?.limit, '50 certificates of shop.com in 7 days')
  assert.equal(wait.at, Date.parse('2026-11-24T15:15:17Z'))
  assert.equal(limits.wait(order(['b.org']), NOW), undefined)
  // After that there is one, and not all of them.
  const later = wait.at
  issue(limits, order(['b.shop.com']), later)
  assert.notEqual(limits.wait(order(['c.shop.com']), later), undefined)
})

test('a word about somebody else is taken for being about these names', () => {
  const limits = new RateLimits(publishedLimits)
  const word = { kind: 'certificates', subject: 'other.com', until: NOW + HOUR } as const
  limits.charge(order(['a.com']), NOW).refused(word, NOW)
  assert.equal(limits.wait(order(['other.com']), NOW), undefined)
  assert.match(limits.wait(order(['a.com']), NOW)!.limit, /exactly a\.com/)
})

test('what is over is forgotten, however much there was', () => {
  const limits = new RateLimits(publishedLimits)
  for (let index = 0; index < 20_000; index++) {
    const now = NOW + index * HOUR
    issue(limits, order([`n${index}.com`], { isRenewal: true }), now)
  }
  assert.ok(limits.size < 2_500, `${limits.size}`)
})

test('what a clock wrote that was years ahead is waited for no longer than a limit lasts', () => {
  const limits = new RateLimits(publishedLimits)
  const ahead = NOW + 1000 * DAY
  countUntilWait(limits, () => order(['a.com']), ahead)
  const wait = limits.wait(order(['a.com']), NOW)
  assert.ok(wait!.at <= NOW + 2 * DAY, `${(wait!.at - NOW) / DAY}`)
  assert.equal(limits.wait(order(['a.com']), NOW + 2 * DAY), undefined)
})

test("Boulder's words are understood", () => {
  const until = Date.parse('2026-11-24T15:00:00Z')
  for (const [detail, kind, subject] of [
    ['too many new orders (300) from this account in the last 3h0m0s', 'orders', undefined],
    ['too many certificates (5) already issued for this exact set of domains in the last 168h0m0s', 'sets', undefined],
    [
      'too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s',
      'sets',
      undefined,
    ],
    ['too many certificates (50) already issued for "a.co.uk" in the last 168h0m0s', 'certificates', 'a.co.uk'],
    ['too many certificates already issued for: a.com', 'certificates', 'a.com'],
    ['too many certificates (50) already issued for "192.0.2.1/32" in the last 168h0m0s', 'certificates', '192.0.2.1'],
    ['too many failed authorizations (5) for "www.a.com" in the last 1h0m0s', 'failures', 'www.a.com'],
    ['too many failed authorizations recently', 'failures', undefined],
    ['too many new registrations (10) from this IP address in the last 3h0m0s', 'accounts', undefined],
    ['slow down, please', 'sets', undefined],
  ] as const)
    assert.deepEqual(
      readRefusal(`${detail}, retry after 2026-11-24 15:00:00 UTC: see https://ca.test/`, undefined, NOW),
      { kind, subject, until },
      detail,
    )
})

test('a refusal without a time is no word, Retry-After is one, and no time is waited for more than a week', () => {
  assert.equal(readRefusal('too many new orders', undefined, NOW), undefined)
  assert.equal(readRefusal('too many new orders, retry after 2026-11-24 11:00:00 UTC', undefined, NOW), undefined)
  assert.equal(readRefusal('too many new orders', HOUR, NOW)?.until, NOW + HOUR)
  assert.equal(readRefusal('too many new orders, retry after 2999-01-01 00:00:00 UTC', HOUR, NOW)?.until, NOW + 7 * DAY)
})

test('names are counted under what was registered', () => {
  for (const [name, domain] of [
    ['www.example.com', 'example.com'],
    ['*.example.com', 'example.com'],
    ['example.com', 'example.com'],
    ['new.blog.example.co.uk', 'example.co.uk'],
    ['a.b.github.io', 'b.github.io'],
    ['github.io', 'github.io'],
    ['a.b.unknown-suffix', 'b.unknown-suffix'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example.com', 'example.com'],
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['::1', '::/64'],
    ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
    ['1:2:3:4:5:6:192.0.2.1', '1:2:3:4::/64'],
  ] as const)
    assert.equal(registeredDomain(name), domain, name)
})
