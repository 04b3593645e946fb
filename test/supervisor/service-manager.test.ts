import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ServiceManager } from '../../src/supervisor/service-manager.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

test('systemd is told in order, where it asks for it (sd_notify(3))', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'castellan-notify-'))
  t.after(() => rm(folder, { recursive: true }))
  const said = join(folder, 'said')
  const program = join(folder, 'systemd-notify')
  await writeFile(program, `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> '${said}'\n`)
  await chmod(program, 0o755)
  const log = new RecordingLog()
  const environment = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/n' }
  const manager = new ServiceManager(environment, log)
  void manager.ready()
  void manager.reloading(123_456n)
  void manager.ready(42)
  await manager.stopping()
  assert.equal(
    await readFile(said, 'utf8'),
    '/run/n READY=1\n/run/n RELOADING=1 MONOTONIC_USEC=123456\n/run/n READY=1 MAINPID=42\n/run/n STOPPING=1\n',
  )
  assert.deepEqual(log.entries, [])
  await rm(said)
  await new ServiceManager({ PATH: environment.PATH }, log).ready()
  await assert.rejects(readFile(said), { code: 'ENOENT' })
})

test('where it cannot be told, the log says so and nothing else happens', async () => {
  const log = new RecordingLog()
  await new ServiceManager({ PATH: '/nowhere', NOTIFY_SOCKET: '/run/n' }, log).ready()
  assert.match(log.of('notify-socket-failed')[0]!.message, /^systemd could not be told READY=1: .*ENOENT/)
})
