import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { HealthSnapshot } from '../../../src/edge/snapshot.ts'
import { createHealthCheck } from '../../../src/supervisor/upstreams/health-check.ts'
import { type Checked, HealthChecks } from '../../../src/supervisor/upstreams/health-checks.ts'
import { HealthState } from '../../../src/supervisor/upstreams/health-state.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { peerOf } from '../../edge/serve.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

const HEALTH: HealthSnapshot = {
  path: '/healthz',
  host: undefined,
  status: undefined,
  everyMs: 10_000,
  timeoutMs: 2_000,
  healthyAfter: 2,
  unhealthyAfter: 3,
}

test('it takes so many checks in a row to change what a target is', () => {
  const state = new HealthState({ healthyAfter: 2, unhealthyAfter: 3 })
  const trace = (found: string): string =>
    [...found].map((each) => (state.note(each === '+') ? (state.isUp ? 'U' : 'D') : '.')).join('')
  assert.equal(trace('+--+--+---'), '.........D')
  assert.equal(trace('-+-+--++'), '.......U')
  assert.equal(trace('+-+'), '...')
})

/** Checks of one target, whose answers the test gives. */
function checksOf(answers: (string | undefined)[]) {
  const clock = new FakeClock()
  const log = new RecordingLog()
  const asked: number[] = []
  let changes = 0
  const checks = new HealthChecks({
    check: async () => {
      asked.push(clock.now())
      return answers.length > 1 ? answers.shift() : answers[0]
    },
    clock,
    random: () => 0.5,
    log,
    onChange: () => changes++,
  })
  const peer = peerOf({ scheme: 'http', host: '10.0.0.1', port: 80 })
  checks.use(new Map<string, Checked>([['one', { peer, health: HEALTH }]]))
  return { clock, log, asked, checks, changes: () => changes }
}

test('a target that fails is down, and up again later, which is said once each', async (t) => {
  const bad = 'It answered 500 to /healthz.'
  const { clock, log, checks, changes } = checksOf([undefined, bad, bad, bad, bad, undefined, undefined, undefined])
  t.after(() => checks.stop())
  await clock.advance(25_000)
  assert.deepEqual([checks.down, changes()], [[], 0])
  await clock.advance(10_000)
  assert.deepEqual([checks.down, changes()], [['one'], 1])
  assert.equal(checks.standings[0]?.why, bad)
  await clock.advance(100_000)
  assert.deepEqual([checks.down, changes()], [[], 2])
  assert.deepEqual([log.of('upstream-down').length, log.of('upstream-up').length], [1, 1])
  assert.match(log.of('upstream-down')[0]!.message, /3 checks in a row failed\. It answered 500 to \/healthz\.$/)
})

test('one that has just gone down is asked every half second, until it is well or that has lasted for half a minute', async (t) => {
  const { clock, asked, checks } = checksOf(['bad'])
  t.after(() => checks.stop())
  await clock.advance(20_500)
  assert.deepEqual([checks.down, asked.length], [['one'], 3])
  const downAt = asked.at(-1)!
  await clock.advance(60_000)
  const later = asked.slice(3).map((at) => at - downAt)
  assert.deepEqual(later.slice(0, 3), [500, 1_000, 1_500])
  assert.deepEqual(later.slice(-5), [29_500, 30_000, 40_000, 50_000, 60_000])
  const back = checksOf(['bad', 'bad', 'bad', undefined])
  t.after(() => back.checks.stop())
  await back.clock.advance(21_000)
  assert.deepEqual([back.checks.down, back.asked.length], [['one'], 4])
  await back.clock.advance(9_000)
  assert.deepEqual([back.checks.down, back.asked.length], [['one'], 4])
  await back.clock.advance(1_000)
  assert.deepEqual([back.checks.down, back.asked.length], [[], 5])
})

test('a target is asked every so often, and no more once it is none', async () => {
  const { clock, asked, checks } = checksOf([undefined])
  await clock.advance(35_000)
  const [first] = asked
  assert.deepEqual(
    asked.map((at) => at - first!),
    [0, 10_000, 20_000, 30_000],
  )
  checks.use(new Map())
  await clock.advance(35_000)
  assert.equal(asked.length, 4)
  assert.equal(clock.sleeping, 0)
})

/** What a check finds of an application that answers so. */
async function findingOf(t: TestContext, answer: RequestListener, health: Partial<HealthSnapshot> = {}) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const peer = peerOf({ scheme: 'http', host: '127.0.0.1', port })
  const finding = await createHealthCheck(systemClock)(peer, { ...HEALTH, ...health }, new AbortController().signal)
  return { finding, port }
}

test('a check asks for the path, by the address or the host that is set', async (t) => {
  const seen: unknown[] = []
  const note: RequestListener = ({ method, url, headers }, response) => {
    seen.push(method, url, headers.host)
    response.end()
  }
  const { finding, port } = await findingOf(t, note)
  assert.equal(finding, undefined)
  await findingOf(t, note, { host: 'app.test' })
  assert.deepEqual(seen, ['GET', '/healthz', `127.0.0.1:${port}`, 'GET', '/healthz', 'app.test'])
})

test('200 to 399 are well, unless one status is', async (t) => {
  const answering =
    (status: number): RequestListener =>
    (_, response) =>
      void response.writeHead(status).end()
  for (const [status, wanted, finding] of [
    [204, undefined, undefined],
    [302, undefined, undefined],
    [404, undefined, 'It answered 404 to /healthz.'],
    [503, undefined, 'It answered 503 to /healthz.'],
    [404, 404, undefined],
    [200, 204, 'It answered 200 to /healthz.'],
  ] as const)
    assert.equal((await findingOf(t, answering(status), { status: wanted })).finding, finding)
})

test('one that says nothing in time, closes, or is not there is not well', async (t) => {
  const silent = await findingOf(t, () => {}, { timeoutMs: 50 })
  assert.equal(silent.finding, 'It did not answer within 0.05 s.')
  const closing = await findingOf(t, (request) => void request.socket.destroy())
  assert.match(closing.finding ?? '', /gave no usable response/)
  const gone = createNetServer()
  await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
  const { port } = gone.address() as AddressInfo
  await new Promise((resolve) => gone.close(resolve))
  const peer = peerOf({ scheme: 'http', host: '127.0.0.1', port })
  const finding = await createHealthCheck(systemClock)(peer, HEALTH, new AbortController().signal)
  assert.match(finding ?? '', /nothing listens there \(ECONNREFUSED\)/)
})
