import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const ROOT = join(import.meta.dirname, '../..')
const CONFIG = 'packaging/pkg/pkg.json'
const run = promisify(execFile)

// pkg fetches the Node that it builds upon, so it is not run here: what it is given is.

test('what pkg is told to pack is there once it is built, and runs by itself', async () => {
  const { scripts, dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8'))
  const { bin, pkg } = JSON.parse(await readFile(join(ROOT, CONFIG), 'utf8'))
  const [bundling, packing] = scripts['build:pkg'].split(' && ')
  assert.equal(bundling, 'npm run build:bundle')
  const [config, entry] = packing.split(' ').slice(-2)
  assert.equal(config, CONFIG)
  assert.equal(resolve(ROOT, CONFIG, '..', bin), join(ROOT, entry))
  assert.equal(pkg.sea, true)
  for (const target of pkg.targets)
    assert.match(target, new RegExp(`^node${parseInt(dependencies.node, 10)}-\\w+-\\w+$`))
  await run(process.execPath, scripts['build:bundle'].split(' ').slice(1), { cwd: ROOT })
  const { stdout } = await run(process.execPath, [join(ROOT, entry), '--version'], { cwd: '/' })
  assert.match(stdout, /^castellan \d/)
})
