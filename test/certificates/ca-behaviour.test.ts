import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { AGREEMENT_URL } from '../fake-ca/accounts.ts'
import { Refusal } from '../fake-ca/answer.ts'
import { ROOTS } from '../fake-ca/certificates.ts'
import { DAY, HOUR, Life, MINUTE, SECOND } from '../fake-ca/life.ts'
import { REVOCATION_URL } from '../fake-ca/renewal-info.ts'
import { wrongChains } from '../fake-ca/wrong-chains.ts'

// What CAs do today, seen from a program that keeps certificates: whatever they say, the next step is the right one, and the
// operator reads what was said.

let life: Life
beforeEach(async () => {
  life = await Life.open()
})
afterEach(() => life.close())

const reason = async (): Promise<string> => String((await life.attempt())?.reason)
/** Milliseconds from the last try to the next. */
const wait = async (): Promise<number> => {
  const { nextAt, lastAt } = (await life.attempt()) as { nextAt: number; lastAt: number }
  return nextAt - lastAt
}
const orders = () => life.ca.of('newOrder').map(({ payload }) => payload!)

/** Time passes while the program is off. */
async function sleep(ms: number): Promise<void> {
  await life.certificates.stop()
  await life.clock.advance(ms)
  await life.restart()
}

describe('when to renew', () => {
  test('a window that is moved to the past renews at once, names what it replaces, and says why (RFC 9773 §4.2, §5)', async () => {
    await life.start()
    const [first] = life.ca.certificates.all
    const now = life.clock.now()
    const explanationURL = 'https://ca.test/why'
    life.ca.renewalInfo.move({ start: now - DAY, end: now - HOUR, explanationURL })
    await life.live(7 * HOUR)
    assert.equal(orders()[1]!.replaces, first!.certId)
    assert.match(life.log.of('renewal-suggested').at(-2)!.message, /It says why at https:\/\/ca\.test\/why/)
    assert.deepEqual([life.served.length, life.ca.certificates.all.length, first!.isReplaced], [1, 2, true])
  })

  test('a renewal within its window is free of every limit', async () => {
    await life.start()
    const now = life.clock.now()
    life.ca.renewalInfo.move({ start: now + 7 * HOUR, end: now + 8 * HOUR })
    life.ca.limits.exhaust('certificatesPerSet', 'a.test')
    await life.live(9 * HOUR)
    assert.deepEqual([life.ca.certificates.all.length, await life.attempt()], [2, undefined])
  })

  test('of two kinds of keys only the one is ordered that is due: a pair takes two of five certificates in a week', async () => {
    await life.start({ sites: [{ names: ['a.test'], keys: ['ecdsa-p256', 'ecdsa-p384'] }] })
    await life.live(HOUR)
    const [first, second, ...others] = life.ca.certificates.all
    assert.deepEqual(others, [])
    life.ca.certificates.revoke(first!)
    await life.live(7 * HOUR)
    assert.deepEqual([life.ca.certificates.all.length, first!.isReplaced, second!.isReplaced], [3, true, false])
  })

  test('a revoked certificate is known by its window, and replaced at once with a new key', async () => {
    await life.start()
    const [first] = life.ca.certificates.all
    life.ca.certificates.revoke(first!)
    await life.live(7 * HOUR)
    const [, second] = life.ca.certificates.all
    assert.ok(!first!.certificate.publicKey.equals(second!.certificate.publicKey))
    assert.ok(life.log.of('renewal-suggested').some(({ message }) => message.includes(REVOCATION_URL)))
  })

  for (const [what, body] of [
    [
      'a window that ends before it begins',
      { suggestedWindow: { start: '2026-12-02T00:00:00Z', end: '2026-12-01T00:00:00Z' } },
    ],
    ['a window without an end', { suggestedWindow: { start: '2026-12-02T00:00:00Z' } }],
    ['a time that is none', { suggestedWindow: { start: 'soon', end: 'later' } }],
    ['nothing', {}],
  ] as const)
    test(`${what} is no answer: the lifetime decides`, async () => {
      life.ca.renewalInfo.nonsense = { body }
      await life.start()
      await sleep(50 * DAY)
      assert.equal(life.ca.certificates.all.length, 1)
      await sleep(12 * DAY)
      assert.equal(life.ca.certificates.all.length, 2)
    })

  test('a CA that knows nothing of renewal information is not told what is replaced', async () => {
    life.ca.directory.hasRenewalInfo = false
    await life.start()
    await sleep(62 * DAY)
    assert.deepEqual(
      orders().map((order) => 'replaces' in order),
      [false, false],
    )
  })

  test('a renewal whose predecessor has been replaced already is asked once more without that word', async () => {
    await life.start()
    life.ca.certificates.all[0]!.isReplaced = true
    await sleep(62 * DAY)
    assert.deepEqual(
      orders().map((order) => 'replaces' in order),
      [false, true, false],
    )
    assert.match(life.log.of('replaces-refused')[0]!.message, /already has a replacement order/)
    assert.deepEqual([life.ca.certificates.all.length, await life.attempt()], [2, undefined])
  })

  test('certificates of 160 hours are renewed at half of that', async () => {
    await life.start({ issuers: [{ profile: { name: 'shortlived', required: true } }] })
    life.ca.directory.hasRenewalInfo = false
    await life.live(70 * HOUR)
    assert.equal(life.ca.certificates.all.length, 1)
    await life.live(10 * HOUR)
    assert.equal(life.ca.certificates.all.length, 2)
  })
})

