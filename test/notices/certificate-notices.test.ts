import assert from 'node:assert/strict'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { AcmeError, type AcmeErrorCode } from '../../src/acme/acme-error.ts'
import { AcmeProblemError, parseProblem } from '../../src/acme/problem.ts'
import { IssuanceError } from '../../src/certificates/issuance.ts'
import { onDemandId } from '../../src/certificates/place.ts'
import { wantedCertificates } from '../../src/certificates/wanted.ts'
import { CertificateNotices } from '../../src/notices/certificate-notices.ts'
import { type Notices, openNotices } from '../../src/notices/notices.ts'
import { DAY, HOUR, Machine, MINUTE } from '../certificates/machine.ts'
import { FakeIssuer } from '../fakes/fake-issuer.ts'
import { StapledAuthority } from '../pki/stapled-authority.ts'
import { FakeChannel } from './fake-channel.ts'

/** A machine whose operator is told. */
class ToldMachine extends Machine {
  readonly channel = new FakeChannel('operator')
  notices: Notices | undefined

  override async start(...sites: Parameters<Machine['start']>): Promise<void> {
    const { localClock: clock, storage, log, channel } = this
    const look = async () => []
    this.notices = await openNotices({
      clock,
      storage,
      log,
      channels: [channel],
      look,
      random: () => 0.5,
      machine: 'm',
    })
    this.attention = new CertificateNotices(this.notices, clock)
    await super.start(...sites)
  }

  async stop(): Promise<void> {
    await this.certificates.stop()
    await this.notices!.stop()
    assert.equal(this.clock.sleeping, 0)
  }

  /** From now on every order meets this error. */
  failWith(code: AcmeErrorCode, message: string): void {
    this.ca.before = async () => {
      throw new AcmeError(code, message)
    }
  }

  get titles(): string[] {
    return this.channel.messages.flat().map(({ title }) => title)
  }
}

test('a first certificate that is refused is one notice, for both kinds and all tries, and withdrawn when they have come', async () => {
  const machine = new ToldMachine()
  machine.ca.fail('the CA said “no”')
  await machine.start({ keys: ['ecdsa-p256', 'rsa-2048'] })
  await machine.live(3 * DAY)
  assert.ok(machine.log.of('certificate-failed').length >= 8)
  assert.deepEqual(machine.channel.told, ['raised a.test'])
  const [notice] = machine.channel.messages.flat()
  assert.equal(notice?.title, 'There is no certificate for a.test')
  assert.equal(notice.severity, 'error')
  assert.match(notice.said, /^ca: the CA said “no”\.$/)
  assert.match(notice.next, /^Castellan tries again in/)
  machine.ca.recover()
  await machine.live(2 * DAY)
  assert.deepEqual(machine.channel.told, ['raised a.test', 'over a.test'])
  await machine.stop()
})

test('a renewal that fails is told from its second try on, at a half and at three quarters of what is left, and at the end', async () => {
  const machine = new ToldMachine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  machine.ca.fail('not today')
  await machine.live(100 * DAY)
  const { told } = machine.channel
  assert.deepEqual(told, ['raised a.test', 'reminder a.test', 'reminder a.test', 'worse a.test'])
  const [raised, half, quarter, end] = machine.channel.messages.flat()
  const left = raised!.expiresAt! - raised!.at
  assert.ok(left > 29 * DAY)
  assert.ok(Math.abs(half!.at - raised!.at - left / 2) < MINUTE)
  assert.ok(Math.abs(quarter!.at - raised!.at - (left * 3) / 4) < MINUTE)
  assert.equal(end!.severity, 'error')
  assert.match(end!.title, /^No new certificate for a\.test, and the former one has ended .* ago: clients refuse it$/)
  machine.ca.recover()
  await machine.live(2 * DAY)
  assert.equal(machine.channel.told.at(-1), 'over a.test')
  await machine.stop()
})

test('a CA that cannot be reached for an hour while good certificates serve is told to nobody', async () => {
  const machine = new ToldMachine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.live(50 * DAY)
  machine.ca.breakDown('connection refused')
  while (machine.log.of('ca-out-of-order').length === 0) await machine.live(HOUR / 2)
  await machine.live(HOUR / 2)
  machine.ca.recover()
  await machine.live(2 * HOUR)
  assert.equal(machine.log.of('certificate-renewed').length, 1)
  assert.deepEqual(machine.channel.told, [])
  await machine.stop()
})

