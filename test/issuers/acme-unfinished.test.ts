import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { UnfinishedOrders } from '../../src/issuers/acme-unfinished.ts'
import { forgetOldOrders } from '../../src/issuers/forgotten-orders.ts'
import { generateKey } from '../../src/pki/keys.ts'
import { Refusal } from '../fake-ca/answer.ts'
import { DAY, HOUR, Life, MINUTE } from '../fake-ca/life.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

const PLACE = 'issuers/ca0/orders'

let life: Life
beforeEach(async () => {
  life = await Life.open()
})
afterEach(() => life.close())

/** A first order whose certificate exists, and cannot be downloaded. */
async function loseCertificate(): Promise<void> {
  life.ca.faults.set('certificate', 'internal error')
  await life.start()
  assert.deepEqual([life.ca.certificates.all.length, life.served.length], [1, 0])
  life.ca.faults.lift()
}

test('a certificate that could not be downloaded is downloaded with the next try, and no other is issued', async () => {
  await loseCertificate()
  await life.live(MINUTE)
  assert.deepEqual([life.ca.orders.all.length, life.served.length], [1, 1])
  assert.equal(life.log.of('order-resumed').length, 1)
  assert.deepEqual(await life.storage.list(PLACE), [])
})

test('so is it after a restart, and where the program was stopped before the answer came', async () => {
  await loseCertificate()
  await life.restart()
  await life.live(MINUTE)
  assert.deepEqual([life.ca.certificates.all.length, life.served.length], [1, 1])
})

test('each kind of key has an order of its own to go on with', async () => {
  life.ca.faults.set('certificate', 'internal error')
  await life.start({ sites: [{ keys: ['ecdsa-p256', 'ecdsa-p384'] }] })
  life.ca.faults.lift()
  assert.equal((await life.storage.list(PLACE)).length, 2)
  await life.live(MINUTE)
  assert.deepEqual([life.ca.certificates.all.length, life.served.length], [2, 2])
})

test('an order that the CA does not know any more is placed anew', async () => {
  await loseCertificate()
  life.ca.orders.forgetAll()
  await life.live(MINUTE)
  assert.deepEqual([life.ca.certificates.all.length, life.served.length], [2, 1])
})

test('a certificate that cannot be used is not asked for again: the next try has a new order and a new key', async () => {
  life.ca.certificates.chainOf = () => ''
  await life.start()
  assert.deepEqual(await life.storage.list(PLACE), [])
  life.ca.certificates.chainOf = undefined
  await life.live(MINUTE)
  const [first, second] = life.ca.certificates.all
  assert.ok(!first!.certificate.publicKey.equals(second!.certificate.publicKey))
  assert.equal(life.served.length, 1)
})

test('a request that the CA does not like is followed by one with another key, for the same order (RFC 8555 §7.4)', async () => {
  life.ca.orders.refusals.push(new Refusal('badCSR', 'The key is known to be compromised'))
  await life.start()
  assert.match(String((await life.attempt())?.reason), /“The key is known to be compromised” \(badCSR\)/)
  await life.live(MINUTE)
  const requests = life.ca.of('finalize').map(({ payload }) => payload?.csr)
  assert.equal(new Set(requests).size, 2)
  assert.deepEqual([life.ca.orders.all.length, life.served.length], [1, 1])
})

test('after two days nothing is gone on with', async () => {
  await loseCertificate()
  await life.certificates.stop()
  await life.clock.advance(2 * DAY + HOUR)
  await life.start()
  assert.deepEqual([life.ca.certificates.all.length, life.served.length], [2, 1])
})

test('an order of another account is none of this one', async () => {
  await loseCertificate()
  await life.storage.delete('issuers/ca0/account')
  await life.restart()
  await life.live(MINUTE)
  assert.deepEqual([life.ca.certificates.all.length, life.ca.accounts.byUrl.size, life.served.length], [2, 2, 1])
})

test('a record that is damaged is as good as none', async () => {
  for (const damage of ['', '{}', '[]', 'no JSON', '{"subject":"x","url":"y","privateKey":"z","at":1}']) {
    await loseCertificateOf(damage)
    await life.live(MINUTE)
    assert.deepEqual([life.ca.certificates.all.length, life.served.length], [2, 1], damage)
    await life.close()
    life = await Life.open()
  }
})

async function loseCertificateOf(damage: string): Promise<void> {
  await loseCertificate()
  const [key] = await life.storage.list(PLACE)
  await life.storage.put(key!, Buffer.from(damage))
}

test('a storage that does not take it costs no certificate, and is told', async () => {
  life.storage.fails = (operation, key) => operation === 'put' && key.startsWith(PLACE)
  await life.start()
  assert.equal(life.served.length, 1)
  assert.match(life.log.of('order-not-stored')[0]!.message, /The order for a\.test could not be written down/)
})

test('an order that nobody goes on with is forgotten with its key, and one that may still be is not', async () => {
  const [clock, storage, log] = [new FakeClock(), new MemoryStorage(), new RecordingLog()]
  const orders = new UnfinishedOrders('ca0', { clock, storage, log })
  const subject = {
    names: ['a.test'],
    keyKind: 'ecdsa-p256',
    mustStaple: false,
    profile: undefined,
    account: 'x',
  } as const
  const { privateKey } = await generateKey('ecdsa-p256')
  await orders.keep(subject, { url: 'https://ca.test/order/1', privateKey })
  await storage.put('issuers/ca0/account', Buffer.from('{}'))
  await clock.advance(2 * DAY)
  await forgetOldOrders(storage, { clock, log })
  assert.equal((await orders.find(subject))?.url, 'https://ca.test/order/1')
  await clock.advance(1)
  await forgetOldOrders(storage, { clock, log })
  assert.deepEqual(await storage.list('issuers'), ['issuers/ca0/account'])
  assert.equal(
    log.entries[0]!.message,
    'The order a.test@52dcf5eeb77a.ecdsa-p256 that was never ended is too old to go on with: it and its key are forgotten.',
  )
})