describe('two certificates for one name', () => {
  test('each has an order of its own, though the CA gives an open order again to whoever asks for the same', async () => {
    await life.start({ sites: [{ keys: ['ecdsa-p256', 'ecdsa-p384'] }] })
    assert.deepEqual([life.ca.orders.all.length, life.ca.certificates.all.length, life.served.length], [2, 2, 2])
    assert.equal(life.ca.of('challenge').length, 1, 'the second order finds the authorization valid (RFC 8555 §7.1.3)')
  })

  test('an order that came to nothing is gone on with, as Boulder gives it again', async () => {
    life.ca.faults.set('authorization', 'internal error')
    await life.start()
    life.ca.faults.lift()
    await life.live(MINUTE)
    assert.deepEqual([life.ca.of('newOrder').length, life.ca.orders.all.length, life.served.length], [2, 1, 1])
  })
})

describe('profiles and identifiers', () => {
  test('a profile that is offered is asked for', async () => {
    await life.start({ issuers: [{ profile: { name: 'tlsserver', required: false } }] })
    assert.equal(orders()[0]!.profile, 'tlsserver')
    const [issued] = life.ca.certificates.all
    assert.equal(issued!.notAfter - issued!.notBefore, 45 * DAY)
  })

  for (const [required, served] of [
    [false, 1],
    [true, 0],
  ] as const)
    test(`a profile that the CA lists and refuses is ${required ? 'insisted on' : 'done without'} where it is ${required ? 'required' : 'preferred'}`, async () => {
      life.ca.directory.refusedProfiles.add('tlsserver')
      await life.start({ issuers: [{ profile: { name: 'tlsserver', required } }] })
      const words = /profile "tlsserver" not recognized.*invalidProfile/
      assert.match(required ? await reason() : life.log.of('profile-refused')[0]!.message, words)
      assert.deepEqual(
        [life.served.length, orders().map(({ profile }) => profile)],
        [served, required ? ['tlsserver'] : ['tlsserver', undefined]],
      )
    })

  test('an IP address is validated by its reverse name (RFC 8738 §6), and by http-01', async () => {
    for (const challenges of [['tls-alpn-01'], ['http-01']] as const) {
      await life.start({ issuers: [{ challenges }], sites: [{ names: ['192.0.2.7'] }] })
      assert.equal(life.served.length, 1, challenges[0])
      await life.close()
      life = await Life.open()
    }
  })

  test('challenge types that nobody knows stand in no way', async () => {
    life.ca.authorizations.moreTypes = ['dns-persist-01', 'dns-account-01', 'quantum-02', '']
    await life.start()
    assert.equal(life.served.length, 1)
  })
})

