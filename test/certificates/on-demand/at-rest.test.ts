import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withNamesAtRest } from '../../../src/certificates/on-demand/at-rest.ts'
import type { Issuer } from '../../../src/issuers/issuer.ts'
import { HOUR, Premises } from './premises.ts'

test('an operator sees and renews names that are at rest, too, by their names alone', async (t) => {
  const it = new Premises()
  await it.start()
  t.after(() => it.stop())
  const site = { site: '*', keys: ['ecdsa-p256'] as const, mustStaple: false, issuersFor: () => ['ca'] }
  const issuers = new Map<string, Issuer>([['ca', it.ca]])
  const { clock, storage, onDemand: names, certificates } = it
  const hand = withNamesAtRest(certificates, { names, site, issuers, clock, storage })
  for (const name of ['a.test', 'b.test']) await it.want(name)
  await clock.advance(3 * HOUR)
  await it.want('b.test')
  assert.deepEqual(await hand.countOnDemand(), { names: 2, inUse: 1 })
  assert.deepEqual(await hand.report(), [])
  for (const name of ['a.test', 'A.test', 'b.test']) {
    const [report, ...others] = await hand.report(name)
    assert.deepEqual(others, [])
    assert.deepEqual([report!.names, report!.step.type, report!.held?.chain?.length], [[name.toLowerCase()], 'keep', 0])
  }
  assert.equal(names.inUse, 1, 'to look takes nothing up')
  await assert.rejects(hand.report('c.test'), { code: 'certificate-unknown' })
  await assert.rejects(hand.renew('c.test'), { code: 'certificate-unknown' })

  const [asked] = await hand.renew('a.test')
  await it.until(() => it.ca.requests.length === 3)
  assert.equal((await asked!.outcome).status, 'obtained')
  const [tried] = await hand.retry({ name: 'b.test' })
  assert.equal((await tried!.outcome).status, 'not-due')
})

test('where no name is on demand, nothing is different', async (t) => {
  const it = new Premises()
  await it.start()
  t.after(() => it.stop())
  const hand = withNamesAtRest(it.certificates, undefined)
  assert.equal(await hand.countOnDemand(), undefined)
  assert.deepEqual(await hand.retry('all'), [])
  await assert.rejects(hand.report('a.test'), { code: 'certificate-unknown' })
  await assert.rejects(hand.renew('a.test'), { code: 'certificate-unknown' })
})
