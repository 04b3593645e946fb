import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

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
  assert.deepEqual(await machine.storage.list(''), ['ca-facts/ca', 'certificates/a.test.ecdsa-p256'])
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

test('a CA that hangs keeps no other from being asked', async () => {
  const machine = new Machine()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const stuck = Array.from({ length: 8 }, (_, index) => ({ names: [`n${index}.test`] }))
  await machine.start(...stuck, { names: ['other.test'], issuersFor: () => ['second'] })
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.ca.requests.length, 5)
  await machine.certificates.stop()
})

test('what has been due for longest is begun first', async () => {
  const machine = new Machine()
  const names = Array.from({ length: 8 }, (_, index) => `n${index}.test`)
  machine.ca.lifetimeMs = 30 * DAY
  await machine.start(...names.map((name) => ({ names: [name] })))
  await machine.untilLogged('certificate-issued', 8)
  const due = machine.log
    .of('certificate-issued')
    .map(({ facts }) => [String(facts.renewAt), String((facts.names as string[])[0])] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, name]) => name)
  await machine.certificates.stop()
  await machine.clock.advance(25 * DAY)
  machine.ca.requests.length = 0
  await machine.start(...names.map((name) => ({ names: [name] })))
  await machine.untilLogged('certificate-renewed', 8)
  assert.deepEqual(
    machine.ca.requests.map((request) => request.names[0]),
    due,
  )
  await machine.certificates.stop()
})

test('another CA under the same name is asked at once, and the former certificate serves until it delivers', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const [before] = machine.certificates.state.held
  await machine.certificates.stop()
  machine.ca.authority = 'https://production.test/directory'
  machine.ca.fail('not yet')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  assert.match(
    machine.log.of('certificate-requested')[0]!.message,
    /ca was another CA then: https:\/\/ca\.test\/directory/,
  )
  assert.deepEqual(machine.certificates.state.held, [before])
  machine.ca.recover()
  await machine.live(2 * MINUTE)
  assert.notDeepEqual(machine.certificates.state.held, [before])
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

test('stopping gives up the order under way, which is not a failure', async () => {
  const machine = new Machine()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  await machine.start()
  await machine.until(() => machine.ca.requests.length === 1)
  await machine.certificates.stop()
  assert.equal(machine.log.of('certificate-failed').length, 0)
  machine.ca.recover()
  await machine.start()
  await machine.until(() => machine.certificates.state.held.length === 1)
  await machine.certificates.stop()
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

test('what a name waits for is told anew when its order begins, fails, and begins again', async () => {
  const machine = new Machine()
  const gate = Promise.withResolvers<void>()
  machine.ca.before = () => gate.promise
  await machine.start()
  await machine.until(() => machine.states.length === 1)
  assert.equal(machine.states.at(-1)!.waiting[0]!.reason, 'it is being ordered from ca since 2026-11-24T12:00:00Z')
  gate.reject(new Error('closed'))
  await machine.untilLogged('certificate-failed')
  assert.equal(
    machine.states.at(-1)!.waiting[0]!.reason,
    'the last try failed (ca: closed) and the next is at 2026-11-24T12:01:00Z',
  )
  const again = Promise.withResolvers<void>()
  machine.ca.before = () => again.promise
  await machine.clock.advance(MINUTE)
  assert.equal(
    machine.states.at(-1)!.waiting[0]!.reason,
    'it is being ordered from ca since 2026-11-24T12:01:00Z, after the last try failed (ca: closed)',
  )
  again.resolve()
  await machine.untilLogged('certificate-issued')
  assert.deepEqual(machine.states.at(-1)!.waiting, [])
  await machine.certificates.stop()
})

test('what is issued while we stop is stored, and not ordered again', async () => {
  const machine = new Machine()
  const gate = Promise.withResolvers<void>()
  machine.ca.before = () => gate.promise
  await machine.start()
  await machine.until(() => machine.ca.requests.length === 1)
  const stopped = machine.certificates.stop()
  gate.resolve()
  await stopped
  await machine.start()
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.live(DAY)
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('what nothing wants any more is neither served nor deleted', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  await machine.start({ names: ['b.test'] })
  await machine.untilLogged('certificate-issued')
  assert.deepEqual(
    machine.certificates.state.held.flatMap(({ names }) => names),
    ['b.test'],
  )
  assert.equal((await machine.storage.list('certificates')).length, 2)
  await machine.certificates.stop()
})

test('200 names that were issued within a day are renewed over several days', async () => {
  const machine = new Machine()
  await machine.start({ names: Array.from({ length: 200 }, (_, index) => `n${index}.test`), grouping: 'perName' })
  await machine.untilLogged('certificate-issued', 200)
  const days = new Map<number, number>()
  for (let day = 0; day < 61; day++) {
    const before = machine.log.of('certificate-renewed').length
    await machine.live(DAY)
    days.set(day, machine.log.of('certificate-renewed').length - before)
  }
  assert.equal(machine.log.of('certificate-renewed').length, 200)
  assert.ok(Math.max(...days.values()) < 100, `${[...days]}`)
  assert.ok([...days.values()].filter((count) => count > 0).length >= 4, `${[...days]}`)
  await machine.certificates.stop()
})
