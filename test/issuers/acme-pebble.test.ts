import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { AuthorizationError } from '../../src/acme/authorization.ts'
import { AcmeProblemError } from '../../src/acme/problem.ts'
import { createAcmeIssuer } from '../../src/issuers/acme.ts'
import type { AcmeIssuerConfig } from '../../src/issuers/acme-config.ts'
import type { IssuedCertificate, Issuer } from '../../src/issuers/issuer.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import type { KeyKind } from '../../src/pki/key-kind.ts'
import { importPrivateKey, isSameKey, keyKindOf } from '../../src/pki/keys.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { ChallengeFrontend } from '../challenges/frontend.ts'
import { type Pebble, type PebbleOptions, pebbleExternalAccount, startPebble } from '../e2e/peers/pebble.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { missing } from '../programs.ts'

const skip = missing('pebble') || missing('pebble-challtestsrv') || missing('openssl')

/** Polls ten times as often as is polite; deadlines are as they are. */
const eagerClock: Clock = {
  now: () => systemClock.now(),
  sleep: (ms, signal) => systemClock.sleep(ms < 10_000 ? ms / 10 : ms, signal),
}

/** A Pebble, a frontend that it validates against, and a storage for what is learned of it. */
class World {
  readonly log = new RecordingLog()
  readonly storage = new MemoryStorage()
  readonly pebble: Pebble
  readonly frontend: ChallengeFrontend
  readonly #trust: string

  private constructor(pebble: Pebble, frontend: ChallengeFrontend, trust: string) {
    this.pebble = pebble
    this.frontend = frontend
    this.#trust = trust
  }

  static async open(options: Omit<PebbleOptions, 'httpPort' | 'tlsPort'>): Promise<World> {
    const frontend = await ChallengeFrontend.open()
    const { httpPort, tlsPort } = frontend
    const pebble = await startPebble({ httpPort, tlsPort, ...options })
    return new World(pebble, frontend, await readFile(pebble.trust, 'utf8'))
  }

  issuer(config: Partial<AcmeIssuerConfig> = {}): Issuer {
    const { storage, log, frontend: publisher, pebble } = this
    return createAcmeIssuer(
      {
        name: 'pebble',
        directory: pebble.directory,
        trust: this.#trust,
        contact: 'ops@castellan.test',
        acceptTerms: true,
        challenges: ['tls-alpn-01', 'http-01'],
        accountKey: 'ecdsa-p256',
        account: 'perIssuer',
        ...config,
      },
      { storage, log, publisher, clock: eagerClock, random: () => 0.5 },
    )
  }

  async close(): Promise<void> {
    await this.pebble?.stop()
    await this.frontend.close()
  }
}

const issue = (issuer: Issuer, names: readonly string[], keyKind: KeyKind = 'ecdsa-p256'): Promise<IssuedCertificate> =>
  issuer.issue({ names, keyKind }, AbortSignal.timeout(60_000))

/** As a client that trusts Pebble's root would check it. */
async function assertGood(world: World, { chain, privateKey }: IssuedCertificate, names: string[], kind: KeyKind) {
  const [leaf, ...issuers] = parseChain(chain)
  const key = importPrivateKey(privateKey)
  assert.deepEqual([...leaf.names].sort(), [...names].sort())
  assert.equal(keyKindOf(key), kind)
  assert.ok(isSameKey(leaf.publicKey, key))
  const root = new X509Certificate(await world.pebble.rootPem())
  assert.ok(issuers.at(-1)!.x509.verify(root.publicKey))
  assert.equal(world.frontend.standing.size, 0)
}