describe('validation', () => {
  for (const [what, spoil, words] of [
    ['CAA forbids the CA', 'forbiddenByCaa', /a\.test by http-01.*“CAA record for a\.test prevents issuance” \(caa\)/],
    ['the name does not exist', 'unknown', /“DNS problem: NXDOMAIN looking up A for a\.test” \(dns\)/],
    ['nobody answers at the name', 'unreachable', /by http-01, through port 80: “192\.0\.2\.1: .*Connection refused”/],
  ] as const)
    test(`where ${what}, the operator reads that, and nothing stays published`, async () => {
      life.ca.validation[spoil].add('a.test')
      await life.start()
      assert.match(await reason(), words)
      assert.deepEqual([life.standing.size, await wait(), life.ca.orders.unfinished.length], [0, MINUTE, 0])
      life.ca.validation[spoil].clear()
      await life.live(MINUTE)
      assert.equal(life.served.length, 1)
    })

  test('an authorization that takes long is polled as slowly as the CA asks, with the answer standing', async () => {
    life.ca.authorizations.pendingPolls = 3
    life.ca.authorizations.retryAfter = 20
    const begun = life.clock.now()
    await life.start()
    assert.equal(life.ca.of('authorizationPoll').length, 4)
    assert.ok(life.clock.now() - begun >= 60 * SECOND)
    assert.equal(life.served.length, 1)
  })
})

