import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateReport } from '../../src/certificates/report.ts'
import type { HstsPolicy } from '../../src/config/config.ts'
import { type HstsChange, HstsKeeper, recallHsts, troubleOf } from '../../src/hsts/keeper.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const DAY = 86_400_000
const ramp: HstsPolicy = { mode: 'ramp', maxAgeSeconds: 5_184_000, includeSubdomains: false, preload: false }

function wellUntil(notAfter: number, more: Partial<CertificateReport> = {}): CertificateReport {
  const held = { notAfter } as CertificateReport['held']
  return {
    site: 'a.test',
    names: ['a.test'],
    held,
    attempts: undefined,
    fault: undefined,
    ...more,
  } as CertificateReport
}

async function open(storage: MemoryStorage, clock: FakeClock, log = new RecordingLog(), hsts?: HstsPolicy) {
  const sites = [{ name: 'a.test', hsts: hsts ?? ramp }]
  return HstsKeeper.open({ sites, storage, clock, log })
}

test('a ramp goes on over restarts, and workers are told of each step', async () => {
  const [storage, clock] = [new MemoryStorage(), new FakeClock()]
  const reports = () => [wellUntil(clock.now() + 30 * DAY)]
  const first = await open(storage, clock)
  assert.equal(first.field('a.test'), 'max-age=300')
  assert.equal(first.field('b.test'), undefined)
  const changes: HstsChange[] = []
  first.start(reports, (more) => changes.push(...more))
  await clock.advance(DAY / 2)
  await first.stop()
  const second = await open(storage, clock)
  second.start(reports, (more) => changes.push(...more))
  assert.equal(changes.length, 0)
  await clock.advance(DAY / 2)
  assert.deepEqual(changes, [{ site: 'a.test', field: 'max-age=86400' }])
  assert.equal(second.field('a.test'), 'max-age=86400')
  await clock.advance(8 * DAY)
  await second.stop()
  assert.equal(changes.at(-1)?.field, 'max-age=5184000')
  assert.equal((await open(storage, clock)).field('a.test'), 'max-age=5184000')
  assert.equal(clock.sleeping, 0)
})

test('it writes when something changes and not at each look; without HSTS it does nothing at all', async () => {
  const [storage, clock] = [new MemoryStorage(), new FakeClock()]
  const keeper = await open(storage, clock)
  keeper.start(
    () => [wellUntil(clock.now() + DAY)],
    () => {},
  )
  await clock.advance(DAY / 2)
  assert.equal(storage.puts.length, 1)
  await keeper.stop()
  const none = await HstsKeeper.open({
    sites: [{ name: 'a.test', hsts: undefined }],
    storage: new MemoryStorage(),
    clock,
    log: new RecordingLog(),
  })
  none.start(
    () => assert.fail('it looks'),
    () => {},
  )
  assert.equal(clock.sleeping, 0)
})

test('a failed renewal holds the ramp', async () => {
  const [storage, clock, log] = [new MemoryStorage(), new FakeClock(), new RecordingLog()]
  const attempts = { failures: 1, lastAt: clock.now() } as CertificateReport['attempts']
  const keeper = await open(storage, clock, log)
  keeper.start(
    () => [wellUntil(clock.now() + DAY, { attempts })],
    () => assert.fail('it moves'),
  )
  await clock.advance(3 * DAY)
  await keeper.stop()
  assert.equal(log.of('hsts').length, 1)
  assert.match(log.of('hsts')[0]!.message, /is held there: renewing the one for a\.test failed at 2026-/)
})

test('what is not well: damaged, missing, expired, failing', () => {
  assert.equal(troubleOf([wellUntil(2)], 1), undefined)
  assert.equal(troubleOf([wellUntil(2), wellUntil(1)], 1), 'the certificate for a.test has expired')
  assert.equal(troubleOf([wellUntil(2, { held: undefined })], 1), 'there is no certificate for a.test yet')
  assert.equal(troubleOf([wellUntil(2, { fault: 'damaged' })], 1), 'damaged')
})

test('a damaged memory is set aside, and one that cannot be written holds nothing up', async () => {
  for (const text of ['{', '[1]', '{"a.test":{"mode":"on"}}', '{"a.test":null}']) {
    const [storage, clock, log] = [new MemoryStorage(), new FakeClock(), new RecordingLog()]
    await storage.put('hsts/sites', Buffer.from(text))
    assert.equal(await recallHsts(storage), undefined, text)
    assert.equal((await open(storage, clock, log)).field('a.test'), 'max-age=300')
    assert.equal(storage.aside.size, 1)
    assert.equal(log.of('hsts-damaged').length, 1)
  }
  const [storage, clock, log] = [new MemoryStorage(), new FakeClock(), new RecordingLog()]
  storage.fails = (operation) => operation === 'put'
  const keeper = await open(storage, clock, log)
  keeper.start(
    () => [wellUntil(clock.now() + 30 * DAY)],
    () => {},
  )
  await clock.advance(DAY)
  await keeper.stop()
  assert.equal(keeper.field('a.test'), 'max-age=86400')
  assert.ok(log.of('hsts-not-stored').length > 0)
})