for (const nonceReject of [5, 20])
  describe(`Pebble, strict, refusing ${nonceReject} % of good nonces`, { skip }, () => {
    let world: World
    before(async () => {
      world = await World.open({ nonceReject, domainBlocklist: ['blocked.test'] })
    })
    after(() => world.close())

    for (const type of ['http-01', 'tls-alpn-01'] as const)
      for (const kind of ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'] as const)
        test(`issues for several names and an address by ${type}, with a key of kind ${kind}`, async () => {
          const names = [`${kind}.${type}.test`, `www.${kind}.${type}.test`, '127.0.0.1']
          const issued = await issue(world.issuer({ challenges: [type] }), names, kind)
          await assertGood(world, issued, names, kind)
          assert.deepEqual(new Set(world.frontend.published.splice(0).map((answer) => answer.type)), new Set([type]))
        })

    test('has used one account for all of this, each issuer having been opened anew', () => {
      assert.equal(world.log.of('account-registered').length, 1)
      assert.equal(world.pebble.accounts(), 1)
      const accounts = world.storage.puts.filter((key) => key.includes('account'))
      assert.deepEqual(accounts, ['issuers/pebble/account', 'issuers/pebble/account'])
    })

    test('issues both certificates of a dual pair that are asked for at once', async () => {
      const issuer = world.issuer()
      const kinds = ['ecdsa-p256', 'rsa-2048'] as const
      const pair = await Promise.all(kinds.map((kind) => issue(issuer, ['dual.test'], kind)))
      for (const [index, issued] of pair.entries()) await assertGood(world, issued, ['dual.test'], kinds[index]!)
    })

    test('issues for many names in one order', async () => {
      const names = Array.from({ length: 20 }, (_, index) => `n${index}.many.test`)
      await assertGood(world, await issue(world.issuer(), names), names, 'ecdsa-p256')
    })

    test('tries the next challenge type where one does not get through', async () => {
      world.frontend.mute.add('tls-alpn-01')
      try {
        await assertGood(world, await issue(world.issuer(), ['half.test']), ['half.test'], 'ecdsa-p256')
      } finally {
        world.frontend.mute.clear()
      }
    })

    test('says which name failed by which challenge in the CA’s words when nobody answers', async () => {
      world.frontend.mute.add('tls-alpn-01').add('http-01')
      try {
        await assert.rejects(issue(world.issuer(), ['silent.test']), (error: AuthorizationError) => {
          assert.ok(error instanceof AuthorizationError)
          assert.deepEqual(
            error.failures.map(({ name, challengeType }) => [name, challengeType]),
            [
              ['silent.test', 'tls-alpn-01'],
              ['silent.test', 'http-01'],
            ],
          )
          assert.match(error.message, /silent\.test by http-01, through port 80: “.*404.*” \(unauthorized\)/)
          return true
        })
      } finally {
        world.frontend.mute.clear()
      }
      assert.equal(world.frontend.standing.size, 0)
    })

    test('says what the CA refuses before it validates anything', async () => {
      await assert.rejects(issue(world.issuer(), ['blocked.test', 'fine.test']), (error: AcmeProblemError) => {
        assert.ok(error instanceof AcmeProblemError)
        assert.equal(error.problem.type, 'rejectedIdentifier')
        assert.deepEqual(
          error.badNames.map(({ name }) => name),
          ['blocked.test'],
        )
        assert.match(
          error.message,
          /refused a certificate for blocked\.test, fine\.test: “.*blocked\.test.*” \(rejectedIdentifier\)/,
        )
        return true
      })
    })

    test('registers again, once, at a CA that has lost everything', async () => {
      const issuer = world.issuer()
      await issue(issuer, ['before.test'])
      await world.pebble.restart()
      await assertGood(world, await issue(issuer, ['after.test']), ['after.test'], 'ecdsa-p256')
      assert.equal(world.log.of('account-lost').length, 1)
      await issue(world.issuer(), ['later.test'])
      assert.equal(world.log.of('account-registered').length, 2)
    })
  })

describe('Pebble, otherwise set up', { skip }, () => {
  test('binds an external account where the CA demands it, and says so where there is none', async (t) => {
    const world = await World.open({ externalAccountRequired: true })
    t.after(() => world.close())
    await assert.rejects(issue(world.issuer(), ['a.test']), { code: 'external-account-required' })
    const wrong = { ...pebbleExternalAccount, kid: 'kid-unknown' }
    await assert.rejects(issue(world.issuer({ externalAccount: wrong }), ['a.test']), { code: 'acme-problem' })
    const issuer = world.issuer({ externalAccount: pebbleExternalAccount })
    await assertGood(world, await issue(issuer, ['a.test']), ['a.test'], 'ecdsa-p256')
  })

  test('tells the CA of a contact that was changed, and of one that was removed (RFC 8555 §7.3.2)', async (t) => {
    const world = await World.open({})
    t.after(() => world.close())
    for (const contact of ['a@castellan.test', 'b@castellan.test', undefined])
      await issue(world.issuer({ contact }), ['a.test'])
    assert.equal(world.log.of('account-contact-changed').length, 2)
    assert.equal(world.log.of('account-contact-not-changed').length, 0)
    assert.equal(world.pebble.accounts(), 1)
  })

  test('uses authorizations again that are still valid', async (t) => {
    const world = await World.open({ authorizationReuse: 100 })
    t.after(() => world.close())
    const issuer = world.issuer()
    await issue(issuer, ['a.test'])
    const shown = world.frontend.published.length
    await issue(issuer, ['a.test'])
    assert.equal(world.frontend.published.length, shown)
  })

  test('takes the chain that the operator prefers', async (t) => {
    const world = await World.open({ alternateRoots: 2 })
    t.after(() => world.close())
    const subjects = await Promise.all(
      [0, 1, 2].map(async (index) => new X509Certificate(await world.pebble.rootPem(index)).subject),
    )
    for (const subject of subjects) {
      const preferredChain = subject.replace('CN=', '')
      const { chain } = await issue(world.issuer({ preferredChain }), ['a.test'])
      assert.equal(parseChain(chain).at(-1)!.issuer, subject)
    }
    assert.equal(world.log.of('chain-not-offered').length, 0)
  })

  test('shows the terms of service that the operator has not accepted', async (t) => {
    const world = await World.open({})
    t.after(() => world.close())
    await assert.rejects(issue(world.issuer({ acceptTerms: false }), ['a.test']), {
      code: 'terms-not-accepted',
      message: /Do%20what%20thou%20wilt/,
    })
  })

  test('works with an RSA account key, and with one account for each site', async (t) => {
    const world = await World.open({})
    t.after(() => world.close())
    const issuer = world.issuer({ accountKey: 'rsa-2048', account: 'perSite' })
    for (const site of ['a.test', 'b.test'])
      await issuer.issue({ names: [site], keyKind: 'ecdsa-p256', site }, AbortSignal.timeout(60_000))
    assert.equal(world.log.of('account-registered').length, 2)
  })

  for (const accountKey of ['ecdsa-p384', 'rsa-2048'] as const)
    test(`gives the account a new key of kind ${accountKey}, with which the next start orders (RFC 8555 §7.3.5)`, async (t) => {
      const world = await World.open({})
      t.after(() => world.close())
      await issue(world.issuer(), ['a.test'])
      const [report] = await world.issuer({ accountKey }).accounts!.rollOver(AbortSignal.timeout(60_000))
      assert.equal(report!.keyKind, accountKey)
      await issue(world.issuer(), ['b.test'])
      assert.equal(world.pebble.accounts(), 1)
      const [shown] = await world.issuer().accounts!.show(AbortSignal.timeout(60_000))
      assert.equal(shown!.status, 'valid')
    })

  test('deactivates the account, and then makes another (RFC 8555 §7.3.6)', async (t) => {
    const world = await World.open({})
    t.after(() => world.close())
    const issuer = world.issuer()
    await issue(issuer, ['a.test'])
    await issuer.accounts!.deactivate(AbortSignal.timeout(60_000))
    await issue(issuer, ['b.test'])
    assert.equal(world.log.of('account-registered').length, 2)
  })

  test('revokes by the account, by another account not, and then by the certificate’s own key (RFC 8555 §7.6)', async (t) => {
    const world = await World.open({})
    t.after(() => world.close())
    const issuer = world.issuer({ account: 'perSite' })
    for (const [site, reason, code] of [
      ['a.test', 'superseded', 4],
      ['b.test', 'keyCompromise', 1],
    ] as const) {
      const signal = AbortSignal.timeout(60_000)
      const { chain, privateKey } = await issuer.issue({ names: ['a.test'], keyKind: 'ecdsa-p256', site }, signal)
      const [certificate] = parseChain(chain)
      // The second is said to be of the first one's site, whose account did not order it.
      const revocation = { certificate, privateKey, site: 'a.test', reason }
      await issuer.revoke!(revocation, signal)
      await issuer.revoke!(revocation, signal)
      assert.partialDeepStrictEqual(await world.pebble.statusOf(certificate.serial), {
        Status: 'Revoked',
        Reason: code,
      })
    }
  })
})
