import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { readPasswordHash, verifyPassword } from '../../src/password/password-hash.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')

function run(input: string, args: readonly string[] = []) {
  return spawnSync(process.execPath, [PROGRAM, 'hash-password', ...args], { input, encoding: 'utf8' })
}

test('hash-password prints the hash of what comes from standard input, without its line end', async () => {
  const { stdout, stderr, status } = run('correct horse\n')
  assert.deepEqual([status, stderr], [0, ''])
  const hash = readPasswordHash(stdout.trim())
  assert.ok(typeof hash !== 'string')
  assert.equal(await verifyPassword(hash, Buffer.from('correct horse')), true)
})

test('it takes no password that could not be sent, nor one as an argument, which others could read', () => {
  assert.equal(run('').status, 1)
  assert.equal(run('two\nlines\n').status, 1)
  const { status, stderr } = run('', ['geheim'])
  assert.equal(status, 2)
  assert.doesNotMatch(stderr, /geheim/)
})
