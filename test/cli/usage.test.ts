import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tellFailure } from '../../src/cli/failure.ts'
import { withoutArguments } from '../../src/cli/no-arguments.ts'
import { readOptions } from '../../src/cli/proxy.ts'
import { loadConfig } from '../../src/config/load.ts'

test('a command that takes no arguments refuses them, and is not run', async (t) => {
  const said = t.mock.method(process.stderr, 'write', () => true)
  let runs = 0
  const run = async (): Promise<number> => runs++
  assert.equal(await withoutArguments('version', ['--json'], run), 2)
  assert.match(String(said.mock.calls[0]?.arguments[0]), /"version" takes no arguments/)
  assert.equal(await withoutArguments('version', [], run), 0)
  assert.equal(runs, 1)
})

test('an option of "proxy" that wants a name or an address is not simply turned on', () => {
  assert.equal(readOptions(['--to']), '--to needs a value')
  assert.equal(readOptions(['--from', '--to', ':3000']), '--from needs a value')
  assert.deepEqual(
    readOptions(['--to', ':3000', '--accept-terms']),
    new Map([
      ['--to', 'http://localhost:3000'],
      ['--accept-terms', 'on'],
    ]),
  )
})

test('who has no config yet is told where to find one', async (t) => {
  const said = t.mock.method(process.stderr, 'write', () => true)
  const missing = await loadConfig({ file: '/nowhere/castellan.yaml', env: {} }).catch((error: unknown) => error)
  assert.equal(tellFailure(missing), 1)
  assert.match(String(said.mock.calls[0]?.arguments[0]), /there is no such file; .*\n"castellan help" shows/)
})
