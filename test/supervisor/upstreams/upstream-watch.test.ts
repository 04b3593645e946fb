import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
import { test } from 'node:test'
import type { UpstreamConditions } from '../../../src/edge/snapshot.ts'
import type { TargetReport } from '../../../src/edge/upstream/balance/target-report.ts'
import { openCookieKey } from '../../../src/supervisor/upstreams/cookie-key.ts'
import { areSticky, UpstreamWatch } from '../../../src/supervisor/upstreams/upstream-watch.ts'
import { loadGood } from '../../config/config-folder.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { MemoryStorage } from '../../fakes/memory-storage.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

/** A watch over the upstreams of this config, and what the workers are told. */
async function watching(yaml: string, seen: TargetReport[][] = []) {
  const { config } = await loadGood(`acceptTerms: true\n${yaml}`)
  const clock = new FakeClock()
  const log = new RecordingLog()
  const down = new Set<string>()
  const watch = new UpstreamWatch({
    sites: config.sites,
    workers: 2,
    cookieKey: '',
    clock,
    random: () => 0.5,
    log,
    check: async ({ address }) => ('host' in address && down.has(address.host) ? 'It is ill.' : undefined),
  })
  const told: UpstreamConditions[] = []
  watch.start({ changeUpstreams: (conditions) => told.push(conditions), reportTargets: async () => seen })
  return { watch, clock, down, told }
}

const TWO = 'sites: { a.test: { upstream: { to: [http://10.0.0.1, http://10.0.0.2], health: { every: 1s } } } }'

test('workers are told what is down, and when it is up again', async (t) => {
  const { watch, clock, down, told } = await watching(TWO)
  t.after(() => watch.stop())
  await clock.advance(5_000)
  assert.equal(told.length, 0)
  down.add('10.0.0.2')
  await clock.advance(5_000)
  assert.equal(told.length, 1)
  assert.deepEqual(watch.conditions, told[0])
  assert.equal(told[0]!.down.length, 1)
  assert.match(told[0]!.down[0]!, /10\.0\.0\.2/)
  assert.deepEqual(
    (await watch.report()).map(({ url, state, why }) => [url, state, why]),
    [
      ['http://10.0.0.1:80', 'up', undefined],
      ['http://10.0.0.2:80', 'down', 'It is ill.'],
    ],
  )
  assert.deepEqual(
    watch.metrics[0]!.samples.map(({ value }) => value),
    [1, 0],
  )
  down.clear()
  await clock.advance(5_000)
  assert.deepEqual(told.at(-1)!.down, [])
})

test('a drained address is known by its URL in any spelling, and its load is summed over workers', async (t) => {
  const target = { url: 'http://10.0.0.1:80', underWay: 2, requests: 5, failures: 1, isLeftOut: false }
  const seen = [[target], [{ ...target, underWay: 0 }]]
  const { watch, told } = await watching(TWO, seen)
  t.after(() => watch.stop())
  const [report] = await watch.drain('HTTP://10.0.0.1:80/')
  assert.deepEqual(
    [report?.state, report?.underWay, report?.requests, report?.failures, report?.sites],
    ['draining', 2, 10, 2, ['a.test']],
  )
  assert.deepEqual(told.at(-1)!.drained, ['http://10.0.0.1:80'])
  seen.length = 0
  assert.equal((await watch.drain('http://10.0.0.1:80'))[0]?.state, 'drained')
  assert.equal(told.length, 1)
  await watch.undrain('http://10.0.0.1:80')
  assert.deepEqual(told.at(-1)!.drained, [])
  await assert.rejects(watch.drain('http://10.0.0.3'), { code: 'upstream-unknown' })
})

test('one that workers leave out is told so', async (t) => {
  const target = { url: 'http://10.0.0.1:80', underWay: 0, requests: 5, failures: 5, isLeftOut: true }
  const { watch } = await watching(TWO, [[target]])
  t.after(() => watch.stop())
  assert.deepEqual(
    (await watch.report()).map(({ state }) => state),
    ['left-out', 'up'],
  )
})

test('every address of a name counts and is checked; a name that cannot be resolved keeps those it had', async (t) => {
  const { config } = await loadGood(
    'acceptTerms: true\nsites: { a.test: { upstream: { to: http://app.test:81, resolve: all, health: {} } } }',
  )
  const clock = new FakeClock()
  const log = new RecordingLog()
  const answers = [['10.0.0.2', '10.0.0.1'], ['10.0.0.1', '10.0.0.2'], new Error('SERVFAIL'), [], ['10.0.0.3']]
  const lookup: LookupFunction = (_name, _options, callback) => {
    const answer = answers.shift()!
    if (answer instanceof Error) callback(answer, [])
    else
      callback(
        null,
        answer.map((address) => ({ address, family: 4 })),
      )
  }
  const told: UpstreamConditions[] = []
  const watch = new UpstreamWatch({
    ...{ sites: config.sites, workers: 1, cookieKey: '', clock, random: () => 0.5, log, lookup },
    check: async () => undefined,
  })
  t.after(() => watch.stop())
  watch.start({ changeUpstreams: (conditions) => told.push(conditions), reportTargets: async () => [] })
  await clock.advance(35_000)
  assert.deepEqual(
    told.map(({ addresses }) => addresses),
    [{ 'app.test': ['10.0.0.1', '10.0.0.2'] }],
  )
  assert.equal(log.of('upstream-name-failed').length, 1)
  assert.deepEqual(
    watch.metrics[0]!.samples.map(({ labels }) => labels?.upstream),
    ['http://10.0.0.1:81', 'http://10.0.0.2:81'],
  )
  await clock.advance(10_000)
  assert.deepEqual(
    (await watch.report()).map(({ url }) => url),
    ['http://10.0.0.3:81'],
  )
})

test('the key of sticky cookies is made once, and only where a cookie is wanted', async () => {
  const storage = new MemoryStorage()
  const made = await openCookieKey(storage, (size) => Buffer.alloc(size, 1))
  assert.equal(await openCookieKey(storage, (size) => Buffer.alloc(size, 2)), made)
  const sites = async (sticky: string) =>
    (await loadGood(`sites: { a.test: { upstream: { to: http://h${sticky} } } }`)).config.sites
  assert.equal(areSticky(await sites('')), false)
  assert.equal(areSticky(await sites(', sticky: { cookie: at }')), true)
})
