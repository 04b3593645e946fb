import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { type PasswordHash, readPasswordHash, verifyPassword } from '../../src/password/password-hash.ts'
import { hashPassword } from '../../src/password/scrypt.ts'
import { missing } from '../programs.ts'

function hashOf(text: string): PasswordHash {
  const hash = readPasswordHash(text)
  assert.ok(typeof hash !== 'string', String(hash))
  return hash
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')

/** Those of crypt_blowfish (Openwall), wrapper.c. */
const VECTORS: readonly [string, Buffer][] = [
  ['$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', bytes('U*U')],
  ['$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK', bytes('U*U*')],
  ['$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a', bytes('U*U*U')],
  ['$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy', bytes('')],
  ['$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e', bytes('\xff\xff\xa3')],
  ['$2b$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e', bytes('\xff\xff\xa3')],
  [
    '$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui',
    bytes('0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored'),
  ],
]

for (const [hash, password] of VECTORS)
  test(`bcrypt: ${hash}`, async () => {
    assert.equal(await verifyPassword(hashOf(hash), password), true)
    assert.equal(await verifyPassword(hashOf(hash), Buffer.concat([Buffer.from('x'), password])), false)
  })

test('scrypt: the vector of RFC 7914 §12, and no other password', async () => {
  const key = Buffer.from(
    'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640',
    'hex',
  ).toString('base64')
  const hash = hashOf(
    `$scrypt$ln=10,r=8,p=16$${Buffer.from('NaCl'.repeat(4)).toString('base64').replace(/=+$/, '')}$${key.replace(/=+$/, '')}`,
  )
  assert.equal(hash.kind, 'scrypt')
  const rfc = { ...hash, salt: Buffer.from('NaCl') }
  assert.equal(await verifyPassword(rfc as PasswordHash, Buffer.from('password')), true)
  assert.equal(await verifyPassword(rfc as PasswordHash, Buffer.from('Password')), false)
})

test('what hash-password prints verifies, and is another each time', async () => {
  const [one, other] = [await hashPassword(Buffer.from('geheim ñ')), await hashPassword(Buffer.from('geheim ñ'))]
  assert.notEqual(one, other)
  assert.match(one, /^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  assert.equal(await verifyPassword(hashOf(one), Buffer.from('geheim ñ')), true)
})

test('what htpasswd makes verifies', { skip: missing('htpasswd') }, async () => {
  const { stdout } = spawnSync('htpasswd', ['-nbB', '-C', '6', 'u', 'correct horse'], { encoding: 'utf8' })
  const hash = hashOf(stdout.trim().slice('u:'.length))
  assert.equal(await verifyPassword(hash, Buffer.from('correct horse')), true)
  assert.equal(await verifyPassword(hash, Buffer.from('correct horses')), false)
})

const SALT = 'A'.repeat(22)
const FAULTS: readonly [string, RegExp][] = [
  ['hunter2', /^which is no hash of a password$/],
  ['$apr1$x$y', /MD5/],
  ['{SHA}x', /SHA-1/],
  ['$argon2id$v=19$m=65536,t=3,p=4$x$y', /Argon2/],
  ['$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e', /broken/],
  ['$2b$16$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e', /above 15/],
  ['$2b$03$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e', /below 4/],
  ['$2b$05$short', /not of the form/],
  [`$scrypt$ln=20,r=8,p=1$${SALT}$${SALT}`, /128 MiB/],
  [`$scrypt$ln=16,r=8,p=64$${SALT}$${SALT}`, /too long/],
  [`$scrypt$ln=0,r=8,p=1$${SALT}$${SALT}`, /nothing/],
  [`$scrypt$ln=15,r=8,p=1$${SALT}`, /not of the form/],
]

for (const [text, fault] of FAULTS)
  test(`no such hash is taken, nor repeated: ${text}`, () => {
    const read = readPasswordHash(text)
    assert.ok(typeof read === 'string')
    assert.match(read, fault)
    assert.ok(!read.includes(text))
  })
