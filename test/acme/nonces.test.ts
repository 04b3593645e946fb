import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NoncePool } from '../../src/acme/nonces.ts'

test('gives each nonce once, the newest first', () => {
  const nonces = new NoncePool()
  for (const nonce of ['a', 'b-_9']) nonces.add(nonce)
  assert.deepEqual([nonces.take(), nonces.take(), nonces.take()], ['b-_9', 'a', undefined])
})

test('ignores what is not base64url (RFC 8555 §6.5.1)', () => {
  const nonces = new NoncePool()
  for (const bad of [undefined, '', 'a b', 'a=', 'a+b', 'a/b', 'ä', 'a, b', 'a\n', 'x'.repeat(513), ['a', 'b']])
    nonces.add(bad)
  assert.equal(nonces.size, 0)
})

test('keeps the 32 newest', () => {
  const nonces = new NoncePool()
  for (let index = 0; index < 1000; index++) nonces.add(String(index))
  assert.equal(nonces.size, 32)
  assert.equal(nonces.take(), '999')
  nonces.clear()
  assert.equal(nonces.take(), undefined)
})
