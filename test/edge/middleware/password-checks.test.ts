import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { PasswordChecks, type Verdict } from '../../../src/edge/middleware/password-checks.ts'
import type { PasswordHash } from '../../../src/password/password-hash.ts'

const hash: PasswordHash = { kind: 'bcrypt', cost: 4, salt: Buffer.alloc(16), hash: Buffer.alloc(23) }
const RIGHT = Buffer.from('right')

/** Verifications that end when they are told to. */
function scene() {
  const open: { readonly password: string; end(): Promise<void> }[] = []
  const time = { now: 1_000 }
  const checks = new PasswordChecks({
    randomBytes,
    clock: () => time.now,
    verify: (_, password) => {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const end = async (): Promise<void> => {
        resolve(password.equals(RIGHT))
        await new Promise((done) => setImmediate(done))
      }
      open.push({ password: String(password), end })
      return promise
    },
  })
  const verdicts: Record<string, Verdict> = {}
  const check = (password: string, client = password) =>
    checks.check(hash, Buffer.from(password), client, (verdict) => {
      verdicts[password] = verdict
    })
  return { checks, check, open, verdicts, time }
}

test('what was right is known for five minutes, and what was wrong is verified anew', async () => {
  const { checks, check, open, verdicts, time } = scene()
  check('right')
  check('wrong')
  for (const each of open) await each.end()
  assert.deepEqual(verdicts, { right: 'right', wrong: 'wrong' })
  assert.equal(checks.wasRight(hash, RIGHT), true)
  assert.equal(checks.wasRight({ ...hash, hash: Buffer.alloc(23, 1) }, RIGHT), false)
  assert.equal(checks.wasRight(hash, Buffer.from('wrong')), false)
  time.now += 5 * 60_000 + 1
  assert.equal(checks.wasRight(hash, RIGHT), false)
})

test('two are verified at a time, and who asks for the same waits for the same', async () => {
  const { check, open, verdicts, checks } = scene()
  for (const password of ['a', 'b', 'right']) check(password)
  const told: Verdict[] = []
  checks.check(hash, RIGHT, 'another', (verdict) => told.push(verdict))
  assert.deepEqual(
    open.map(({ password }) => password),
    ['a', 'b'],
  )
  await open[0]!.end()
  assert.equal(open[2]?.password, 'right')
  await open[1]!.end()
  await open[2]!.end()
  assert.equal(open.length, 3)
  assert.deepEqual([verdicts.right, told], ['right', ['right']])
})

test('a client has eight at a time, others have room, and beyond 64 all are turned away', async () => {
  const { check, verdicts } = scene()
  for (let at = 0; at < 9; at++) check(`of one ${at}`, 'one')
  check('other', 'other')
  await new Promise((done) => setImmediate(done))
  assert.deepEqual(verdicts, { 'of one 8': 'busy' })
  for (let at = 0; at < 56; at++) check(`more ${at}`)
  await new Promise((done) => setImmediate(done))
  assert.deepEqual(verdicts, { 'of one 8': 'busy', 'more 55': 'busy' })
})

test('what nobody waits for any more is not verified, and makes room', async () => {
  const { check, open } = scene()
  check('a')
  check('b')
  const leaving = Array.from({ length: 6 }, (_, at) => check(`left ${at}`, 'one'))
  for (const { leave } of leaving) leave()
  check('c')
  await open[0]!.end()
  assert.deepEqual(
    open.map(({ password }) => password),
    ['a', 'b', 'c'],
  )
})
