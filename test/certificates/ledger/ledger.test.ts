import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ledger, recallLimits } from '../../../src/certificates/ledger/ledger.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { MemoryStorage } from '../../fakes/memory-storage.ts'
import { RecordingLog } from '../../fakes/recording-log.ts'

const DAY = 86_400_000

class Machine {
  readonly clock = new FakeClock()
  readonly storage = new MemoryStorage()
  readonly log = new RecordingLog()
  ledger = new Ledger(this)

  async restart(): Promise<void> {
    this.ledger = new Ledger(this)
    await this.ledger.load()
  }

  order(name: string) {
    const authority = 'https://acme-v02.api.letsencrypt.org/directory'
    const exemptions = { isSuggested: false, isRenewal: false, needsAccount: false }
    return { authority, account: 'issuers/letsencrypt/account', names: [name], ...exemptions }
  }

  issue(name: string): void {
    const charge = this.ledger.limits.charge(this.order(name), this.clock.now())
    charge.placing(false, this.clock.now())
    charge.close(true, this.clock.now())
  }

  left(name: string): number[] {
    return this.ledger.limits.leftFor(this.order(name), this.clock.now()).map(({ left }) => left)
  }
}

test('what was spent is known after a restart, to the token', async () => {
  const machine = new Machine()
  for (let index = 0; index < 40; index++) machine.issue(`n${index}.shop.com`)
  await machine.ledger.save()
  const before = machine.left('n0.shop.com')
  assert.deepEqual(before, [260, 10, 4, 5])
  await machine.restart()
  assert.deepEqual(machine.left('n0.shop.com'), before)
  const recalled = await recallLimits(machine.storage, machine.clock.now())
  assert.deepEqual(
    recalled.leftFor(machine.order('n0.shop.com'), machine.clock.now()).map(({ left }) => left),
    before,
  )
})

test('nothing is left in the storage of what is over, once something else is written', async () => {
  const machine = new Machine()
  for (let index = 0; index < 3000; index++) machine.issue(`n${index}.com`)
  await machine.ledger.save()
  const pages = await machine.storage.list('ledger')
  assert.equal(pages.length, 256)
  await machine.clock.advance(8 * DAY)
  await machine.restart()
  assert.equal(machine.ledger.limits.size, 0)
  for (let index = 0; index < 1500; index++) {
    const charge = machine.ledger.limits.charge(machine.order(`n${index}.com`), machine.clock.now())
    charge.close(false, machine.clock.now())
  }
  await machine.ledger.save()
  assert.deepEqual(await machine.storage.list('ledger'), [])
})

test('a damaged page is set aside, and the others count', async () => {
  const machine = new Machine()
  machine.issue('a.com')
  await machine.ledger.save()
  const pages = await machine.storage.list('ledger')
  for (const value of [
    '{"authority":',
    '{}',
    '{"authority":"x","entries":{"sets a":{"fullAt":"1","until":0}}}',
    'null',
  ])
    await machine.storage.put(pages[0]!, Buffer.from(value)).then(async () => {
      await machine.restart()
      assert.equal((await machine.storage.list('ledger')).includes(pages[0]!), false, value)
    })
  assert.equal(machine.log.of('ledger-damaged').length, 4)
  assert.equal(machine.storage.aside.size, 4)
  assert.equal(machine.ledger.limits.size, pages.length - 1)
})

test('a storage that cannot be written keeps nothing from being ordered, is told of once, and is tried again', async () => {
  const machine = new Machine()
  machine.storage.fails = (operation) => operation === 'put'
  machine.issue('a.com')
  await machine.ledger.save()
  machine.issue('b.com')
  await machine.ledger.save()
  assert.equal(machine.log.of('ledger-not-stored').length, 1)
  machine.storage.fails = () => false
  await machine.ledger.save()
  await machine.restart()
  assert.deepEqual(machine.left('a.com'), [298, 49, 4, 5])
})
