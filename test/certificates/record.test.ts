import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpack } from '../../src/certificates/packed-certificate.ts'
import { readCertificate } from '../../src/certificates/record.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { FakeIssuer } from '../fakes/fake-issuer.ts'
import { DAY, Machine, MINUTE } from './machine.ts'
import { weakLeaf } from './weak-chain.ts'

const foreign = await new FakeIssuer('x', new FakeClock()).issue(
  { names: ['other.test'], keyKind: 'ecdsa-p256' },
  new AbortController().signal,
)
test('a damaged record is reported by name, set aside, and ordered anew', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const whole = (await machine.storage.get('certificates/a.test.ecdsa-p256'))!
  const other = JSON.stringify({ ...JSON.parse(String(whole)), chain: foreign!.chain, privateKey: 'none' })
  for (const damaged of [
    whole.subarray(0, 300),
    Buffer.from('null'),
    Buffer.from('{}'),
    Buffer.from(other),
    Buffer.alloc(5000),
  ]) {
    await machine.storage.put('certificates/a.test.ecdsa-p256', damaged)
    await machine.start()
    const [entry] = machine.log.of('certificate-damaged')
    assert.match(entry!.message, /certificates\/a\.test\.ecdsa-p256 is damaged: .* set aside/)
    assert.doesNotMatch(JSON.stringify(machine.log.entries), /-----BEGIN|MIG[A-Z]/)
    await machine.untilLogged('certificate-issued')
    await machine.certificates.stop()
  }
})

test('when the storage fails, the new certificate serves from memory and is stored later', async () => {
  const machine = new Machine()
  machine.storage.fails = (operation, key) => operation === 'put' && key.startsWith('certificates/')
  await machine.start()
  await machine.untilLogged('certificate-issued')
  assert.equal(machine.certificates.state.held.length, 1)
  assert.equal(machine.log.of('certificate-not-stored').length, 1)
  await machine.live(MINUTE)
  assert.equal(machine.log.of('certificate-not-stored').length, 2)
  machine.storage.fails = () => false
  await machine.live(2 * MINUTE)
  assert.deepEqual(await machine.storage.list('certificates'), ['certificates/a.test.ecdsa-p256'])
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('an expired certificate that is whole serves on after a restart, while its successor is ordered', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const before = machine.certificates.state.held
  await machine.certificates.stop()
  await machine.clock.advance(100 * DAY)
  machine.ca.fail('no')
  await machine.start()
  assert.deepEqual(machine.certificates.state.held, before)
  assert.equal(machine.log.of('certificate-damaged').length, 0)
  await machine.untilLogged('certificate-failed')
  assert.match(machine.log.of('certificate-requested')[0]!.message, /it has expired/)
  assert.deepEqual(machine.certificates.state.held, before)
  machine.ca.recover()
  await machine.live(2 * MINUTE)
  assert.notDeepEqual(machine.certificates.state.held, before)
  await machine.certificates.stop()
})

test('a record of another name’s certificate is damaged', async () => {
  const machine = new Machine()
  await machine.start({ names: ['other.test'] })
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const other = JSON.parse(String(await machine.storage.get('certificates/other.test.ecdsa-p256')))
  const record = JSON.stringify({ ...other, names: ['a.test'] })
  await machine.storage.put('certificates/a.test.ecdsa-p256', Buffer.from(record))
  await machine.start()
  assert.match(machine.log.of('certificate-damaged')[0]!.message, /is not for a\.test/)
  assert.equal(machine.certificates.state.held.length, 0)
  await machine.certificates.stop()
})

test('a damaged record that cannot be moved keeps nothing from starting', async () => {
  const machine = new Machine()
  await machine.storage.put('certificates/a.test.ecdsa-p256', Buffer.from('{'))
  await machine.storage.put('attempts/a.test.ecdsa-p256', Buffer.from('{'))
  machine.storage.fails = (operation) => operation === 'setAside'
  await machine.start()
  assert.match(machine.log.of('certificate-damaged')[0]!.message, /could not be set aside, and will be overwritten/)
  assert.match(machine.log.of('attempt-damaged')[0]!.message, /could not be set aside/)
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
})

test('a clock that is set back does not put off the storing either', async () => {
  const machine = new Machine()
  machine.aheadMs = DAY
  machine.storage.fails = (operation, key) => operation === 'put' && key.startsWith('certificates/')
  await machine.start()
  await machine.untilLogged('certificate-issued')
  machine.aheadMs = 0
  machine.storage.fails = () => false
  await machine.live(2 * MINUTE)
  assert.deepEqual(await machine.storage.list('certificates'), ['certificates/a.test.ecdsa-p256'])
  await machine.certificates.stop()
})

test('a record is served as every reader of PEM takes it, however its chain is written', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  const before = machine.certificates.state.held
  await machine.certificates.stop()
  const record = JSON.parse(String(await machine.storage.get('certificates/a.test.ecdsa-p256')))
  const indented = JSON.stringify({ ...record, chain: ` ${record.chain}` })
  await machine.storage.put('certificates/a.test.ecdsa-p256', Buffer.from(indented))
  await machine.start()
  assert.deepEqual(machine.certificates.state.held, before)
  await machine.certificates.stop()
})

test('a record that OpenSSL does not serve is damaged: a new certificate is ordered at once', async () => {
  const machine = new Machine()
  const { chain, privateKey } = await weakLeaf('a.test')
  const record = {
    names: ['a.test'],
    issuer: 'ca',
    authority: 'https://ca.test/directory',
    obtainedAt: machine.clock.now(),
    chain,
    privateKey,
  }
  await machine.storage.put('certificates/a.test.ecdsa-p256', Buffer.from(JSON.stringify(record)))
  await machine.start()
  assert.match(machine.log.of('certificate-damaged')[0]!.message, /ee key too small\. It was set aside/)
  assert.doesNotMatch(JSON.stringify(machine.log.entries), /-----BEGIN|MII[A-Z]/)
  await machine.untilLogged('certificate-issued')
  assert.notEqual(unpack(machine.certificates.state.held[0]!.packed).chain, chain)
  await machine.certificates.stop()
})

test('what was changed after it was stored is looked at whole, and what is as it was is the same in both ways', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const key = 'certificates/a.test.ecdsa-p256'
  const record = JSON.parse(String(await machine.storage.get(key)))
  assert.match(record.seal, /^[0-9a-f]{64}$/)
  const sealed = await readCertificate(machine.storage, 'a.test.ecdsa-p256')
  const { seal: _, ...former } = record
  await machine.storage.put(key, Buffer.from(JSON.stringify(former)))
  assert.deepEqual(await readCertificate(machine.storage, 'a.test.ecdsa-p256'), sealed)
  const names = ['b.test']
  await machine.storage.put(key, Buffer.from(JSON.stringify({ ...record, names })))
  await assert.rejects(readCertificate(machine.storage, 'a.test.ecdsa-p256'), { code: 'certificate-name-missing' })
})