for (const [code, said, title, over] of [
  [
    'terms-not-accepted',
    'accept https://ca.test/terms',
    'ca gives no certificates before its terms are accepted',
    'ca gives certificates again',
  ],
  [
    'clock-wrong',
    'it says 1970',
    "This machine's clock is wrong, so that no certificates are ordered",
    "This machine's clock is right again",
  ],
] as const)
  test(`${code} is one notice for all names`, async () => {
    const machine = new ToldMachine()
    machine.failWith(code, said)
    await machine.start(...['a', 'b', 'c', 'd'].map((name) => ({ names: [`${name}.test`] })))
    await machine.live(DAY)
    assert.deepEqual(machine.titles, [title])
    assert.match(machine.channel.messages.flat()[0]!.said, new RegExp(said))
    machine.ca.recover()
    await machine.live(2 * DAY)
    assert.deepEqual(machine.titles, [title, over])
    await machine.stop()
  })

test('an outage of a CA is one notice for all names, over restarts, and over when it answers', async () => {
  const machine = new ToldMachine()
  const sites = ['a', 'b', 'c', 'd'].map((name) => ({ names: [`${name}.test`] }))
  machine.ca.breakDown('refused')
  await machine.start(...sites)
  await machine.live(DAY)
  await machine.stop()
  await machine.start(...sites)
  await machine.live(DAY)
  const title = 'ca is out of order, so that no certificates come'
  assert.deepEqual(machine.titles, [title])
  const [notice] = machine.channel.messages.flat()
  assert.deepEqual([notice!.severity, notice!.said, notice!.kind], ['error', 'refused.', 'issuer-out-of-order'])
  machine.ca.recover()
  await machine.live(DAY)
  assert.deepEqual(machine.titles, [title, 'ca answers again'])
  assert.equal(machine.log.of('certificate-issued').length, 4)
  await machine.stop()
})

test('an outage while good certificates serve is told after an hour and a half, with the first that ends', async () => {
  const machine = new ToldMachine()
  await machine.start({ names: ['a.test'] }, { names: ['b.test'] })
  await machine.untilLogged('certificate-issued', 2)
  await machine.live(50 * DAY)
  machine.ca.breakDown('refused')
  while (machine.log.of('ca-out-of-order').length === 0) await machine.live(MINUTE)
  const began = machine.clock.now()
  await machine.live(2.5 * HOUR)
  assert.deepEqual(machine.channel.told.length, 1)
  const [notice] = machine.channel.messages.flat()
  assert.equal(notice!.severity, 'warning')
  assert.ok(notice!.at - began > 88 * MINUTE)
  assert.match(
    notice!.title,
    /^ca is out of order, so that no certificates come; the first to end is that of [ab]\.test, in 3\d days, at 2027-/,
  )
  await machine.stop()
})

test('an outage for which no certificate waits is told to nobody', async () => {
  const machine = new ToldMachine()
  machine.ca.breakDown('refused')
  await machine.start({ names: ['a.test'], issuersFor: () => ['ca', 'second'] })
  await machine.live(DAY)
  assert.equal(machine.log.of('ca-out-of-order').length, 1)
  assert.equal(machine.log.of('certificate-issued').length, 1)
  assert.deepEqual(machine.channel.told, [])
  await machine.stop()
})

test('a CA that answers again but refuses is another notice', async () => {
  const machine = new ToldMachine()
  machine.ca.breakDown('refused')
  await machine.start()
  await machine.live(HOUR)
  machine.ca.fail('no such name')
  await machine.live(DAY)
  assert.deepEqual(machine.titles, [
    'ca is out of order, so that no certificates come',
    'ca answers again',
    'There is no certificate for a.test',
  ])
  await machine.stop()
})

test('where one CA is out of order and the other refuses, it is the refusal that is told', async () => {
  const machine = new ToldMachine()
  machine.ca.breakDown('refused')
  machine.second.before = async () => {
    throw new AcmeError('terms-not-accepted', 'accept https://second.test/terms')
  }
  await machine.start({ names: ['a.test'], issuersFor: () => ['ca', 'second'] })
  await machine.live(HOUR)
  assert.deepEqual(machine.titles, ['second gives no certificates before its terms are accepted'])
  await machine.stop()
})

