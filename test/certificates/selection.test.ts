import assert from 'node:assert/strict'
import { test } from 'node:test'
import { selectByName } from '../../src/certificates/selection.ts'

const all = [
  { id: 'a.test.ecdsa-p256', names: ['a.test', 'www.a.test'] },
  { id: 'a.test.rsa-2048', names: ['a.test', 'www.a.test'] },
  { id: '*.b.test.rsa-2048', names: ['*.b.test'] },
  { id: 'x.b.test.rsa-2048', names: ['x.b.test'] },
  { id: '2001_db8__1.rsa-2048', names: ['2001:db8::1'] },
]

for (const [name, ids] of [
  ['a.test', ['a.test.ecdsa-p256', 'a.test.rsa-2048']],
  ['WWW.A.test.', ['a.test.ecdsa-p256', 'a.test.rsa-2048']],
  ['a.test.rsa-2048', ['a.test.rsa-2048']],
  ['*.b.test', ['*.b.test.rsa-2048']],
  ['x.b.test', ['x.b.test.rsa-2048']],
  ['y.b.test', ['*.b.test.rsa-2048']],
  ['2001:DB8:0::1', ['2001_db8__1.rsa-2048']],
] as const)
  test(`${name} means ${ids.join(' and ')}`, () => {
    assert.deepEqual(
      selectByName(all, name).map(({ id }) => id),
      ids,
    )
  })

for (const [name, message] of [
  ['a.tst', 'No certificate is wanted for "a.tst"; did you mean "a.test"?'],
  ['shop.example', 'No certificate is wanted for "shop.example"; "castellan certs list" shows all that are.'],
  ['', 'No certificate is wanted for ""; "castellan certs list" shows all that are.'],
  ['z.y.b.test', /No certificate/],
  ['\u001b[2J', /^No certificate is wanted for "\\u001b\[2J"/],
] as const)
  test(`${JSON.stringify(name)} means nothing`, () => {
    assert.throws(() => selectByName(all, name), { code: 'certificate-unknown', message })
  })
