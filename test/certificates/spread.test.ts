import assert from 'node:assert/strict'
import { test } from 'node:test'
import { busiestDay, EarlyRenewals, recallEarly, spreadOut } from '../../src/certificates/spread.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { seededRandom } from '../fakes/seeded-random.ts'
import { DAY, HOUR, Machine } from './machine.ts'

const NOW = Date.parse('2026-11-24T12:00:00Z')

test('a bulk start is spread evenly over all days until then, and nothing comes later than before', () => {
  const before = Array.from({ length: 600 }, (_, index) => NOW + 59 * DAY + index * 60_000)
  const after = spreadOut(before, NOW, seededRandom(1))
  assert.deepEqual(busiestDay(before, NOW), { most: 600, days: 60 })
  assert.deepEqual(busiestDay(after, NOW), { most: 10, days: 60 })
  assert.ok(after.every((at, index) => at <= before[index]! && at >= NOW && Number.isInteger(at)))
  const firstTen = after.slice(0, 10).map((at) => Math.floor((at - NOW) / DAY))
  assert.ok(new Set(firstTen).size > 7, 'what was issued together does not stay together')
})

test('what is even already stays where it is', () => {
  const before = Array.from({ length: 60 }, (_, day) => NOW + day * DAY + HOUR)
  const after = spreadOut(before, NOW, seededRandom(2))
  assert.deepEqual(busiestDay(after, NOW), { most: 1, days: 60 })
  assert.ok(after.every((at, index) => Math.abs(at - before[index]!) < DAY))
})

test('a straggler far behind the others does not bring them all to the first day', () => {
  const bulk = Array.from({ length: 300 }, () => NOW + 29 * DAY + HOUR)
  const after = spreadOut([...bulk, NOW + 99 * DAY], NOW, seededRandom(6))
  assert.equal(busiestDay(after, NOW).most, 10)
})

test('only what is too much goes earlier', () => {
  const early = Array.from({ length: 10 }, () => NOW + 2 * DAY + HOUR)
  const late = Array.from({ length: 110 }, () => NOW + 11 * DAY + HOUR)
  const after = spreadOut([...early, ...late], NOW, seededRandom(3))
  assert.ok(busiestDay(after, NOW).most <= 10)
  assert.deepEqual(spreadOut([], NOW, seededRandom(4)), [])
  assert.equal(spreadOut([NOW + HOUR], NOW, seededRandom(5)).length, 1)
})

test('what was spread out is kept over restarts, for that certificate alone; what is damaged is set aside', async () => {
  const surroundings = { storage: new MemoryStorage(), log: new RecordingLog() }
  const early = new EarlyRenewals(surroundings)
  await early.replace(new Map([['a', { fingerprint: 'f', renewAt: 5 }]]))
  const after = new EarlyRenewals(surroundings)
  await after.load()
  assert.equal(after.of('a', 'f'), 5)
  assert.equal(after.of('a', 'g'), undefined)
  assert.equal(await recallEarly(surroundings.storage, 'a', 'f'), 5)
  assert.equal(await recallEarly(surroundings.storage, 'b', 'f'), undefined)
  const [page] = await surroundings.storage.list('spread')
  await surroundings.storage.put(page!, Buffer.from('{"a":{"fingerprint":1}}'))
  const anew = new EarlyRenewals(surroundings)
  await anew.load()
  assert.equal(anew.of('a', 'f'), undefined)
  assert.equal(surroundings.log.of('spread-damaged').length, 1)
  await after.replace(new Map())
  assert.deepEqual(await surroundings.storage.list('spread'), [])
})

test('a bulk start that was spread out renews each day its share, over a restart, and from then on so', async () => {
  const machine = new Machine()
  machine.ca.lifetimeMs = 30 * DAY
  const sites = Array.from({ length: 20 }, (_, index) => ({ names: [`n${index}.test`] }))
  await machine.start(...sites)
  await machine.untilLogged('certificate-issued', 20)
  const random = seededRandom(7)
  Object.defineProperty(machine, 'random', { get: random })
  const spread = await machine.certificates.spread()
  assert.equal(spread.renewals, 20)
  // Each certificate has its own moment within a day and a half.
  assert.ok(spread.days === 19 || spread.days === 20, JSON.stringify(spread))
  assert.ok(spread.most <= 2 && spread.mostBefore >= 7 && spread.moved >= 10, JSON.stringify(spread))
  await machine.certificates.stop()
  await machine.start(...sites)
  const step = machine.certificates.report()[0]!.step
  assert.ok(step.type === 'keep' && /is spread out|lifetime is left/.test(step.because))
  let most = 0
  for (let day = 0; day < 20; day++) {
    const before = machine.log.of('certificate-renewed').length
    await machine.live(DAY)
    most = Math.max(most, machine.log.of('certificate-renewed').length - before)
  }
  assert.equal(new Set(machine.log.of('certificate-renewed').map(({ facts }) => facts.certificate)).size, 20)
  assert.ok(most <= 4, `${most} in one day`)
  await machine.certificates.stop()
})