test('a name that its CA pauses is told at once, with where to unpause it, though its failures were told before', async () => {
  const machine = new ToldMachine()
  machine.ca.fail('no')
  await machine.start({ keys: ['ecdsa-p256', 'rsa-2048'] })
  await machine.live(DAY)
  const unpauseUrl = 'https://portal.ca.test/unpause?jwt=x'
  machine.ca.before = async () => {
    throw Object.assign(new AcmeError('authorization-failed', 'paused'), { unpauseUrl })
  }
  await machine.live(10 * DAY)
  assert.deepEqual(machine.channel.told, ['raised a.test', 'worse a.test'])
  const [, paused] = machine.channel.messages.flat()
  assert.deepEqual([paused!.kind, paused!.title], ['certificate-paused', 'a.test is paused by its CA'])
  assert.ok(paused!.remedy.includes(`unpause it at ${unpauseUrl}, and then "castellan certs retry a.test"`))
  machine.ca.recover()
  await machine.certificates.retry('all')
  await machine.live(HOUR)
  assert.deepEqual(machine.channel.told, ['raised a.test', 'worse a.test', 'over a.test'])
  await machine.stop()
})

test('of one name on demand that fails nobody hears, but of terms that its CA wants accepted', async () => {
  const machine = new ToldMachine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const attention = new CertificateNotices(machine.notices!, machine.clock)
  const site = { site: 'x.test', names: ['x.test'], issuersFor: () => ['ca'] }
  const [wanted] = wantedCertificates([{ ...site, keys: ['ecdsa-p256'], grouping: 'perSite', mustStaple: false }])
  const tried = (code: AcmeErrorCode) => ({
    error: new IssuanceError([{ issuer: 'ca', error: new AcmeError(code, 'no'), isOutage: false }], ['x.test']),
    ...{ count: 9, serving: undefined, next: { at: machine.clock.now() + HOUR }, siblings: [] },
  })
  const onDemand = { ...wanted!, id: onDemandId(wanted!.id, '00') }
  attention.failed(onDemand, tried('authorization-failed'))
  await machine.live(MINUTE)
  assert.deepEqual(machine.titles, [])
  attention.failed(onDemand, tried('terms-not-accepted'))
  await machine.live(MINUTE)
  assert.deepEqual(machine.titles, ['ca gives no certificates before its terms are accepted'])
  await machine.stop()
})

test('a restart repeats nothing, and a name that was removed from the config is over', async () => {
  const machine = new ToldMachine()
  machine.ca.fail('no')
  await machine.start({ names: ['a.test'] }, { names: ['b.test'] })
  await machine.live(DAY)
  await machine.stop()
  await machine.start({ names: ['a.test'] })
  await machine.live(DAY)
  assert.deepEqual(machine.channel.told.toSorted(), ['over b.test', 'raised a.test', 'raised b.test'])
  assert.equal(machine.titles.at(-1), 'b.test is not in the config any more')
  await machine.stop()
  machine.ca.settings = 'others, which have not helped yet'
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  await machine.start({ names: ['a.test'] })
  await machine.clock.advance(HOUR)
  assert.equal(machine.channel.told.length, 3)
  await machine.stop()
})

test('what the CA refuses for lack of a record has that as its remedy', async () => {
  const machine = new ToldMachine()
  machine.ca.before = async () => {
    throw Object.assign(new AcmeError('names-hopeless', 'a.test leads nowhere'))
  }
  await machine.start()
  await machine.live(HOUR)
  assert.deepEqual(machine.channel.told, ['raised a.test'])
  assert.match(machine.channel.messages.flat()[0]!.remedy, /^Change the DNS records/)
  await machine.stop()
})

test('own files are told of when they cannot be used, when they are about to end, and when they are well again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-notices-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const [certificate, key] = [join(folder, 'my.crt'), join(folder, 'my.key')]
  const machine = new ToldMachine()
  machine.ownFiles = [{ site: 'own.test', names: ['own.test'], files: [{ certificate, key }] }]
  const issuer = new FakeIssuer('own', machine.clock)
  issuer.lifetimeMs = 4 * HOUR
  let version = 0
  const put = async (...names: string[]): Promise<void> => {
    const { chain, privateKey } = await issuer.issue({ names, keyKind: 'ecdsa-p256' }, new AbortController().signal)
    await writeFile(certificate, chain)
    await writeFile(key, privateKey)
    // A change within the clock tick of the file system must be seen as well.
    const at = new Date(1_700_000_000_000 + ++version * 1000)
    await utimes(certificate, at, at)
  }
  /** As soon as there are so many. Files are looked at in time that no fake clock moves: it stands still meanwhile. */
  const titles = async (count: number): Promise<string[]> => {
    await machine.until(() => {
      const wait = (machine.clock.next ?? Number.POSITIVE_INFINITY) - machine.clock.now()
      if (machine.titles.length < count && wait <= 10_000) void machine.clock.advance(wait)
      return machine.titles.length >= count
    })
    return machine.titles.map((title) => title.replaceAll(certificate, 'my.crt'))
  }
  await machine.start()
  assert.deepEqual(await titles(1), ['my.crt cannot be used for own.test'])
  await put('own.test')
  assert.deepEqual((await titles(2)).slice(1), ['my.crt is in order again'])
  await machine.clock.advance(2 * HOUR)
  assert.equal(machine.titles.length, 2)
  assert.match((await titles(3))[2]!, /^my\.crt for own\.test ends in \d\d minutes$/)
  await titles(6)
  assert.deepEqual(machine.channel.told.slice(2), [
    'raised own.test',
    'reminder own.test',
    'reminder own.test',
    'worse own.test',
  ])
  await put('own.test')
  assert.deepEqual((await titles(7)).slice(5), [
    'my.crt for own.test has ended 0 seconds ago: clients refuse it',
    'my.crt is in order again',
  ])
  await put('other.test')
  assert.equal((await titles(8))[7], 'my.crt does not cover own.test: clients refuse it there')
  await machine.stop()
})

