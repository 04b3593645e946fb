import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { systemClock } from '../../src/system/clock.ts'
import { LogFile } from '../../src/telemetry/log-file.ts'
import { FakeClock } from '../fakes/fake-clock.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'castellan-log-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

const noTrouble = (message: string): void => assert.fail(message)

test('lines are in the file in their order, whoever else writes there', async (t) => {
  const path = join(await folder(t), 'access.log')
  const [one, other] = [new LogFile(path, systemClock, noTrouble), new LogFile(path, systemClock, noTrouble)]
  for (let count = 0; count < 1000; count++) {
    one.write(`one ${count}\n`)
    other.write(`other ${count}\n`)
    if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all([one.flushed(), other.flushed()])
  const lines = (await readFile(path, 'utf8')).split('\n')
  assert.equal(lines.pop(), '')
  for (const name of ['one', 'other'])
    assert.deepEqual(
      lines.filter((line) => line.startsWith(`${name} `)),
      Array.from({ length: 1000 }, (_, count) => `${name} ${count}`),
    )
  assert.equal((await stat(path)).mode & 0o777, 0o640)
})

test('what is there is added to', async (t) => {
  const path = join(await folder(t), 'access.log')
  for (const line of ['first\n', 'second\n']) {
    const file = new LogFile(path, systemClock, noTrouble)
    file.write(line)
    await file.flushed()
  }
  assert.equal(await readFile(path, 'utf8'), 'first\nsecond\n')
})

test('after it was moved and opened anew, lines go to a new file, and none is lost between', async (t) => {
  const place = await folder(t)
  const path = join(place, 'access.log')
  const file = new LogFile(path, systemClock, noTrouble)
  file.write('before\n')
  await file.flushed()
  await rename(path, `${path}.1`)
  file.write('between\n')
  file.reopen()
  file.write('after\n')
  await file.flushed()
  const both = (await readFile(`${path}.1`, 'utf8')) + (await readFile(path, 'utf8'))
  assert.equal(both, 'before\nbetween\nafter\n')
  assert.match(await readFile(path, 'utf8'), /after/)
})

test('a file that cannot be opened is said at the start, with its path and the reason', async (t) => {
  const place = await folder(t)
  assert.throws(() => LogFile.check(join(place, 'missing/access.log')), {
    code: 'log-file-unwritable',
    message: /missing\/access\.log cannot be opened: ENOENT\. Its folder must exist/,
  })
  LogFile.check(join(place, 'access.log'))
  assert.ok(existsSync(join(place, 'access.log')))
})

test('while it cannot be written, lines are lost and serving goes on; that is said once, and ends by itself', async (t) => {
  const place = await folder(t)
  const troubles: string[] = []
  const file = new LogFile(join(place, 'sub/access.log'), systemClock, (message) => troubles.push(message))
  for (const line of ['one\n', 'two\n']) {
    file.write(line)
    await file.flushed()
  }
  assert.equal(troubles.length, 1)
  assert.match(troubles[0]!, /^Lines of the log .*sub\/access\.log are lost: .*ENOENT/)
  await mkdir(join(place, 'sub'))
  file.write('three\n')
  await file.flushed()
  assert.equal(await readFile(join(place, 'sub/access.log'), 'utf8'), 'three\n')
})

test('a full disk costs lines and nothing else', { skip: !existsSync('/dev/full') }, async () => {
  const troubles: string[] = []
  const file = new LogFile('/dev/full', systemClock, (message) => troubles.push(message))
  file.write('one\n')
  await file.flushed()
  assert.match(troubles[0]!, /ENOSPC/)
})

test('lines that wait for a slow disk are bounded, and those that were lost are counted', async (t) => {
  const troubles: string[] = []
  const file = new LogFile(join(await folder(t), 'access.log'), systemClock, (message) => troubles.push(message))
  const line = `${'x'.repeat(64 * 1024 - 1)}\n`
  for (let count = 0; count < 1000; count++) file.write(line)
  await file.flushed()
  assert.match(troubles[0]!, /^9\d\d lines of .* were lost/)
})

test('lines are gathered for a moment, and then written without a further one', async (t) => {
  const path = join(await folder(t), 'access.log')
  const clock = new FakeClock(0)
  const file = new LogFile(path, clock, noTrouble)
  for (const [line, text] of [
    ['one\n', 'one\n'],
    ['two\n', 'one\ntwo\n'],
  ] as const) {
    file.write(line)
    await clock.advance(19)
    assert.equal(existsSync(path) ? await readFile(path, 'utf8') : '', text.replace(line, ''))
    await clock.advance(1)
    while (!existsSync(path) || (await readFile(path, 'utf8')) !== text) await turn()
  }
})

test('those that come while others are written are gathered as well, and none is left behind', async (t) => {
  const path = join(await folder(t), 'access.log')
  const clock = new FakeClock(0)
  const file = new LogFile(path, clock, noTrouble)
  file.write('one\n')
  await clock.advance(20)
  file.write('two\n')
  while ((await readFile(path, 'utf8')) !== 'one\n') await turn()
  while (clock.sleeping === 0) await turn()
  await clock.advance(20)
  while ((await readFile(path, 'utf8')) !== 'one\ntwo\n') await turn()
})

test('much is not waited with', async (t) => {
  const path = join(await folder(t), 'access.log')
  const file = new LogFile(path, new FakeClock(0), noTrouble)
  const line = `${'x'.repeat(300_000)}\n`
  file.write(line)
  file.write(line)
  while (!existsSync(path) || (await stat(path)).size < 2 * line.length) await turn()
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
