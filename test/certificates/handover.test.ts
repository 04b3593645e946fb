import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CastellanError } from '../../src/errors.ts'
import { Machine, MINUTE } from './machine.ts'

// Other sites come and go while certificates are being ordered.

/** A machine whose CA takes an order and answers when it is told to. */
async function orderUnderWay(): Promise<{ machine: Machine; answer: () => void }> {
  const machine = new Machine()
  const { promise, resolve } = Promise.withResolvers<void>()
  machine.ca.before = ({ names }) => (names.includes('a.test') ? promise : Promise.resolve())
  await machine.start({})
  await machine.until(() => machine.ca.requests.length === 1)
  return { machine, answer: resolve }
}

function ordersFor(machine: Machine, name: string): number {
  return machine.ca.requests.filter(({ names }) => names.includes(name)).length
}

function isServed(machine: Machine, name: string): boolean {
  return machine.certificates.state.held.some(({ names }) => names.includes(name))
}

test('an order that is under way is neither lost nor doubled, and serves when it comes', async () => {
  const { machine, answer } = await orderUnderWay()
  const { handedOver } = await machine.change({}, { names: ['b.test'] })
  await machine.until(() => isServed(machine, 'b.test'))
  assert.equal(ordersFor(machine, 'a.test'), 1)
  assert.match(machine.certificates.state.waiting[0]!.reason, /^it is being ordered from ca since/)
  answer()
  await machine.until(() => isServed(machine, 'a.test'))
  await handedOver
  await machine.live(60 * MINUTE)
  assert.equal(ordersFor(machine, 'a.test'), 1)
  assert.ok(machine.states.at(-1)!.held.some(({ names }) => names.includes('a.test')))
  await machine.certificates.stop()
})

test('it may come after two changes, to the last of them', async () => {
  const { machine, answer } = await orderUnderWay()
  const changes = [await machine.change({}, { names: ['b.test'] }), await machine.change({}, { names: ['c.test'] })]
  await machine.until(() => isServed(machine, 'c.test'))
  answer()
  await machine.until(() => isServed(machine, 'a.test'))
  for (const { handedOver } of changes) await handedOver
  assert.equal(ordersFor(machine, 'a.test'), 1)
  assert.ok(!isServed(machine, 'b.test'))
  await machine.certificates.stop()
})

test('one that fails after a change counts as a failure, and waits like one', async () => {
  const { machine, answer } = await orderUnderWay()
  const { handedOver } = await machine.change({}, { names: ['b.test'] })
  machine.ca.answer = () => {
    throw new CastellanError('order-refused', 'no')
  }
  answer()
  await handedOver
  await machine.until(() => machine.certificates.report('a.test')[0]!.attempts?.failures === 1)
  machine.ca.answer = undefined
  await machine.live(30_000)
  assert.equal(ordersFor(machine, 'a.test'), 1)
  await machine.live(2 * MINUTE)
  assert.equal(ordersFor(machine, 'a.test'), 2)
  assert.ok(isServed(machine, 'a.test'))
  await machine.certificates.stop()
})

test('what nobody asks for any more is kept when it comes, and not served', async () => {
  const { machine, answer } = await orderUnderWay()
  const { handedOver } = await machine.change({ names: ['b.test'] })
  answer()
  await handedOver
  assert.ok(!isServed(machine, 'a.test'))
  await machine.change({}, { names: ['b.test'] })
  assert.ok(isServed(machine, 'a.test'), 'the storage has it')
  assert.equal(ordersFor(machine, 'a.test'), 1)
  await machine.certificates.stop()
})

test('what an operator waits for goes over, and what cannot be begun now begins there', async () => {
  const machine = new Machine()
  machine.ca.fail('not today')
  await machine.start({})
  await machine.untilLogged('certificate-failed')
  machine.certificates.rest()
  const [asked] = await machine.certificates.retry({ name: 'a.test' })
  machine.ca.recover()
  await machine.change({}, { names: ['b.test'] })
  assert.equal((await asked!.outcome).status, 'obtained')
  assert.ok(isServed(machine, 'a.test'))
  await machine.certificates.stop()
})

test('who rests is idle once what is under way has ended', async () => {
  const { machine, answer } = await orderUnderWay()
  machine.certificates.rest()
  let isIdle = false
  const idle = machine.certificates.idle().then(() => {
    isIdle = true
  })
  await machine.clock.advance(0)
  assert.equal(isIdle, false)
  answer()
  await idle
  assert.ok(isServed(machine, 'a.test'))
  await machine.certificates.stop()
})

test('who rests orders nothing, and goes on if nobody takes over', async () => {
  const machine = new Machine()
  machine.ca.fail('not today')
  await machine.start({})
  await machine.untilLogged('certificate-failed')
  machine.ca.recover()
  machine.certificates.rest()
  await machine.clock.advance(10 * MINUTE)
  assert.equal(ordersFor(machine, 'a.test'), 1)
  machine.certificates.resume()
  await machine.until(() => isServed(machine, 'a.test'))
  await machine.certificates.stop()
})
