import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf } from './config-folder.ts'

test('a file with more problems than a call has room for arguments is refused like any other', async () => {
  const keys = Array.from({ length: 150_000 }, (_, index) => `k${index}: 1\n`)
  assert.equal((await problemsOf(keys.join(''))).length, 150_001)
})