describe('rate limits', () => {
  const limits = [
    [
      'ordersPerAccount',
      () => life.ca.accounts.byUrl.keys().next().value!,
      /too many new orders \(300\) from this account/,
      36 * SECOND,
    ],
    ['certificatesPerDomain', () => 'b.test', /too many certificates \(50\) already issued for "b\.test"/, 3.36 * HOUR],
    [
      'certificatesPerSet',
      () => 'b.test',
      /too many certificates \(5\) already issued for this exact set/,
      33.6 * HOUR,
    ],
    [
      'failuresPerName',
      () => `${[...life.ca.accounts.byUrl.keys()][0]} b.test`,
      /too many failed authorizations \(5\) for "b\.test"/,
      12 * MINUTE,
    ],
  ] as const
  for (const [limit, subject, words, refillMs] of limits)
    test(`${limit}: the CA's words are told, and its Retry-After is waited for, up to a day`, async () => {
      await life.start()
      life.ca.limits.exhaust(limit, subject())
      await life.restart({ sites: [{ names: ['b.test'] }] })
      assert.match(await reason(), words)
      assert.match(await reason(), /see https:\/\/letsencrypt\.org\/docs\/rate-limits\/#/)
      const expected = Math.min(Math.max(refillMs, MINUTE), DAY)
      assert.ok(Math.abs((await wait()) - expected) <= SECOND, `${await wait()}`)
      await life.live(Math.max(refillMs, MINUTE) + DAY)
      assert.equal(life.served.length, 1)
    })

  test('accountsPerAddress: the key that was made is registered as soon as the CA lets it', async () => {
    life.ca.limits.exhaust('accountsPerAddress', '127.0.0.1')
    await life.start()
    assert.match(await reason(), /too many new registrations \(10\) from this IP address/)
    assert.equal(await wait(), 18 * MINUTE)
    await life.live(18 * MINUTE + SECOND)
    assert.deepEqual([life.ca.accounts.byUrl.size, life.served.length], [1, 1])
  })
})

describe('accounts', () => {
  const credentials = { kid: 'kid-1', hmacKey: Buffer.from('a key that the CA has given').toString('base64url') }

  test('an external account is bound where the CA requires one, and what is wrong with it is told (RFC 8555 §7.3.4)', async () => {
    life.ca.directory.externalAccountRequired = true
    await life.start({ issuers: [{ externalAccount: credentials }] })
    assert.match(await reason(), /unknown key id of the external account/)
    life.ca.accounts.external.set('kid-1', Buffer.from(credentials.hmacKey, 'base64url'))
    await life.live(MINUTE)
    assert.equal(life.served.length, 1)
  })

  test('new terms stop renewals with the URL to go to, until somebody has been there (RFC 8555 §7.3.3)', async () => {
    await life.start()
    life.ca.accounts.changeTerms('https://ca.test/terms/2')
    await sleep(62 * DAY)
    const message = life.log.of('certificate-failed')[0]!.message
    for (const text of ['Terms of service have changed', AGREEMENT_URL, 'https://ca.test/terms/2'])
      assert.ok(message.includes(text), message)
    life.ca.accounts.agree()
    await life.live(MINUTE)
    assert.equal(life.ca.certificates.all.length, 2)
  })

  test('an account that was deactivated is told of, and nothing is registered in its place', async () => {
    await life.start()
    for (const account of life.ca.accounts.byUrl.values()) account.status = 'deactivated'
    await sleep(62 * DAY)
    assert.match(await reason(), /Account is not valid, has status "deactivated"/)
    assert.deepEqual([life.ca.accounts.byUrl.size, await wait()], [1, MINUTE])
  })

  test('an account that the CA does not know any more is registered again within the same try', async () => {
    await life.start()
    life.ca.accounts.byUrl.clear()
    await sleep(62 * DAY)
    assert.equal(life.log.of('account-lost').length, 1)
    assert.deepEqual(
      [life.ca.accounts.byUrl.size, life.ca.certificates.all.length, await life.attempt()],
      [1, 2, undefined],
    )
  })

  test('the preferred chain is taken where it is offered', async () => {
    await life.start({ issuers: [{ preferredChain: ROOTS[1] }] })
    assert.equal(life.certificates.report('a.test')[0]!.held!.chain![0]!.issuer, `CN=${ROOTS[1]}`)
  })
})

describe('certificates that are none', () => {
  for (const [what, chainOf, words] of wrongChains)
    test(`a chain ${what} replaces nothing, and the CA is asked again`, async () => {
      await life.start()
      const before = life.served
      life.ca.certificates.chainOf = chainOf
      await sleep(62 * DAY)
      assert.deepEqual(life.served, before)
      assert.match(await reason(), words)
      assert.ok(!JSON.stringify(life.log.entries).includes('BEGIN PRIVATE KEY'))
      life.ca.certificates.chainOf = undefined
      await life.live(MINUTE)
      assert.notDeepEqual(life.served, before)
      assert.equal(await life.attempt(), undefined)
    })

  test('a certificate alone is taken: a CA that signs with its root has no more to send', async () => {
    life.ca.certificates.chainOf = (leaf) => leaf
    await life.start()
    assert.equal(life.served.length, 1)
  })
})

describe('the order', () => {
  test('nonces that the CA has forgotten cost nothing but a request', async () => {
    await life.start()
    life.ca.nonces.forgetAll()
    life.ca.renewalInfo.move({ start: life.clock.now() - DAY, end: life.clock.now() - HOUR })
    await life.live(7 * HOUR)
    assert.deepEqual([life.ca.certificates.all.length, await life.attempt()], [2, undefined])
  })

  test('one bad name among many is named, and left out of the next order, which is at once and is counted', async () => {
    life.ca.orders.rejected.set('bad.test', 'The ACME server refuses to issue a certificate for this domain name')
    await life.start({ sites: [{ names: ['a.test', 'bad.test', 'c.test'] }] })
    assert.match(life.log.of('names-left-out')[0]!.message, /bad\.test.*refuses to issue/)
    assert.deepEqual(life.ca.certificates.all.length, 1)
    assert.deepEqual(life.served.length, 1)
  })

  test('one name that cannot be validated among many is named and left out, and the others are not validated again', async () => {
    life.ca.validation.unreachable.add('b.test')
    await life.start({ issuers: [{ challenges: ['http-01'] }], sites: [{ names: ['a.test', 'b.test', 'c.test'] }] })
    assert.match(life.log.of('names-left-out')[0]!.message, /without b\.test,.* b\.test: “.*Connection refused”/)
    assert.deepEqual([life.ca.of('challenge').length, life.served.length], [3, 1])
    life.ca.validation.unreachable.clear()
    await life.live(2 * HOUR)
    assert.deepEqual([life.ca.of('challenge').length, life.served.length], [4, 1])
    assert.deepEqual(life.certificates.state.held[0]!.names, ['a.test', 'b.test', 'c.test'])
  })

  test('an order that stays processing is polled as slowly as the CA asks (RFC 8555 §7.4)', async () => {
    life.ca.orders.processingPolls = 4
    life.ca.orders.retryAfter = 30
    const begun = life.clock.now()
    await life.start()
    assert.ok(life.clock.now() - begun >= 4 * 30 * SECOND)
    assert.deepEqual([life.ca.of('finalize').length, life.served.length], [1, 1])
  })

  test('an order that was not ready after all is read again (RFC 8555 §7.4)', async () => {
    life.ca.orders.refusals.push(new Refusal('orderNotReady', 'Order is not ready', { status: 403 }))
    await life.start()
    assert.deepEqual([life.ca.of('finalize').length, life.served.length], [2, 1])
  })
})
