import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { loadGood, problemsOf } from './config-folder.ts'

const GOOD = 'sites: { a.example: http://h }\n'

test('aliases that multiply are cut short: one problem, at the alias', async () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'])
    bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(',')}]`)
  const problems = await problemsOf(`${GOOD}${bomb.join('\n')}`)
  assert.deepEqual(problems, [
    'castellan.yaml:6:29: e[7]: found aliases that stand for more than 100000 values; write out what is needed',
  ])
})

test('an alias inside of what it stands for is refused', async () => {
  const problems = await problemsOf('sites:\n  a.example: &a { upstream: *a }\n')
  assert.match(problems.at(-1) ?? '', /more than 20 levels of nesting; write it with fewer levels$/)
})

test('thousands of honest aliases are fine', async () => {
  const sites = Array.from({ length: 2000 }, (_, index) => `  site${index}.example: *app\n`)
  const { config } = await loadGood(
    `sites:\n  a.example: &app { upstream: http://h, redirect: off }\n${sites.join('')}`,
  )
  assert.equal(config.sites.length, 2001)
})

test('nesting without end is refused in words', async () => {
  for (const open of ['[', '{a: ']) {
    const problems = await problemsOf(`sites: ${open.repeat(20_000)}`)
    assert.equal(problems.length, 1)
    assert.match(problems[0] ?? '', /far too deep a nesting|not YAML/)
  }
})

test('a flood of syntax errors is cut to those that come first', async () => {
  const problems = await problemsOf(`${GOOD}${'@\n'.repeat(5000)}`)
  assert.equal(problems.length, 10)
  assert.match(problems[0] ?? '', /^castellan.yaml:2:1: /)
})

test('keys that all objects have are plain keys', async () => {
  const { config } = await loadGood('sites:\n  constructor: http://h\n  tostring: http://h\n')
  assert.deepEqual(
    config.sites.map(({ name }) => name),
    ['constructor', 'tostring'],
  )
  assert.match(
    (await problemsOf(`${GOOD}hasOwnProperty: 1`)).join(),
    /^castellan.yaml:2:1: hasOwnProperty: unknown key/,
  )
  assert.match((await problemsOf(`${GOOD}defaults: { issuer: constructor }`)).join(), /is no issuer/)
})

test('keys that are no text are refused', async () => {
  assert.match(
    (await problemsOf('sites:\n  ? [a]\n  : http://h\n')).join(),
    /^castellan.yaml:2:5: .*a key that is not text/,
  )
})

test('a pipe is not waited for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-config-'))
  try {
    const file = join(folder, 'castellan.yaml')
    execFileSync('mkfifo', [file])
    await assert.rejects(loadConfig({ file, env: {} }), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.problems[0]?.found, 'cannot be read: it is a device, a pipe or a socket, not a file')
      return true
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a file of any size is not read', async () => {
  const huge = Buffer.alloc(16 * 1024 * 1024 + 1, '#')
  assert.match((await problemsOf({ 'castellan.yaml': huge })).join(), /cannot be read: it is larger than 16 MiB/)
})

test('what turns the direction of text, or gives orders to a terminal, is shown and not obeyed', async () => {
  const [bidi] = await problemsOf('sites: { "a\u202eb.example": http://h }')
  assert.match(bidi!, /sites\."a\\u202eb\.example": found "a\\u202eb\.example"/)
  const [control] = await problemsOf('sites: { "a\\x9bb.example": http://h }')
  assert.match(control!, /"a\\u009bb\.example"/)
})
