import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isBareLeaf } from '../../src/certificates/bare-leaf.ts'
import { parseChain } from '../../src/pki/certificate.ts'
import { StapledAuthority } from '../pki/stapled-authority.ts'
import { DAY, Machine } from './machine.ts'

test('a leaf alone is bare unless an authority that is known has signed it', async () => {
  const times = { notBefore: Date.now() - DAY, notAfter: Date.now() + DAY }
  const ca = await StapledAuthority.create(times)
  const { chain } = await ca.issue({ names: ['a.test'], ...times })
  const [leaf, ...issuers] = parseChain(chain)
  const root = ca.root.certificate.x509.toString()
  assert.ok(issuers.length > 0)
  assert.equal(
    isBareLeaf([leaf, ...issuers], () => []),
    false,
  )
  assert.equal(
    isBareLeaf([leaf], () => ['not PEM', root]),
    false,
  )
  assert.equal(
    isBareLeaf([leaf], () => []),
    true,
  )
  assert.equal(isBareLeaf([leaf]), true)
})

test('a CA that gives its certificates alone is named once, and they serve', async () => {
  const machine = new Machine()
  machine.ca.accountFor = () => 'issuers/ca/account'
  machine.ca.answer = ({ chain, ...issued }) => ({
    ...issued,
    chain: chain.split(/(?<=-----END CERTIFICATE-----\n)/)[0]!,
  })
  await machine.start({}, { names: ['b.test'] })
  await machine.untilLogged('certificate-issued', 2)
  const [said, ...more] = machine.log.of('chain-bare')
  assert.equal(said!.level, 'warn')
  assert.match(
    said!.message,
    /^ca gave the ecdsa-p256 certificate for [ab]\.test alone, without a certificate of its issuer/,
  )
  assert.deepEqual(more, [])
  await machine.certificates.stop()
})
