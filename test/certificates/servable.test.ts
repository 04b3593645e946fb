import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { pack, unpack } from '../../src/certificates/packed-certificate.ts'
import { checkServable } from '../../src/certificates/servable.ts'
import { createContext } from '../../src/edge/tls/context.ts'
import { checkIssued, parseChain } from '../../src/pki/certificate.ts'
import { exportPrivateKey, importPrivateKey } from '../../src/pki/keys.ts'
import type { PkiError } from '../../src/pki/pki-error.ts'
import { NOW, pemOf, threeStepChain } from '../pki/three-step-chain.ts'
import { weakIntermediate, weakLeaf } from './weak-chain.ts'

const { leaf, intermediate, root, privateKey } = await threeStepChain()
const key = exportPrivateKey(privateKey)
const chain = pemOf(leaf, intermediate, root)

const usualCiphers = tls.DEFAULT_CIPHERS
after(() => {
  tls.DEFAULT_CIPHERS = usualCiphers
})

for (const [what, written] of [
  ['on one line', chain.replaceAll('\n', ' ')],
  ['with CRLF', chain.replaceAll('\n', '\r\n')],
  ['with indented blocks', chain.replaceAll('-----BEGIN', '\t-----BEGIN')],
  ['with its last line and the end in one', chain.replaceAll('\n-----END', '-----END')],
] as const)
  test(`a chain ${what} is written anew, so that OpenSSL reads the same certificates`, () => {
    assert.deepEqual(unpack(pack(parseChain(written), privateKey)), { chain, privateKey: key })
  })

for (const [what, weak, words] of [
  ['leaf', await weakLeaf('a.example'), 'ee key too small'],
  ['intermediate', await weakIntermediate('a.example'), 'ca key too small'],
] as const)
  test(`RSA with 1024 bits in the ${what}: sound by its own, refused in OpenSSL’s words as when it is served`, () => {
    const certificates = parseChain(weak.chain)
    checkIssued(certificates, { privateKey: importPrivateKey(weak.privateKey), names: ['a.example'], now: NOW })
    // The operator of a machine may lower what Node asks for by default; what is served has a list of its own.
    for (const ciphers of [usualCiphers, 'DEFAULT@SECLEVEL=0']) {
      tls.DEFAULT_CIPHERS = ciphers
      assert.throws(() => checkServable(certificates, weak.privateKey), {
        code: 'certificate-unservable',
        message: `OpenSSL does not serve this certificate with its chain and key: ${words}.`,
      })
      assert.throws(() => createContext(weak), { reason: words })
    }
  })

test('a refusal quotes nothing of a key that OpenSSL cannot read', () => {
  const damaged = key.replace('MI', 'AA')
  const [own, ...issuers] = parseChain(chain)
  assert.throws(
    // Of a kind that Castellan does not know, so that it is tried.
    () => checkServable([{ ...own, keyKind: undefined }, ...issuers], damaged),
    ({ code, message, facts, cause }: PkiError) => {
      assert.equal(code, 'certificate-unservable')
      assert.equal(cause, undefined)
      const secret = damaged.split('\n')[1]!
      return !JSON.stringify([message, facts]).includes(secret.slice(0, 20))
    },
  )
})
