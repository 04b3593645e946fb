import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConfigChanges } from '../../src/admin/config-reply.ts'
import type { Config } from '../../src/config/config.ts'
import type { LoadedConfig } from '../../src/config/load.ts'
import { ConfigError } from '../../src/config/problem.ts'
import { CastellanError } from '../../src/errors.ts'
import { Reloads, type ReloadsOptions } from '../../src/supervisor/reloads.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

function changesOf(config: Config): ConfigChanges {
  return {
    sites: { added: [config.file], removed: [], changed: [] },
    listeners: { opened: [], closed: [] },
    certificates: { toOrder: [] },
    settings: [],
  }
}

/** A program whose config on the disk is a version of `/etc/c.yaml`, and whose reloads end when they are told to. */
class Subject {
  readonly log = new RecordingLog()
  readonly used: string[] = []
  readonly reloads: Reloads
  version = 1
  fault: CastellanError | undefined
  gate = Promise.resolve()
  isThere = true

  constructor() {
    const load = async (): Promise<LoadedConfig> => {
      if (this.fault instanceof ConfigError) throw this.fault
      const config = { file: `v${this.version}` } as Config
      return { config, warnings: [], sources: { files: [], patterns: [] } }
    }
    const act = async (config: Config): Promise<ConfigChanges> => {
      await this.gate
      if (this.fault !== undefined) throw this.fault
      return changesOf(config)
    }
    const plane = { care: { config: { file: '/etc/c.yaml' } }, reload: act, foresee: act }
    this.reloads = new Reloads({
      load,
      peek: load,
      onConfig: ({ file }) => this.used.push(file),
      plane: () => (this.isThere ? (plane as unknown as ReturnType<ReloadsOptions['plane']>) : undefined),
      log: this.log,
    })
  }
}

test('who asks during a reload waits for one that begins afterwards, and shares it with all others who do', async () => {
  const subject = new Subject()
  const { promise, resolve } = Promise.withResolvers<void>()
  subject.gate = promise
  const first = subject.reloads.reload()
  await new Promise((resolve) => setImmediate(resolve))
  subject.version = 2
  const second = subject.reloads.reload()
  subject.version = 3
  const third = subject.reloads.reload()
  assert.equal(second, third)
  resolve()
  assert.deepEqual(await Promise.all([first, second].map(async (each) => (await each).status)), ['well', 'well'])
  assert.deepEqual(subject.used, ['v1', 'v3'])
  assert.deepEqual(
    subject.log.of('reloaded').map(({ message }) => message),
    ['The config was taken up: sites added: v1.', 'The config was taken up: sites added: v3.'],
  )
})

test('a config that is wrong is told of in its own words, and what else is in the way in a sentence', async () => {
  const subject = new Subject()
  const problem = { file: 'c.yaml', line: 1, column: 2, key: 'a', found: 'found b', allowed: 'allowed: c' }
  subject.fault = new ConfigError('c.yaml', [problem])
  const wrong = await subject.reloads.reload()
  assert.deepEqual(wrong.status === 'refused' && wrong.problems, ['c.yaml:1:2: a: found b; allowed: c'])
  subject.fault = new CastellanError('address-in-use', 'Port 80 is in use.')
  const dry = await subject.reloads.foresee()
  assert.deepEqual(dry, { status: 'refused', reason: 'Port 80 is in use.', problems: [] })
  assert.deepEqual(subject.used, [])
  assert.equal(subject.log.of('reload-failed').length, 1, 'a dry run says it to nobody but who asks')
})

test('who means another file, or a program that is not there, is told so', async () => {
  const subject = new Subject()
  const other = await subject.reloads.reload('/etc/d.yaml')
  assert.match(other.status === 'refused' ? other.reason : '', /has its config from \/etc\/c\.yaml, and not from/)
  assert.equal((await subject.reloads.reload('/etc/c.yaml')).status, 'well')
  subject.isThere = false
  assert.equal((await subject.reloads.reload()).status, 'refused')
  await subject.reloads.stop()
  subject.isThere = true
  assert.equal((await subject.reloads.reload()).status, 'refused')
})
