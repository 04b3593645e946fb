import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Certificates, startCertificates } from '../../src/certificates/renewal.ts'
import type { CertificatesState } from '../../src/certificates/state.ts'
import { type SiteCertificates, wantedCertificates } from '../../src/certificates/wanted.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { FakeIssuer } from '../fakes/fake-issuer.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A machine that can be switched off and on, with a storage that stays. */
class Machine {
  readonly clock = new FakeClock()
  readonly storage = new MemoryStorage()
  readonly ca = new FakeIssuer('ca', this.clock)
  readonly second = new FakeIssuer('second', this.clock)
  readonly states: CertificatesState[] = []
  log = new RecordingLog()
  random = 0.5
  #certificates: Certificates | undefined

  get certificates(): Certificates {
    return this.#certificates!
  }

  async start(...sites: Partial<SiteCertificates>[]): Promise<void> {
    const filled = (sites.length === 0 ? [{}] : sites).map((each) => ({
      site: each.names?.[0] ?? 'a.test',
      names: ['a.test'],
      keys: ['ecdsa-p256'] as const,
      grouping: 'perSite' as const,
      issuersFor: () => ['ca'],
      ...each,
    }))
    this.log = new RecordingLog()
    this.#certificates = await startCertificates({
      wanted: wantedCertificates(filled),
      ownFiles: [],
      issuers: new Map([
        ['ca', this.ca],
        ['second', this.second],
      ]),
      storage: this.storage,
      clock: this.clock,
      random: () => this.random,
      log: this.log,
      onChange: (state) => this.states.push(state),
    })
  }

  /** Lets what has begun come to its end, without moving time. */
  async until(isDone: () => boolean): Promise<void> {
    const giveUp = performance.now() + 10_000
    while (!isDone()) {
      if (performance.now() > giveUp)
        throw new Error(`not reached: ${isDone}; ${JSON.stringify(this.log.entries.slice(-5))}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await this.clock.advance(0)
  }

  async untilLogged(event: string, count = 1): Promise<void> {
    await this.until(() => this.log.of(event).length >= count)
  }

  /** Moves time from one alarm to the next, letting each order come to its end. */
  async live(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    for (;;) {
      const { next } = this.clock
      if (next === undefined || next > end) break
      await this.clock.advance(next - this.clock.now())
      await this.until(() => this.#outcomes() >= this.log.of('certificate-requested').length)
    }
    await this.clock.advance(end - this.clock.now())
  }

  #outcomes(): number {
    return ['issued', 'renewed', 'failed'].reduce((sum, event) => sum + this.log.of(`certificate-${event}`).length, 0)
  }
}

test('what is missing is issued, stored, and then served', async () => {
  const machine = new Machine()
  const order: string[] = []
  const put = machine.storage.put.bind(machine.storage)
  machine.storage.put = async (key, value) => {
    await put(key, value)
    if (key.startsWith('certificates/')) order.push(`stored, ${machine.certificates.state.held.length} served`)
  }
  await machine.start()
  await machine.untilLogged('certificate-issued')
  order.push(`${machine.certificates.state.held.length} served`)
  assert.deepEqual(order, ['stored, 0 served', '1 served'])
  assert.deepEqual(await machine.storage.list(''), ['certificates/a.test.ecdsa-p256'])
  assert.deepEqual(machine.states.at(-1)?.held[0]?.names, ['a.test'])
  await machine.certificates.stop()
  assert.equal(machine.clock.sleeping, 0)
})

test('a restart orders nothing', async () => {
  const machine = new Machine()
  const site = { keys: ['ecdsa-p256', 'rsa-2048'] as const }
  await machine.start(site)
  await machine.untilLogged('certificate-issued', 2)
  await machine.certificates.stop()
  await machine.start(site)
  assert.equal(machine.certificates.state.held.length, 2)
  await machine.live(DAY)
  await machine.certificates.stop()
  assert.equal(machine.ca.requests.length, 2)
})

for (const [lifetime, days, expected] of [
  [90 * DAY, 365, [6, 7]],
  [45 * DAY, 365, [12, 13]],
  [6 * DAY, 60, [20, 23]],
  [2 * HOUR, 2, [48, 54]],
] as const)
  test(`certificates of ${lifetime / HOUR} hours are renewed in time for ${days} days, and no more often than that`, async () => {
    const machine = new Machine()
    machine.ca.lifetimeMs = lifetime
    await machine.start()
    await machine.untilLogged('certificate-issued')
    for (let hour = 0; hour < days * 24; hour += 12) {
      await machine.live(12 * HOUR)
      assert.equal(machine.log.of('certificate-failed').length, 0)
    }
    await machine.certificates.stop()
    const renewals = machine.log.of('certificate-renewed').length
    assert.ok(renewals >= expected[0] - 1 && renewals <= expected[1], `${renewals} renewals`)
  })

test('failures are retried after 1, 10 and 100 minutes and then daily', async () => {
  const machine = new Machine()
  machine.ca.fail('The CA said no.')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  const started = machine.clock.now()
  const times: number[] = []
  machine.ca.before = async () => {
    times.push((machine.clock.now() - started) / MINUTE)
    throw new Error('The CA said no.')
  }
  await machine.live(3 * DAY + 3 * HOUR)
  await machine.certificates.stop()
  assert.deepEqual(times, [1, 11, 111, 111 + 1440, 111 + 2880, 111 + 4320])
  const [first] = machine.log.of('certificate-failed')
  assert.match(
    first!.message,
    /the ecdsa-p256 certificate for a\.test\. ca: The CA said no\. The next try is in 1 minute, at 2026-11-24T12:01:00Z/,
  )
  assert.equal(first!.level, 'error')
})

test('the retries go on where they were after a restart', async () => {
  const machine = new Machine()
  machine.ca.fail('no')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  await machine.live(MINUTE)
  await machine.certificates.stop()
  assert.equal(machine.ca.requests.length, 2)
  await machine.start()
  await machine.live(9 * MINUTE)
  assert.equal(machine.ca.requests.length, 2)
  assert.match(machine.certificates.state.waiting[0]!.reason, /the last try failed \(ca: no\)/)
  await machine.live(2 * MINUTE)
  assert.equal(machine.ca.requests.length, 3)
  machine.ca.recover()
  await machine.live(2 * HOUR)
  assert.equal(machine.certificates.state.held.length, 1)
  assert.deepEqual(await machine.storage.list('attempts'), [])
  await machine.certificates.stop()
})

test('the waits differ by the dice, by a tenth', async () => {
  for (const [random, after] of [
    [0, 54_000],
    [1, 66_000],
  ] as const) {
    const machine = new Machine()
    machine.random = random
    machine.ca.fail('no')
    await machine.start()
    await machine.untilLogged('certificate-failed')
    await machine.live(after - 1)
    assert.equal(machine.ca.requests.length, 1)
    await machine.live(1)
    assert.equal(machine.ca.requests.length, 2)
    await machine.certificates.stop()
  }
})

test('the CA’s own Retry-After wins where it is longer, and up to a day', async () => {
  for (const [retryAfterMs, waits] of [
    [30 * MINUTE, 30 * MINUTE],
    [1_000, MINUTE],
    [99_999_999_000, 1.1 * DAY],
  ] as const) {
    const machine = new Machine()
    machine.ca.fail('slow down', retryAfterMs)
    await machine.start()
    await machine.untilLogged('certificate-failed')
    await machine.live(waits - 1)
    assert.equal(machine.ca.requests.length, 1)
    await machine.live(2)
    assert.equal(machine.ca.requests.length, 2)
    await machine.certificates.stop()
  }
})

test('a renewal that fails leaves the old certificate serving, to its end and beyond', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const [before] = machine.certificates.state.held
  machine.ca.fail('out of order')
  await machine.live(80 * DAY)
  assert.deepEqual(machine.certificates.state.held, [before])
  const first = machine.log.of('certificate-failed')[0]!
  assert.equal(first.level, 'warn')
  assert.match(first.message, /The former one serves for another (29|3\d) days/)
  await machine.live(20 * DAY)
  assert.deepEqual(machine.certificates.state.held, [before])
  const last = machine.log.of('certificate-failed').at(-1)!
  assert.equal(last.level, 'error')
  assert.match(last.message, /expired .* ago/)
  machine.ca.recover()
  await machine.live(2 * DAY)
  assert.notEqual(machine.certificates.state.held[0]?.id, before?.id)
  await machine.certificates.stop()
})

test('the next issuer is asked when one fails, within the same try', async () => {
  const machine = new Machine()
  machine.ca.fail('closed')
  await machine.start({ issuersFor: () => ['ca', 'second'] })
  await machine.untilLogged('certificate-issued')
  assert.match(machine.log.of('certificate-issued')[0]!.message, /from second/)
  machine.second.fail('closed too')
  await machine.live(80 * DAY)
  assert.match(machine.log.of('certificate-failed')[0]!.message, /ca: closed second: closed too/)
  await machine.certificates.stop()
})

test('what cannot be served is refused: another key’s, or another name’s certificate', async () => {
  for (const [answer, words] of [
    [(issued: { chain: string; privateKey: string }) => ({ ...issued, chain: foreign!.chain }), /is not for a\.test/],
    [
      (issued: { chain: string; privateKey: string }) => ({ ...issued, chain: issued.chain + issued.privateKey }),
      /holds a PRIVATE KEY/,
    ],
    [(issued: { chain: string; privateKey: string }) => ({ ...issued, chain: '' }), /chain|certificate/i],
  ] as const) {
    const machine = new Machine()
    machine.ca.answer = answer
    await machine.start()
    await machine.untilLogged('certificate-failed')
    assert.match(machine.log.of('certificate-failed')[0]!.message, words)
    assert.doesNotMatch(JSON.stringify(machine.log.entries), /-----BEGIN|MIG[A-Z]/)
    assert.equal(machine.certificates.state.held.length, 0)
    assert.deepEqual(await machine.storage.list('certificates'), [])
    await machine.certificates.stop()
  }
})
const foreign = await new FakeIssuer('x', new FakeClock()).issue(
  { names: ['other.test'], keyKind: 'ecdsa-p256' },
  new AbortController().signal,
)

test('certificates of the same names are ordered one after the other, others at most five at a time', async () => {
  const machine = new Machine()
  const running = new Set<string>()
  let most = 0
  machine.ca.before = async ({ names }) => {
    const key = names.join()
    assert.ok(!running.has(key), `${key} twice at once`)
    running.add(key)
    most = Math.max(most, running.size)
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
    running.delete(key)
  }
  const sites = Array.from({ length: 12 }, (_, index) => ({
    names: [`n${index}.test`],
    keys: ['ecdsa-p256', 'rsa-2048'] as const,
  }))
  await machine.start(...sites)
  await machine.untilLogged('certificate-issued', 24)
  assert.equal(most, 5)
  assert.equal(machine.log.of('certificate-failed').length, 0)
  await machine.certificates.stop()
})

test('one name that fails does not keep the others from theirs', async () => {
  const machine = new Machine()
  machine.ca.before = async ({ names }) => {
    if (names[0] === 'bad.test') throw new Error('no such domain')
  }
  await machine.start({ names: ['bad.test'] }, { names: ['good.test'] })
  await machine.untilLogged('certificate-issued')
  await machine.untilLogged('certificate-failed')
  const { held, waiting } = machine.certificates.state
  assert.deepEqual(
    held.flatMap(({ names }) => names),
    ['good.test'],
  )
  assert.deepEqual(
    waiting.flatMap(({ names }) => names),
    ['bad.test'],
  )
  await machine.certificates.stop()
})

test('a damaged record is reported by name, set aside, and ordered anew', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const whole = (await machine.storage.get('certificates/a.test.ecdsa-p256'))!
  const other = JSON.stringify({ ...JSON.parse(String(whole)), chain: foreign!.chain, privateKey: 'none' })
  for (const damaged of [
    whole.subarray(0, 300),
    Buffer.from('null'),
    Buffer.from('{}'),
    Buffer.from(other),
    Buffer.alloc(5000),
  ]) {
    await machine.storage.put('certificates/a.test.ecdsa-p256', damaged)
    await machine.start()
    const [entry] = machine.log.of('certificate-damaged')
    assert.match(entry!.message, /certificates\/a\.test\.ecdsa-p256 is damaged: .* set aside/)
    assert.doesNotMatch(JSON.stringify(machine.log.entries), /-----BEGIN|MIG[A-Z]/)
    await machine.untilLogged('certificate-issued')
    await machine.certificates.stop()
  }
})

test('a damaged memory of tries is set aside, and begins anew', async () => {
  const machine = new Machine()
  for (const damaged of ['{"failures":', 'null', '{"failures":1}', '[]']) {
    await machine.storage.put('attempts/a.test.ecdsa-p256', Buffer.from(damaged))
    await machine.start()
    assert.equal(machine.log.of('attempt-damaged').length, 1, damaged)
    await machine.certificates.stop()
  }
})

test('a program that ends in the middle of an order tries at once when it is back, and then ever more rarely', async () => {
  const machine = new Machine()
  const hangs = Promise.withResolvers<void>()
  machine.ca.before = () => hangs.promise
  const crash = async (): Promise<number> => {
    const before = machine.ca.requests.length
    await machine.start()
    await machine.clock.advance(0)
    // Killed: nobody stops it, and the storage keeps what it had; the old process asks no more in this test.
    return machine.ca.requests.length - before
  }
  assert.deepEqual([await crash(), await crash(), await crash(), await crash()], [1, 1, 0, 0])
  await machine.clock.advance(61_000)
  assert.ok(machine.ca.requests.length > 2)
})

test('stopping gives up the order under way, which is not a failure', async () => {
  const machine = new Machine()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  await machine.start()
  await machine.until(() => machine.ca.requests.length === 1)
  await machine.certificates.stop()
  assert.equal(machine.log.of('certificate-failed').length, 0)
  machine.ca.recover()
  for (let restart = 0; restart < 3; restart++) {
    await machine.start()
    await machine.certificates.stop()
  }
  await machine.start()
  await machine.until(() => machine.certificates.state.held.length === 1)
  await machine.certificates.stop()
})

test('when the storage fails, the new certificate serves from memory and is stored later', async () => {
  const machine = new Machine()
  machine.storage.fails = (operation, key) => operation === 'put' && key.startsWith('certificates/')
  await machine.start()
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.certificates.state.held.length, 1)
  assert.equal(machine.log.of('certificate-not-stored').length, 1)
  await machine.live(MINUTE)
  assert.equal(machine.log.of('certificate-not-stored').length, 2)
  machine.storage.fails = () => false
  await machine.live(2 * MINUTE)
  assert.deepEqual(await machine.storage.list('certificates'), ['certificates/a.test.ecdsa-p256'])
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('a clock that was a year ahead for a while delays nothing for longer than a day', async () => {
  const machine = new Machine()
  await machine.clock.advance(365 * DAY)
  machine.ca.fail('no')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  await machine.certificates.stop()
  const later = new Machine()
  for (const key of await machine.storage.list('attempts'))
    await later.storage.put(key, (await machine.storage.get(key))!)
  await later.start()
  await later.live(1.2 * DAY)
  assert.equal(later.log.of('certificate-issued').length, 1)
  await later.certificates.stop()
})

test('the state says of each name without a certificate what it waits for', async () => {
  const machine = new Machine()
  const gate = Promise.withResolvers<void>()
  machine.ca.before = () => gate.promise
  await machine.start({ keys: ['ecdsa-p256', 'rsa-2048'] })
  await machine.until(() => machine.ca.requests.length === 1)
  const reasons = machine.certificates.state.waiting.map(({ reason }) => reason)
  assert.deepEqual(reasons, [
    'it is being ordered from ca since 2026-11-24T12:00:00Z',
    'it is about to be ordered from ca',
  ])
  gate.resolve()
  await machine.untilLogged('certificate-issued')
  assert.deepEqual(machine.certificates.state.waiting, [], 'one kind of certificate is enough to be served')
  await machine.untilLogged('certificate-issued', 2)
  await machine.certificates.stop()
})
