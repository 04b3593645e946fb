import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openFileStorage } from '../../src/storage/file.ts'
import { type Storage, StorageError, type StorageErrorCode } from '../../src/storage/storage.ts'
import { systemClock } from '../../src/system/clock.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { missing } from '../programs.ts'
import { storageContract } from './contract.ts'

const top = await mkdtemp(join(tmpdir(), 'castellan-storage-'))
after(() => rm(top, { recursive: true, force: true }))

function newFolder(): Promise<string> {
  return mkdtemp(join(top, 's-'))
}

function open(folder: string, log = new RecordingLog()): Promise<Storage> {
  return openFileStorage({ folder, clock: systemClock, log })
}

storageContract('a folder', async () => open(join(await newFolder(), 'deep/er')))

async function fails(action: Promise<unknown>, code: StorageErrorCode, words: RegExp): Promise<void> {
  await assert.rejects(action, (error) => {
    assert.ok(error instanceof StorageError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, words)
    return true
  })
}

test('folders are 0700 and files 0600, whatever the umask', async () => {
  const folder = join(await newFolder(), 'data')
  const umask = process.umask(0)
  try {
    const storage = await open(folder)
    await storage.put('a/b', Buffer.from('x'))
    for (const path of ['', 'a']) assert.equal(statSync(join(folder, path)).mode & 0o777, 0o700)
    for (const path of ['a/b', '.LOCK', '.LOCK-HOLDER']) assert.equal(statSync(join(folder, path)).mode & 0o777, 0o600)
    await storage.close()
  } finally {
    process.umask(umask)
  }
})

test('what was open to others is closed to them, with a warning', async () => {
  const folder = await newFolder()
  await (await open(folder)).close()
  mkdirSync(join(folder, 'accounts'))
  writeFileSync(join(folder, 'accounts/ca'), 'x')
  chmodSync(join(folder, 'accounts/ca'), 0o644)
  for (const path of ['accounts', '']) chmodSync(join(folder, path), 0o755)
  const log = new RecordingLog()
  await (await open(folder, log)).close()
  for (const path of ['', 'accounts']) assert.equal(statSync(join(folder, path)).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, 'accounts/ca')).mode & 0o777, 0o600)
  assert.equal(log.of('storage-was-open').length, 3)
  const again = new RecordingLog()
  await (await open(folder, again)).close()
  assert.equal(again.entries.length, 0)
})

test('of what is vast only the folder is looked at, which is closed to others', async () => {
  const folder = await newFolder()
  const first = await open(folder)
  await first.put('vast/a/b', Buffer.from('1'))
  await first.close()
  chmodSync(join(folder, 'vast'), 0o755)
  chmodSync(join(folder, 'vast/a/b'), 0o644)
  const log = new RecordingLog()
  const storage = await openFileStorage({ folder, vast: ['vast', 'absent'], clock: systemClock, log })
  assert.equal(statSync(join(folder, 'vast')).mode & 0o777, 0o700)
  assert.equal(statSync(join(folder, 'vast/a/b')).mode & 0o777, 0o644)
  assert.equal(log.of('storage-was-open').length, 1)
  assert.deepEqual(await storage.list('vast'), ['vast/a/b'])
  await storage.close()
})

test('a folder of others is refused, and nothing in it is closed to them', async () => {
  const folder = await newFolder()
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'bin/tool'), '#!/bin/sh\n')
  writeFileSync(join(folder, 'castellan.yaml'), 'storage: .\n')
  for (const path of ['', 'bin', 'bin/tool']) chmodSync(join(folder, path), 0o755)
  chmodSync(join(folder, 'castellan.yaml'), 0o644)
  await fails(open(folder), 'storage-foreign', /bin, castellan\.yaml.*Name a folder of its own.*chmod -R go= /s)
  for (const path of ['', 'bin', 'bin/tool']) assert.equal(statSync(join(folder, path)).mode & 0o777, 0o755, path)
  assert.deepEqual(readdirSync(folder).sort(), ['bin', 'castellan.yaml'])
})

test('a folder restored from a backup without its lock, an empty one and one kept by a mark are not foreign', async () => {
  const folder = await newFolder()
  chmodSync(folder, 0o755)
  writeFileSync(join(folder, '.gitkeep'), '', { mode: 0o644 })
  mkdirSync(join(folder, 'certificates'), { mode: 0o700 })
  writeFileSync(join(folder, 'certificates/a.test'), 'x', { mode: 0o600 })
  const storage = await open(folder)
  assert.equal(String(await storage.get('certificates/a.test')), 'x')
  await storage.close()
})

