import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { accountKey } from '../../src/acme/jws.ts'
import { unpack } from '../../src/certificates/packed-certificate.ts'
import { formatAccount } from '../../src/issuers/acme-account-record.ts'
import { importPrivateKey } from '../../src/pki/keys.ts'
import { makePair } from '../config/pem-pair.ts'
import { Machine, MINUTE } from './machine.ts'

// RFC 8555 §11.1: an account's key is never a certificate's.

/** An account whose key somebody has taken from a certificate. */
async function storeAccount(machine: Machine, privateKey: string, place = 'issuers/ca/account'): Promise<void> {
  const key = await accountKey(importPrivateKey(privateKey))
  await machine.storage.put(place, formatAccount({ directory: 'https://ca.test/dir', key }))
}

for (const place of ['issuers/ca/account', 'issuers/other/accounts/a.test'])
  test(`a certificate whose key is that of ${place} serves until it is replaced, which is at once`, async () => {
    const machine = new Machine()
    await machine.start()
    await machine.untilLogged('certificate-issued')
    const [before] = machine.certificates.state.held
    await machine.certificates.stop()
    await storeAccount(machine, unpack(before!.packed).privateKey, place)
    const gate = Promise.withResolvers<void>()
    machine.ca.before = () => gate.promise
    await machine.start()
    assert.equal(machine.log.of('account-key-reused')[0]!.level, 'error')
    assert.deepEqual(machine.certificates.state.held, [before])
    gate.resolve()
    await machine.untilLogged('certificate-issued')
    assert.notEqual(machine.certificates.state.held[0]!.id, before!.id)
    assert.match(machine.log.of('certificate-requested')[0]!.message, /its key is that of an ACME account/)
    await machine.certificates.stop()
  })

test('other keys are left alone, and a damaged account is nobody’s', async () => {
  const machine = new Machine()
  await machine.start()
  await machine.untilLogged('certificate-issued')
  await machine.certificates.stop()
  const { key } = await makePair('x.test')
  await storeAccount(machine, key)
  await machine.storage.put('issuers/damaged/account', Buffer.from('{"privateKey":'))
  await machine.start()
  await machine.live(MINUTE)
  assert.equal(machine.log.of('account-key-reused').length, 0)
  assert.equal(machine.ca.requests.length, 1)
  await machine.certificates.stop()
})

test('an operator’s own file with an account’s key is said to be one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-roles-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const { certificate, key } = await makePair('own.test')
  const files = { certificate: join(folder, 'a.crt'), key: join(folder, 'a.key') }
  await writeFile(files.certificate, certificate)
  await writeFile(files.key, key)
  const machine = new Machine()
  await storeAccount(machine, key)
  machine.ownFiles = [{ site: 'own.test', names: ['own.test'], files: [files] }]
  await machine.start()
  assert.match(machine.log.of('account-key-reused')[0]!.message, /a\.crt is that of an ACME account/)
  assert.equal(machine.certificates.state.held.length, 1)
  await machine.certificates.stop()
})
