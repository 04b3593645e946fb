import assert from 'node:assert/strict'
import type { LookupFunction } from 'node:net'
import { test } from 'node:test'
import type { UpstreamKnowledge } from '../../../src/edge/snapshot.ts'
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
  const told: UpstreamKnowledge[] = []
  const asked: string[] = []
  const watch = new UpstreamWatch({
    clock,
    random: () => 0.5,
    log,
    check: async ({ address }, { path }) => {
      const host = 'host' in address ? address.host : address.path
      asked.push(host + path)
      return down.has(host) ? 'It is ill.' : undefined
    },
    onChange: (knowledge) => told.push(knowledge),
    reportTargets: async () => seen,
  })
  watch.prepare(config.sites)
  watch.settle()
  const next = async (other: string) => watch.prepare((await loadGood(`acceptTerms: true\n${other}`)).config.sites)
  return { watch, clock, down, told, asked, next }
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
  assert.deepEqual(watch.knowledge, told[0])
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
  const told: UpstreamKnowledge[] = []
  const watch = new UpstreamWatch({
    ...{ clock, random: () => 0.5, log, lookup },
    check: async () => undefined,
    onChange: (knowledge) => told.push(knowledge),
    reportTargets: async () => [],
  })
  t.after(() => watch.stop())
  watch.prepare(config.sites)
  watch.settle()
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

const one = (to: string, health: string) => `sites: { b.test: { upstream: { to: ${to}, health: ${health} } } }`

test('what is drained stays so under another config, as long as it has it', async (t) => {
  const { watch, told, next } = await watching(TWO)
  t.after(() => watch.stop())
  await watch.drain('http://10.0.0.1:80')
  await watch.drain('http://10.0.0.2:80')
  await next(one('http://10.0.0.1', '{ every: 1s }'))
  assert.deepEqual(watch.knowledge.drained, ['http://10.0.0.1:80', 'http://10.0.0.2:80'])
  watch.settle()
  assert.deepEqual(told.at(-1)!.drained, ['http://10.0.0.1:80'])
  assert.deepEqual(
    (await watch.report()).map(({ url, state, sites }) => [url, state, sites]),
    [['http://10.0.0.1:80', 'drained', ['b.test']]],
  )
  await next(TWO)
  watch.settle()
  assert.deepEqual(
    (await watch.report()).map(({ state }) => state),
    ['drained', 'up'],
  )
})

test('the checks of a former config end with it, and both go on until it is known which it is', async (t) => {
  const { watch, clock, asked, next } = await watching(TWO)
  t.after(() => watch.stop())
  await clock.advance(2_000)
  const askedWithin = async (ms: number): Promise<string[]> => {
    asked.length = 0
    await clock.advance(ms)
    return [...new Set(asked)].sort()
  }
  await next(one('http://10.0.0.3', '{ path: /well, every: 1s }'))
  assert.deepEqual(await askedWithin(2_500), ['10.0.0.1/', '10.0.0.2/', '10.0.0.3/well'])
  watch.forgo()
  assert.deepEqual(await askedWithin(2_500), ['10.0.0.1/', '10.0.0.2/'])
  await next(one('http://10.0.0.3', '{ path: /well, every: 1s }'))
  watch.settle()
  assert.deepEqual(await askedWithin(2_500), ['10.0.0.3/well'])
  watch.stop()
  assert.equal(clock.sleeping, 0)
})

test('what is down is so for workers of another config before they begin, if it is asked the same', async (t) => {
  const { watch, clock, down, next } = await watching(TWO)
  t.after(() => watch.stop())
  down.add('10.0.0.2')
  await clock.advance(5_000)
  const [since] = (await watch.report()).map((report) => report.since).slice(1)
  await next(one('[http://10.0.0.1, http://10.0.0.2]', '{ every: 5s, unhealthyAfter: 9 }'))
  assert.equal(watch.knowledge.down.length, 2)
  watch.settle()
  assert.deepEqual(
    (await watch.report()).map((report) => [report.state, report.since]),
    [
      ['up', undefined],
      ['down', since],
    ],
  )
  await next(one('http://10.0.0.2', '{ path: /other }'))
  watch.settle()
  assert.deepEqual(watch.knowledge.down, [])
})

test('another program that takes over knows what was drained, down and found, and forgets what it has no use for', async (t) => {
  const yaml = 'sites: { a.test: { upstream: { to: [http://10.0.0.1, http://10.0.0.2], health: { every: 1s } } } }'
  const { watch, clock, down } = await watching(yaml)
  t.after(() => watch.stop())
  down.add('10.0.0.2')
  await watch.drain('http://10.0.0.1:80')
  await clock.advance(5_000)
  const { config } = await loadGood(`acceptTerms: true\n${yaml}`)
  const state = JSON.parse(JSON.stringify(watch.state))
  const successor = new UpstreamWatch({
    ...{ clock, random: () => 0.5, log: new RecordingLog() },
    check: async () => undefined,
    onChange: () => {},
    reportTargets: async () => [],
  })
  t.after(() => successor.stop())
  successor.inherit({ ...state, addresses: { 'gone.test': ['10.0.0.9'] } })
  successor.prepare(config.sites)
  successor.settle()
  assert.deepEqual(successor.knowledge, watch.knowledge)
  assert.deepEqual(await successor.report(), await watch.report())
  await clock.advance(2_000)
  assert.deepEqual(successor.knowledge.down, [])
})

test('addresses of a name are kept for another config that has it, and let go with the last', async (t) => {
  const clock = new FakeClock()
  let lookups = 0
  const lookup: LookupFunction = (_name, _options, callback) => {
    lookups++
    callback(null, [{ address: '10.0.0.1', family: 4 }])
  }
  const watch = new UpstreamWatch({
    ...{ clock, random: () => 0.5, log: new RecordingLog(), lookup, check: async () => undefined },
    onChange: () => {},
    reportTargets: async () => [],
  })
  t.after(() => watch.stop())
  const sitesOf = async (upstream: string) =>
    (await loadGood(`sites: { a.test: { upstream: ${upstream} } }`)).config.sites
  watch.prepare(await sitesOf('{ to: http://app.test, resolve: all }'))
  watch.settle()
  await clock.advance(0)
  watch.prepare(await sitesOf('{ to: http://app.test:81, resolve: all }'))
  watch.settle()
  assert.deepEqual([watch.knowledge.addresses, lookups], [{ 'app.test': ['10.0.0.1'] }, 1])
  watch.prepare(await sitesOf('http://app.test'))
  watch.settle()
  await clock.advance(60_000)
  assert.deepEqual([watch.knowledge.addresses, lookups], [{}, 1])
})