test('a named pipe in the place of a value or of the lock is not waited for', { skip: missing('mkfifo') }, async () => {
  const folder = await newFolder()
  spawnSync('mkfifo', [join(folder, 'a')])
  const storage = await open(folder)
  assert.equal((await storage.get('a'))?.length, 0)
  await storage.close()
  for (const name of ['.LOCK', '.LOCK-HOLDER']) {
    await rm(join(folder, name))
    spawnSync('mkfifo', [join(folder, name)])
    await fails(open(folder), 'storage-unwritable', /is not a file: move it away/)
    await rm(join(folder, name))
  }
})

test('what is being written is never listed, and no key is taken for its remains', async () => {
  const folder = await newFolder()
  const storage = await open(folder)
  const keys = ['.tmp-0123456789abcdef', '.lock', '.probe', 'values/.tmp-0123456789abcdef']
  for (const key of keys) await storage.put(key, Buffer.from(key))
  const writes = Array.from({ length: 50 }, (_, index) => storage.put(`n/${index}`, Buffer.alloc(300_000)))
  for (let look = 0; look < 20; look++)
    for (const key of await storage.list(''))
      assert.match(key, /^n\/\d+$|^(values\/)?\.(tmp-0123456789abcdef|lock|probe)$/)
  await Promise.all(writes)
  await storage.close()
  const reopened = await open(folder)
  for (const key of keys) assert.equal(String(await reopened.get(key)), key)
  await reopened.close()
})

test('the remains of a write that a crash cut short are removed at the next opening', async () => {
  const folder = await newFolder()
  const storage = await open(folder)
  await storage.put('a/b', Buffer.from('x'))
  await storage.close()
  const remains = ['.TMP-0123456789abcdef', 'a/.TMP-fedcba9876543210'].map((name) => join(folder, name))
  for (const path of remains) writeFileSync(path, 'half')
  await (await open(folder)).close()
  assert.deepEqual(remains.filter(existsSync), [])
  assert.ok(existsSync(join(folder, 'a/b')))
})

test('a symbolic link in the place of a value is refused, at the start and later', async () => {
  const folder = await newFolder()
  const storage = await open(folder)
  symlinkSync('/etc/hostname', join(folder, 'link'))
  await fails(storage.get('link'), 'storage-unreadable', /link .*ELOOP.*not followed/)
  await storage.put('link', Buffer.from('replaces the link, not what it points to'))
  assert.match(String(await storage.get('link')), /replaces/)
  symlinkSync('/etc/hostname', join(folder, 'other'))
  await storage.close()
  await fails(open(folder), 'storage-unreadable', /other/)
})

test('a symbolic link in the place of a folder is refused, and nothing beyond it is touched', async () => {
  const [folder, outside] = [await newFolder(), await newFolder()]
  writeFileSync(join(outside, 'b'), 'not ours')
  const storage = await open(folder)
  symlinkSync(outside, join(folder, 'a'))
  await fails(storage.get('a/b'), 'storage-unreadable', /a\/b .*ELOOP.*not followed/)
  await fails(storage.list('a'), 'storage-unreadable', /ELOOP/)
  for (const write of [storage.put('a/b', Buffer.from('x')), storage.put('a/deep/er', Buffer.from('x'))])
    await fails(write, 'storage-unwritable', /ELOOP.*not followed/)
  await fails(storage.delete('a/b'), 'storage-unwritable', /ELOOP/)
  await fails(storage.setAside('a/b'), 'storage-unwritable', /ELOOP/)
  assert.deepEqual(readdirSync(outside), ['b'])
  assert.equal(readFileSync(join(outside, 'b'), 'utf8'), 'not ours')
  await storage.close()
  await fails(open(folder), 'storage-unreadable', /\/a /)
})

test('a symbolic link in the place of the lock is refused, and what it points to stays as it is', async () => {
  for (const name of ['.LOCK', '.LOCK-HOLDER'])
    for (const content of ['', 'not ours']) {
      const [folder, outside] = [await newFolder(), await newFolder()]
      const target = join(outside, 'target')
      writeFileSync(target, content)
      chmodSync(target, 0o644)
      symlinkSync(target, join(folder, name))
      await fails(open(folder), 'storage-unwritable', new RegExp(`${name} is a symbolic link`))
      assert.equal(readFileSync(target, 'utf8'), content)
      assert.equal(statSync(target).mode & 0o777, 0o644)
    }
})

test('the folder itself may be reached over a symbolic link, and is still one folder', async () => {
  const folder = await newFolder()
  const link = join(top, 'link-to-folder')
  symlinkSync(folder, link)
  const storage = await open(link)
  await storage.put('a/b', Buffer.from('x'))
  await fails(open(folder), 'storage-in-use', /in use/)
  await storage.close()
  assert.equal(readFileSync(join(folder, 'a/b'), 'utf8'), 'x')
})

