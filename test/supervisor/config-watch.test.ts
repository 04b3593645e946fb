import assert from 'node:assert/strict'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { LoadedConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { ConfigWatch } from '../../src/supervisor/config-watch.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

async function watch(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-watch-'))
  const main = join(folder, 'c.yaml')
  await writeFile(main, 'one')
  const clock = new FakeClock()
  let told = 0
  const sources = { files: [main], patterns: [join(folder, 'sites.d/*.yaml')] }
  const onChange = async (): Promise<void> => {
    told++
  }
  const watching = new ConfigWatch(sources, { clock, elapsed: () => 0, onChange })
  t.after(async () => {
    await watching.stop()
    await rm(folder, { recursive: true })
  })
  const look = async (): Promise<number> => {
    await clock.advance(1_000)
    return told
  }
  return { folder, main, watching, clock, look, sources }
}

test('a change is told once, when nothing has moved for a while', async (t) => {
  const { main, watching, look } = await watch(t)
  watching.turn(true)
  assert.equal(await look(), 0)
  await writeFile(main, 'half')
  assert.equal(await look(), 0)
  await writeFile(main, 'the whole of it')
  assert.equal(await look(), 0)
  assert.equal(await look(), 1)
  assert.equal(await look(), 1)
  await writeFile(`${main}.new`, 'renamed')
  await rename(`${main}.new`, main)
  await look()
  assert.equal(await look(), 2)
})

test('nothing is looked at while it is off, and what changed until then is told when it is on', async (t) => {
  const { main, watching, clock, look } = await watch(t)
  await writeFile(main, 'something else')
  assert.equal(clock.sleeping, 0)
  watching.turn(true)
  await look()
  assert.equal(await look(), 1)
  watching.turn(false)
  await clock.advance(0)
  assert.equal(clock.sleeping, 0)
})

test('what changes while the config is read is a change, and what was read is none, good or not', async (t) => {
  const { folder, main, watching, look, sources } = await watch(t)
  watching.turn(true)
  const pem = join(folder, 'ca.pem')
  const loaded = { config: {}, warnings: [], sources: { ...sources, files: [main, pem] } } as unknown as LoadedConfig
  await writeFile(main, 'names ca.pem')
  await watching.load(async () => {
    await writeFile(pem, 'a certificate')
    return loaded
  })
  await look()
  assert.equal(await look(), 0, 'a file that the config has begun to name is as it was read')
  await watching.load(async () => {
    await writeFile(main, 'written while it was read')
    return loaded
  })
  await look()
  assert.equal(await look(), 1)
  const missing = join(folder, 'missing.pem')
  const error = new ConfigError('c.yaml', [], { ...sources, files: [main, missing] })
  await assert.rejects(
    watching.load(() => Promise.reject(error)),
    error,
  )
  await writeFile(missing, 'what was lacking')
  await look()
  assert.equal(await look(), 2)
})
