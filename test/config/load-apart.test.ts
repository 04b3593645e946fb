import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { loadConfig } from '../../src/config/load.ts'
import { loadConfigApart } from '../../src/config/load-apart.ts'
import { ConfigError } from '../../src/config/problem.ts'

const PROGRAM = join(import.meta.dirname, '../../bin/castellan.js')
const folder = await mkdtemp(join(tmpdir(), 'castellan-load-'))
after(() => rm(folder, { recursive: true, force: true }))

async function configFile(text: string): Promise<string> {
  const file = join(folder, 'castellan.yaml')
  await writeFile(file, text)
  return file
}

test('a config that is read apart is the same as one that is read here, maps and warnings included', async () => {
  const file = await configFile(`issuers: { own: { directory: "https://ca.test/directory" } }
acceptTerms: true
sites: { a.example: { upstream: "http://localhost:3000", hsts: on } }
`)
  const here = await loadConfig({ file, env: process.env })
  assert.equal(here.warnings.length, 1)
  assert.deepEqual(await loadConfigApart(PROGRAM, file), here)
})

test('the problems of a config that is read apart are those of one that is read here', async () => {
  const file = await configFile('sites: { a.example: { upsteam: "http://localhost:3000" } }\n')
  const here = await loadConfig({ file, env: process.env }).catch((error: unknown) => error)
  assert.ok(here instanceof ConfigError)
  await assert.rejects(loadConfigApart(PROGRAM, file), (error: unknown) => {
    assert.ok(error instanceof ConfigError)
    assert.deepEqual([error.message, error.problems], [here.message, here.problems])
    return true
  })
})

test('a reader that ends without a word is an error, not a wait', async () => {
  const silent = join(folder, 'silent.mjs')
  await writeFile(silent, 'process.exit(3)\n')
  await assert.rejects(loadConfigApart(silent, 'castellan.yaml'), /ended early \(exit code 3\)/)
})

test('whoever starts the reader by hand is told what to use', () => {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'load-config', 'castellan.yaml'], {
    encoding: 'utf8',
  })
  assert.equal(status, 2)
  assert.match(stderr, /"castellan validate" checks a config/)
})
