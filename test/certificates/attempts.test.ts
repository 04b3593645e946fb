import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DAY, HOUR, Machine, MINUTE } from './machine.ts'

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

test('a certificate of two hours does not wait for a day, nor for 100 minutes', async () => {
  const machine = new Machine()
  machine.ca.lifetimeMs = 2 * HOUR
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const tries: number[] = []
  const issued = machine.clock.now()
  machine.ca.before = async () => {
    tries.push((machine.clock.now() - issued) / MINUTE)
    throw new Error('The CA said no.')
  }
  await machine.live(2 * HOUR)
  await machine.certificates.stop()
  const waits = tries.slice(1).map((at, index) => at - tries[index]!)
  // It was valid for some minutes before it was issued.
  assert.deepEqual(waits.slice(0, 3).map(Math.round), [1, 10, 21])
  assert.ok(tries.length >= 4 && tries.every((at) => at < 121), `${tries}`)
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

/** Numbers that would make waits of NaN, or times that no date can have. */
const nonsense = [
  { failures: -5, unfinished: 0, lastAt: 0, nextAt: 0, reason: '' },
  { failures: 1, unfinished: 0.5, lastAt: 0, nextAt: 0, reason: '' },
  { failures: 1, unfinished: 0, lastAt: -1, nextAt: 0, reason: '' },
  { failures: 1, unfinished: 0, lastAt: 0, nextAt: 0, reason: {} },
  { failures: 1, unfinished: 0, lastAt: 0, nextAt: 0, circumstances: 1 },
  { failures: 1, unfinished: 0, lastAt: 0, nextAt: 0, looks: -1 },
].map((attempt) => JSON.stringify({ looks: 0, reason: '', circumstances: '', ...attempt }))

test('a damaged memory of tries is set aside, and begins anew', async () => {
  const machine = new Machine()
  for (const damaged of ['{"failures":', 'null', '{"failures":1}', '[]', ...nonsense]) {
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

test('a clock that is set back by a year while we run delays nothing for longer than a day', async () => {
  const machine = new Machine()
  machine.aheadMs = 365 * DAY
  machine.ca.fail('no')
  await machine.start()
  await machine.untilLogged('certificate-failed')
  machine.aheadMs = 0
  machine.ca.recover()
  await machine.live(1.2 * DAY)
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.certificates.stop()
})

for (const [what, attempt] of [
  ['failed', { failures: 2, unfinished: 0, looks: 0, reason: 'ca: no', circumstances: 'ca:settings' }],
  ['was cut short', { failures: 0, unfinished: 5, looks: 0, reason: '', circumstances: 'ca:settings' }],
] as const)
  test(`what ${what} when the clock was years ahead is tried within a day, however often we are restarted`, async () => {
    const machine = new Machine()
    const ahead = machine.clock.now() + 3650 * DAY
    const remembered = { ...attempt, lastAt: ahead, nextAt: attempt.failures > 0 ? ahead + DAY : 0 }
    await machine.storage.put('attempts/a.test.ecdsa-p256', Buffer.from(JSON.stringify(remembered)))
    for (let hours = 0; hours < 30; hours += 6) {
      await machine.start()
      await machine.live(6 * HOUR)
      await machine.certificates.stop()
    }
    assert.equal(machine.ca.requests.length, 1)
  })

test('a memory that cannot be written keeps nothing from being ordered', async () => {
  const machine = new Machine()
  machine.storage.fails = (operation, key) => operation !== 'get' && key.startsWith('attempts/')
  await machine.start()
  await machine.untilLogged('certificate-issued')
  assert.ok(machine.log.of('attempt-not-stored').length > 0)
  await machine.certificates.stop()
})

test('a program that is stopped in the middle of its orders again and again asks ever more rarely', async () => {
  const machine = new Machine()
  machine.ca.before = (_request, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const restart = async (): Promise<number> => {
    const before = machine.ca.requests.length
    await machine.start()
    await machine.clock.advance(0)
    await machine.certificates.stop()
    return machine.ca.requests.length - before
  }
  assert.deepEqual([await restart(), await restart(), await restart(), await restart()], [1, 1, 0, 0])
  assert.equal(machine.log.of('certificate-failed').length, 0)
  await machine.clock.advance(61_000)
  assert.deepEqual([await restart(), await restart()], [1, 0])
  await machine.clock.advance(9 * MINUTE)
  assert.equal(await restart(), 0)
  await machine.clock.advance(2 * MINUTE)
  assert.equal(await restart(), 1)
})

for (const [what, settings, issuers] of [
  ['settings', 'repaired', ['ca']],
  ['issuers', 'settings', ['second']],
] as const)
  test(`other ${what} are tried at once, whatever the former ones met`, async () => {
    const machine = new Machine()
    machine.ca.fail('That key is wrong.', DAY)
    await machine.start()
    await machine.untilLogged('certificate-failed')
    await machine.certificates.stop()
    machine.ca.recover()
    machine.ca.settings = settings
    await machine.start({ issuersFor: () => issuers })
    await machine.untilLogged('certificate-issued')
    assert.deepEqual(await machine.storage.list('attempts'), [])
    await machine.certificates.stop()
  })

const dual = { keys: ['ecdsa-p256', 'rsa-2048'] as const }

test('what the CA has against the names is not met a second time with the other key', async () => {
  const machine = new Machine()
  machine.ca.refuseNames()
  await machine.start(dual)
  await machine.untilLogged('certificate-failed')
  await machine.live(59_000)
  assert.equal(machine.ca.requests.length, 1)
  assert.match(machine.log.of('certificate-failed')[0]!.message, /So long the rsa-2048 one is not ordered either\./)
  const waiting = machine.certificates.state.waiting.map(({ reason }) => reason)
  assert.equal(waiting.length, 2)
  for (const reason of waiting)
    assert.match(reason, /the last try failed \(ca: nobody answers there\) and the next is at/)
  await machine.live(3 * 60 * MINUTE)
  assert.equal(machine.ca.requests.length, 4)
  machine.ca.recover()
  await machine.live(1.2 * DAY)
  assert.equal(machine.certificates.state.held.length, 2)
  assert.deepEqual(await machine.storage.list('attempts'), [])
  await machine.certificates.stop()
})

test('what is not about the names keeps no other key from being tried', async () => {
  const machine = new Machine()
  machine.ca.before = async ({ keyKind }) => {
    if (keyKind === 'ecdsa-p256') throw new Error('such a key is not taken')
  }
  await machine.start(dual)
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.certificates.stop()
})

test('a failed renewal of one key puts off no other that is good', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  machine.ca.refuseNames()
  await machine.start(dual)
  await machine.untilLogged('certificate-failed')
  assert.deepEqual(await machine.storage.list('attempts'), ['attempts/a.test.rsa-2048'])
  await machine.certificates.stop()
})

test('what is plainly hopeless costs no retry: it is looked at again soon, and after an hour the CA is asked all the same', async () => {
  const machine = new Machine()
  const insistent: number[] = []
  const started = machine.clock.now()
  machine.ca.before = async ({ isInsistent }) => {
    if (isInsistent) insistent.push((machine.clock.now() - started) / MINUTE)
    const properties = { concernsNames: true, isForesight: !isInsistent }
    throw Object.assign(new Error('a.test leads nowhere'), properties)
  }
  await machine.start(dual)
  await machine.untilLogged('certificate-failed')
  await machine.live(59 * MINUTE)
  assert.equal(machine.ca.requests.length, 12)
  assert.deepEqual(insistent, [])
  await machine.certificates.stop()
  await machine.start(dual)
  await machine.live(15 * MINUTE)
  assert.deepEqual(insistent, [60, 61, 71])
  machine.ca.recover()
  await machine.live(3 * HOUR)
  assert.equal(machine.certificates.state.held.length, 2)
  await machine.certificates.stop()
})