test('a folder in the place of a value is said to be one', async () => {
  const folder = await newFolder()
  const storage = await open(folder)
  mkdirSync(join(folder, 'a'))
  await fails(storage.get('a'), 'storage-unreadable', /\/a .*EISDIR.*folder where a file is expected/)
  await fails(storage.put('a', Buffer.from('x')), 'storage-unwritable', /\/a /)
  await storage.close()
})

test('a file in the place of the folder is said to be one', async () => {
  const path = join(await newFolder(), 'data')
  writeFileSync(path, 'x')
  await fails(open(path), 'storage-unwritable', /data .*EEXIST.*file where a folder is expected/)
})

/** Runs a piece of code as nobody, so that permissions count also where the tests run as root. */
function asNobody(folder: string): string {
  const program = `
    import { openFileStorage } from ${JSON.stringify(new URL('../../src/storage/file.ts', import.meta.url).href)}
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    try {
      await openFileStorage({ folder: ${JSON.stringify(folder)}, clock: { now: Date.now }, log })
      console.log('opened')
    } catch (error) { console.log(error.code + ': ' + error.message) }`
  const isRoot = process.getuid?.() === 0
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    ...(isRoot ? { uid: 65534, gid: 65534 } : {}),
  })
  return stdout + stderr
}

test('a file that may not be read: refuses to open, and says which', async () => {
  const folder = await newFolder()
  chmodSync(top, 0o755)
  mkdirSync(join(folder, 'certificates'), { mode: 0o700 })
  writeFileSync(join(folder, 'certificates/a.test'), 'x')
  chmodSync(join(folder, 'certificates/a.test'), 0o000)
  if (process.getuid?.() === 0) for (const path of ['', 'certificates']) chownSync(join(folder, path), 65534, 65534)
  assert.match(asNobody(folder), /^storage-unreadable: .*certificates\/a\.test .*EACCES.*give this user the right/)
})

test('what a file system keeps in its top folder is none of ours: a lost+found of root hinders nobody', async () => {
  const folder = await newFolder()
  chmodSync(top, 0o755)
  mkdirSync(join(folder, 'lost+found'))
  chmodSync(join(folder, 'lost+found'), 0o000)
  if (process.getuid?.() === 0) chownSync(folder, 65534, 65534)
  assert.equal(asNobody(folder), 'opened\n')
})

test('remains that cannot be removed: refuses to open, and says which', async () => {
  const folder = await newFolder()
  chmodSync(top, 0o755)
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a/.TMP-0123456789abcdef'), 'half')
  chmodSync(join(folder, 'a'), 0o500)
  if (process.getuid?.() === 0) for (const path of ['', 'a']) chownSync(join(folder, path), 65534, 65534)
  assert.match(asNobody(folder), /^storage-unwritable: .*\.TMP-0123456789abcdef .*EACCES.*give this user the right/)
  chmodSync(join(folder, 'a'), 0o700)
})

test('a folder that may not be written: refuses to open, and says so', async () => {
  const folder = await newFolder()
  chmodSync(top, 0o755)
  chmodSync(folder, 0o555)
  assert.match(asNobody(folder), /^storage-unwritable: /)
  assert.match(asNobody(join(folder, 'data')), /^storage-unwritable: .*data .*EACCES/)
})

test('a second opening is refused, in this process and in another, and says who has it', async () => {
  const folder = await newFolder()
  chmodSync(top, 0o755)
  const storage = await open(folder)
  await fails(open(folder), 'storage-in-use', new RegExp(`process ${process.pid} on .* since 20`))
  const { stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'writer.ts'), folder], { encoding: 'utf8' })
  assert.equal(stdout, '')
  await storage.put('a', Buffer.from('the lock outlives reads and writes'))
  assert.equal(spawnSync(process.execPath, [join(import.meta.dirname, 'writer.ts'), folder]).status, 1)
  await storage.close()
  await (await open(folder)).close()
})

test('20 times killed while writing: every value is whole, no lock and no remains are left', async () => {
  const folder = await newFolder()
  for (let round = 0; round < 20; round++) {
    const writer = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(writer.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 10 + round * 7))
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    const storage = await open(folder)
    const keys = await storage.list('values')
    assert.ok(keys.length > 0)
    for (const key of keys) {
      const value = (await storage.get(key))!
      assert.equal(String(value.subarray(0, 64)), createHash('sha256').update(value.subarray(64)).digest('hex'))
    }
    assert.deepEqual(
      readdirSync(join(folder, 'values')).filter((name) => name.startsWith('.')),
      [],
    )
    await storage.close()
  }
})
