import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { LogFile } from '../../src/telemetry/log-file.ts'

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'castellan-log-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

const noTrouble = (message: string): void => assert.fail(message)

test('lines are in the file in their order, whoever else writes there', async (t) => {
  const path = join(await folder(t), 'access.log')
  const [one, other] = [new LogFile(path, noTrouble), new LogFile(path, noTrouble)]
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
    const file = new LogFile(path, noTrouble)
    file.write(line)
    await file.flushed()
  }
  assert.equal(await readFile(path, 'utf8'), 'first\nsecond\n')
})

test('after it was moved and opened anew, lines go to a new file, and none is lost between', async (t) => {
  const place = await folder(t)
  const path = join(place, 'access.log')
  const file = new LogFile(path, noTrouble)
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
  const file = new LogFile(join(place, 'sub/access.log'), (message) => troubles.push(message))
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
  const file = new LogFile('/dev/full', (message) => troubles.push(message))
  file.write('one\n')
  await file.flushed()
  assert.match(troubles[0]!, /ENOSPC/)
})

test('lines that wait for a slow disk are bounded, and those that were lost are counted', async (t) => {
  const troubles: string[] = []
  const file = new LogFile(join(await folder(t), 'access.log'), (message) => troubles.push(message))
  const line = `${'x'.repeat(64 * 1024 - 1)}\n`
  for (let count = 0; count < 1000; count++) file.write(line)
  await file.flushed()
  assert.match(troubles[0]!, /^9\d\d lines of .* were lost/)
})