test('revoked certificates and missing staples are told until they are served no more', async () => {
  const machine = new ToldMachine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const attention = new CertificateNotices(machine.notices!, machine.clock)
  const times = { notBefore: machine.clock.now(), notAfter: machine.clock.now() + DAY }
  const authority = await StapledAuthority.create(times)
  const certificate = await authority.leaf({ names: ['r.test'], mustStaple: true, ...times })
  for (let again = 0; again < 3; again++) {
    attention.revoked(certificate, 'at 2026-11-24T12:00:00Z (keyCompromise)', 'issued')
    attention.unstapled(certificate, 'the responder is out')
  }
  await machine.clock.advance(0)
  assert.deepEqual(machine.titles, [
    'The certificate for r.test was revoked by its CA',
    'The must-staple certificate for r.test has no staple: clients refuse it',
  ])
  attention.stapled(certificate)
  attention.dropped(certificate.fingerprint)
  await machine.clock.advance(0)
  assert.deepEqual(machine.channel.told, ['raised r.test', 'raised r.test', 'over r.test', 'over r.test'])
  await machine.stop()
})

test('what an issuer refuses whatever the names is one notice for all of them', async () => {
  const machine = new ToldMachine()
  const problem = parseProblem({
    type: 'urn:ietf:params:acme:error:userActionRequired',
    detail: 'see https://ca.test/new',
  })
  machine.ca.before = async () => {
    throw new AcmeProblemError(problem, { what: 'newOrder', server: 'ca.test', httpStatus: 403 })
  }
  await machine.start({ names: ['a.test'] }, { names: ['b.test'] })
  await machine.live(HOUR)
  machine.failWith('external-account-required', 'it wants an account')
  await machine.live(3 * DAY)
  assert.deepEqual(machine.titles, [
    'ca gives no certificates before its terms are accepted',
    'ca gives no certificates as it is set up',
  ])
  assert.match(machine.channel.messages.flat()[0]!.remedy, /^Open the address that the CA names/)
  await machine.stop()
})

test('what is imported in place of what does not come ends its notice', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-notices-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const machine = new ToldMachine()
  machine.ca.fail('no')
  await machine.start()
  await machine.live(HOUR)
  assert.deepEqual(machine.channel.told, ['raised a.test'])
  const now = machine.clock.now()
  const times = { notBefore: now - DAY, notAfter: now + 60 * DAY }
  const { chain, privateKey } = await (await StapledAuthority.create(times)).issue({ names: ['a.test'], ...times })
  const file = join(folder, 'a.pem')
  await writeFile(file, chain + privateKey)
  await machine.certificates.import([file])
  await machine.live(HOUR)
  assert.deepEqual(machine.titles.at(-1), 'a.test has its certificate')
  assert.deepEqual(machine.notices!.open, [])
  await machine.stop()
})

test('a notice ends when all that there can be for now is there again, though a name is still left out', async () => {
  const machine = new ToldMachine()
  const refuse = (badNames: readonly object[]): void => {
    machine.ca.before = async ({ names }) => {
      if (badNames.length === 0 || names.includes('b.test'))
        throw Object.assign(new AcmeError('order-invalid', 'no'), { badNames })
    }
  }
  refuse([{ name: 'b.test', reason: 'no way' }])
  await machine.start({ names: ['a.test', 'b.test'] })
  await machine.untilLogged('certificate-issued')
  refuse([])
  await machine.live(4 * DAY)
  assert.deepEqual(machine.channel.told, ['raised a.test,b.test'])
  refuse([{ name: 'b.test', reason: 'no way' }])
  await machine.live(2 * DAY)
  assert.equal(machine.log.of('certificate-kept').length > 0, true)
  assert.deepEqual(machine.channel.told, ['raised a.test,b.test', 'over a.test,b.test'])
  await machine.stop()
})

