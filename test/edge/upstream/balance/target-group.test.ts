import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BalancingSnapshot, UpstreamConditions } from '../../../../src/edge/snapshot.ts'
import { Sweep } from '../../../../src/edge/sweep.ts'
import { checkIdOf, peersOf } from '../../../../src/edge/upstream/balance/peers.ts'
import type { Target } from '../../../../src/edge/upstream/balance/target.ts'
import { TargetGroup } from '../../../../src/edge/upstream/balance/target-group.ts'
import { RecordingLog } from '../../../fakes/recording-log.ts'
import { seededRandom } from '../../../fakes/seeded-random.ts'
import { plainBalancing, upstreamOf } from '../../serve.ts'
import { noPool, requestWith } from './targets.ts'

const NOTHING: UpstreamConditions = { workers: 1, cookieKey: '', down: [], drained: [], addresses: {} }
const HEALTH = {
  ...{ path: '/', host: undefined, status: undefined, everyMs: 1_000, timeoutMs: 1_000 },
  ...{ healthyAfter: 1, unhealthyAfter: 1 },
}

/** A group of so many targets, at a time that the test moves. */
function groupOf(count: number, settings: Partial<BalancingSnapshot> = {}) {
  const clock = { now: 100_000 }
  const sweep = new Sweep(() => clock.now)
  const addresses = Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}`)
  const upstream = upstreamOf(
    { scheme: 'http', host: addresses[0]!, port: 80 },
    {
      targets: addresses.map((host) => ({ address: { scheme: 'http', host, port: 80 }, weight: 1 })),
      balancing: { ...plainBalancing, balance: { by: 'roundRobin' }, ...settings },
    },
  )
  const log = new RecordingLog()
  const pools = { open: [] as string[] }
  const nameOf = ({ address }: { address: object }): string => ('host' in address ? String(address.host) : '')
  const group = new TargetGroup({
    upstream,
    conditions: NOTHING,
    pools: {
      acquire: (peer) => {
        pools.open.push(nameOf(peer))
        return { ...noPool }
      },
      release: (peer) => void pools.open.splice(pools.open.indexOf(nameOf(peer)), 1),
    },
    sweep,
    restartClock: { now: () => clock.now, after: () => {} },
    random: seededRandom(1),
    log,
  })
  const advance = (ms: number): void => {
    clock.now += ms
    sweep.run()
  }
  const choose = (tried: readonly Target[] = []): string => {
    const chosen = group.choose({ ...requestWith(), tried })
    return typeof chosen === 'string' ? chosen : nameOf(chosen.peer)
  }
  const idsOf = (...indexes: number[]): string[] =>
    indexes.map((index) => checkIdOf(peersOf(upstream, {})[index]!.peer, upstream.balancing.health!))
  return { group, log, advance, choose, idsOf, pools }
}

const failThrice = (group: TargetGroup, target: Target): void => {
  for (let each = 0; each < 3; each++) group.failed(target)
}

test('a target that fails again and again is left out, until its rest is over', () => {
  const { group, log, advance, choose } = groupOf(2)
  const [first] = group.targets
  failThrice(group, first!)
  assert.deepEqual([choose(), choose(), choose()], ['10.0.0.2', '10.0.0.2', '10.0.0.2'])
  assert.equal(log.of('upstream-left-out').length, 1)
  advance(1_000)
  const chosen = Array.from({ length: 30 }, () => choose())
  assert.ok(chosen.filter((each) => each === '10.0.0.1').length >= 1)
  assert.ok(chosen.filter((each) => each === '10.0.0.1').length <= 6)
})

test('if all fail, to try is better than to refuse; but not where the checks say that it is down', () => {
  const { group, choose, idsOf } = groupOf(2, { health: HEALTH })
  for (const target of group.targets) failThrice(group, target)
  assert.notEqual(choose(), choose())
  group.change({ ...NOTHING, down: idsOf(0) })
  assert.deepEqual([choose(), choose()], ['10.0.0.2', '10.0.0.2'])
  group.change({ ...NOTHING, down: idsOf(0, 1) })
  assert.equal(choose(), 'none')
})

test('a drained target gets no request, the only one neither', () => {
  const { group, choose } = groupOf(2)
  group.change({ ...NOTHING, drained: ['http://10.0.0.1:80'] })
  assert.deepEqual([choose(), choose()], ['10.0.0.2', '10.0.0.2'])
  const single = groupOf(1)
  assert.equal(single.choose(), '10.0.0.1')
  single.group.change({ ...NOTHING, drained: ['http://10.0.0.1:80'] })
  assert.equal(single.choose(), 'none')
  single.group.change(NOTHING)
  assert.equal(single.choose(), '10.0.0.1')
})

test('a request goes to no target twice, and retries stay within their budget', () => {
  const { group, choose } = groupOf(2)
  const [first, second] = group.targets
  assert.equal(choose([first!]), '10.0.0.2')
  assert.equal(group.chooseAgain({ ...requestWith(), tried: [first!, second!] }), undefined)
  for (let each = 0; each < 10; each++) assert.equal(group.chooseAgain({ ...requestWith(), tried: [first!] }), second)
  assert.equal(group.chooseAgain({ ...requestWith(), tried: [first!] }), undefined)
})

test('when all are full, requests wait, and each gets the first place that is free', () => {
  const { group, choose } = groupOf(2, { concurrency: { concurrent: 1, queue: 1, waitMs: 5_000 } })
  assert.deepEqual([choose(), choose(), choose()], ['10.0.0.1', '10.0.0.2', 'full'])
  const told: string[] = []
  const waiter = { onTurn: () => void told.push(choose()), onWaitedInVain: () => void told.push('in vain') }
  assert.equal(group.wait(waiter), true)
  assert.equal(group.wait({ ...waiter }), false)
  group.release(group.targets[1]!)
  assert.deepEqual(told, ['10.0.0.2'])
  assert.equal(choose(), 'full')
})

test('who waits for a place is called, too, when a target comes back, and gives up after its time', () => {
  const settings = { concurrency: { concurrent: 1, queue: 9, waitMs: 5_000 }, health: HEALTH }
  const { group, choose, advance, idsOf } = groupOf(2, settings)
  group.change({ ...NOTHING, down: idsOf(1) })
  assert.deepEqual([choose(), choose()], ['10.0.0.1', 'full'])
  const told: string[] = []
  const waiter = (): { onTurn(): void; onWaitedInVain(): void } => ({
    onTurn: () => void told.push(choose()),
    onWaitedInVain: () => void told.push('in vain'),
  })
  for (let each = 0; each < 2; each++) group.wait(waiter())
  group.change(NOTHING)
  assert.deepEqual(told, ['10.0.0.2'])
  advance(6_000)
  assert.deepEqual(told, ['10.0.0.2', 'in vain'])
})

test('a client comes back to the target that its cookie names, unless that is out, failing or full', () => {
  const { group } = groupOf(3, { sticky: 'at', concurrency: { concurrent: 2, queue: 0, waitMs: 1_000 } })
  const [, second] = group.targets
  const request = requestWith(['Cookie', `at=${second!.cookie}`])
  assert.deepEqual([group.choose(request), group.choose(request)], [second, second])
  assert.notEqual(group.choose(request), second)
  group.release(second!)
  group.change({ ...NOTHING, drained: ['http://10.0.0.2:80'] })
  assert.notEqual(group.choose(request), second)
})

test('a name each of whose addresses counts is one target until it is resolved; those that stay keep their state', () => {
  const { group, choose, pools } = groupOf(1, { everyAddress: true })
  assert.equal(choose(), '10.0.0.1')
  const change = (...addresses: string[]): void => group.change({ ...NOTHING, addresses: { '10.0.0.1': addresses } })
  change('192.0.2.1', '192.0.2.2')
  const stays = group.targets[1]!
  assert.deepEqual(pools.open, ['192.0.2.1', '192.0.2.2'])
  change('192.0.2.2', '192.0.2.3')
  assert.equal(group.targets[0], stays)
  assert.deepEqual(pools.open, ['192.0.2.2', '192.0.2.3'])
  assert.equal(stays.peer.tls.serverName, '10.0.0.1')
})

test('a target that its checks find well again comes back slowly', () => {
  const { group, choose, idsOf, advance } = groupOf(2, { health: HEALTH })
  group.change({ ...NOTHING, down: idsOf(0) })
  advance(10_000)
  group.change(NOTHING)
  const chosen = Array.from({ length: 30 }, () => choose())
  assert.ok(chosen.filter((each) => each === '10.0.0.1').length <= 4)
})

test('while all have just gone down one may wait for them, and is called when one comes back', () => {
  const { group, choose, advance, idsOf } = groupOf(2, { health: HEALTH })
  group.change({ ...NOTHING, down: idsOf(0) })
  advance(29_000)
  group.change({ ...NOTHING, down: idsOf(0, 1) })
  advance(29_000)
  assert.deepEqual([choose(), group.mayReturn], ['none', true])
  const told: string[] = []
  const refusedUntil = group.restartLine.now + 3_000
  group.restartLine.join({
    refusedUntil,
    onTryAgain: () => void told.push(choose()),
    onStillRefused: () => void told.push('in vain'),
  })
  group.change({ ...NOTHING, down: idsOf(0) })
  assert.deepEqual(told, ['10.0.0.2'])
})

test('nobody waits for those that have been down for long, or that an operator drains', () => {
  const { group, advance, idsOf } = groupOf(2, { health: HEALTH })
  group.change({ ...NOTHING, down: idsOf(0), drained: ['http://10.0.0.2:80'] })
  assert.equal(group.mayReturn, true)
  advance(30_000)
  assert.equal(group.mayReturn, false)
  group.change({ ...NOTHING, drained: ['http://10.0.0.1:80', 'http://10.0.0.2:80'] })
  assert.equal(group.mayReturn, false)
})
