import assert from 'node:assert/strict'
import { test } from 'node:test'
import { examineNotices } from '../../src/doctor/notices.ts'
import { openNotices } from '../../src/notices/notices.ts'
import { standingNotices } from '../../src/notices/standing-notices.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { MemoryStorage } from '../fakes/memory-storage.ts'
import { RecordingLog } from '../fakes/recording-log.ts'

test('notices that are open are findings, with what can be done, and those that are over are none', async () => {
  const [clock, storage] = [new FakeClock(), new MemoryStorage()]
  const notices = await openNotices({
    ...{ clock, storage, log: new RecordingLog(), channels: [], machine: 'm' },
    random: () => 0.5,
    look: async () => [],
  })
  const failed = { kind: 'certificate-failed', severity: 'error', said: 'ca: no' } as const
  notices.raise('certificate/a.test', { ...failed, names: ['a.test', 'b.test'] })
  notices.raise('certificate/c.test', { ...failed, names: ['c.test'] })
  notices.raise('storage/certificates', { kind: 'storage-unwritable', severity: 'warning', names: [], said: 'full' })
  notices.withdraw('certificate/c.test')
  await notices.stop()
  const found = examineNotices(await standingNotices(storage, clock.now()), ['a.test'])
  assert.deepEqual(
    found.map(({ check, subject, level }) => [check, subject, level]),
    [
      ['notices', 'a.test +1', 'fail'],
      ['notices', 'storage/certificates', 'warn'],
    ],
  )
  assert.equal(found[0]!.seen, 'There is no certificate for a.test, b.test: ca: no.')
  assert.match(found[0]!.advice!, /"castellan certs retry a\.test" tries at once/)
  const others = examineNotices((await standingNotices(storage, clock.now())).slice(0, 1), ['x.test'])
  assert.deepEqual(
    others.map(({ level, seen }) => [level, seen]),
    [['ok', 'none is open']],
  )
})
