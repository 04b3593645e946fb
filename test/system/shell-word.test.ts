import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { trustHint } from '../../src/supervisor/trust-hint.ts'
import { shellWord } from '../../src/system/shell-word.ts'

test('whatever a path holds, a shell reads it as one word', () => {
  for (const text of [
    '/plain/path-1.crt',
    '/with space/x',
    "/o'clock/x",
    '/$(date);`id`/"x"',
    '/new\nline',
    '~/x',
    '*',
  ])
    assert.equal(spawnSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' }).stdout, text)
})

test('a plain path is left as it is', () => {
  assert.equal(shellWord('/var/lib/castellan/root.crt'), '/var/lib/castellan/root.crt')
})

test('the commands to copy bear a folder with a space in its name', () => {
  const path = '/my data/root.crt'
  for (const platform of ['linux', 'darwin'] as const) {
    const [, curl, trust] = trustHint(path, 'https://localhost', platform)
    for (const sentence of [curl, trust]) assert.ok(sentence?.includes(`'${path}'`))
  }
  assert.ok(trustHint(path, 'https://localhost', 'win32')[2]?.endsWith(`"${path}"`))
})