test('a certificate that another CA gives does not make one well that is out of order', async () => {
  const machine = new ToldMachine()
  machine.ca.breakDown('refused')
  machine.second.fail('not yet')
  await machine.start({ names: ['a.test'] }, { names: ['b.test'], issuersFor: () => ['ca', 'second'] })
  await machine.live(HOUR)
  assert.ok(machine.titles.includes('ca is out of order, so that no certificates come'))
  machine.second.recover()
  await machine.live(DAY)
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.titles.filter((title) => title.startsWith('ca ')).length, 1, machine.titles.join('; '))
  await machine.stop()
})

test('the notice of an outage gets worse as the first that waits nears its end, with its name and when that is', async () => {
  const machine = new ToldMachine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.live(55 * DAY)
  machine.ca.breakDown('refused')
  await machine.live(36 * DAY)
  const told = machine.channel.messages.flat().filter(({ kind }) => kind === 'issuer-out-of-order')
  assert.deepEqual(
    told.map(({ state, severity }) => `${state} ${severity}`),
    ['raised warning', 'reminder warning', 'worse error', 'reminder error', 'reminder error'],
  )
  const worse = told[2]!
  assert.match(worse.title, /the first to end is that of a\.test, in 1\d days, at 2027-02-22T12:00:00Z$/)
  const left = Date.parse('2027-02-22T12:00:00Z') - worse.at
  assert.ok(left <= 15 * DAY && left > 14.9 * DAY, String(left / DAY))
  await machine.stop()
})

test('an outage that nobody waits for any more is told of nobody who suffers, until it is over', async () => {
  const machine = new ToldMachine()
  for (const ca of [machine.ca, machine.second]) ca.breakDown('refused')
  await machine.start({ names: ['a.test'], issuersFor: () => ['ca', 'second'] })
  await machine.live(HOUR)
  const standing = () => {
    const { open } = machine.notices!
    const { names, severity } = machine.notices!.troubleOf(
      open.find((key) => key.startsWith('issuer-out-of-order/ca'))!,
    )!
    return [names, severity]
  }
  assert.deepEqual(standing(), [['a.test'], 'error'])
  machine.second.recover()
  await machine.live(3 * HOUR)
  assert.equal(machine.log.of('certificate-issued').length, 1)
  assert.deepEqual(standing(), [[], 'warning'])
  machine.ca.recover()
  await machine.live(2 * HOUR)
  assert.equal(machine.titles.at(-1), 'ca answers again')
  await machine.stop()
})

test('a renewal that waits for a rate limit is told of where it would wait past half of what is left', async () => {
  for (const [days, told] of [
    [80, ['raised ca a.test', 'reminder ca a.test', 'over ca a.test']],
    [70, []],
  ] as const) {
    const machine = new ToldMachine()
    machine.limitsOf = () => ({ sets: { count: 1, periodMs: days * DAY } })
    machine.ca.before = async ({ spending, predecessor }) => spending!.ordering(predecessor !== undefined)
    await machine.start()
    await machine.untilLogged('certificate-issued')
    await machine.live(60 * DAY)
    assert.equal(machine.ca.requests.length, 1)
    await machine.stop()
    await machine.start()
    await machine.live(29 * DAY)
    assert.equal(machine.ca.requests.length, 2)
    const notices = machine.channel.messages.flat()
    assert.deepEqual(
      notices.map(({ state, kind, names }) => `${state} ${kind === 'renewals-limited' ? 'ca' : kind} ${names}`),
      told,
    )
    if (told.length > 0) {
      assert.match(
        notices[0]!.title,
        /^Renewals wait for rate limits of ca; the first to end is that of a\.test, in 3\d days/,
      )
      assert.match(notices[0]!.said, /would have it refuse an order: 1 certificates for exactly a\.test in 80 days/)
      assert.match(notices[0]!.next, /^The next can be ordered in \d\d days, at 2027-/)
      assert.equal(notices[2]!.title, 'Renewals do not wait that long any more for rate limits of ca')
    }
    await machine.stop()
  }
})
