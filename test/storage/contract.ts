import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Storage, StorageError } from '../../src/storage/storage.ts'

/** What every storage must do. `open` gives a new and empty one. */
export function storageContract(name: string, open: () => Promise<Storage>): void {
  const check = (rule: string, run: (storage: Storage) => Promise<void>): void => {
    test(`${name}: ${rule}`, async () => {
      const storage = await open()
      try {
        await run(storage)
      } finally {
        await storage.close()
      }
    })
  }

  check('a value is there once it was put, and undefined before', async (storage) => {
    assert.equal(await storage.get('a/b'), undefined)
    await storage.put('a/b', Buffer.from('one'))
    assert.equal(String(await storage.get('a/b')), 'one')
  })

  check('a value replaces the former, also by an empty or a large one', async (storage) => {
    for (const value of [Buffer.from('one'), Buffer.alloc(0), Buffer.alloc(3_000_000, 7)]) {
      await storage.put('a', value)
      assert.deepEqual(await storage.get('a'), value)
    }
  })

  check('a value is the storage’s own: changing the buffer afterwards changes nothing', async (storage) => {
    const value = Buffer.from('one')
    await storage.put('a', value)
    value.fill(0)
    assert.equal(String(await storage.get('a')), 'one')
  })

  check('delete removes a value, and nothing where there is none', async (storage) => {
    await storage.put('a/b', Buffer.from('one'))
    await storage.delete('a/b')
    await storage.delete('a/b')
    await storage.delete('x/y')
    assert.equal(await storage.get('a/b'), undefined)
    assert.deepEqual(await storage.list(''), [])
  })

  check('list gives all keys below whole segments, sorted', async (storage) => {
    for (const key of ['b', 'a/2', 'a/1/x', 'ab/1', 'a/*.example.com.rsa-2048'])
      await storage.put(key, Buffer.from(key))
    assert.deepEqual(await storage.list(''), ['a/*.example.com.rsa-2048', 'a/1/x', 'a/2', 'ab/1', 'b'])
    assert.deepEqual(await storage.list('a'), ['a/*.example.com.rsa-2048', 'a/1/x', 'a/2'])
    assert.deepEqual(await storage.list('none'), [])
  })

  check('what is set aside is no longer there, nor listed, and its new place is said', async (storage) => {
    await storage.put('a/b', Buffer.from('damaged'))
    const first = await storage.setAside('a/b')
    assert.equal(await storage.get('a/b'), undefined)
    assert.deepEqual(await storage.list(''), [])
    await storage.put('a/b', Buffer.from('damaged again'))
    assert.notEqual(await storage.setAside('a/b'), first)
    assert.ok(storage.locate('a/b').includes('a/b'))
  })

  check('what is closed reads and writes nothing any more, and may be closed again', async (storage) => {
    await storage.put('a', Buffer.from('x'))
    await storage.close()
    await storage.close()
    const isStorageError = (error: unknown): boolean => error instanceof StorageError
    for (const action of [
      storage.get('a'),
      storage.list(''),
      storage.put('a', Buffer.from('y')),
      storage.delete('a'),
      storage.setAside('a'),
    ])
      await assert.rejects(action, isStorageError)
  })

  for (const key of [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    '.',
    '..',
    'a/../b',
    'A',
    'ä',
    'a b',
    'a\0b',
    'a\\b',
    'x'.repeat(201),
  ])
    check(`${JSON.stringify(key).slice(0, 20)} is no key`, async (storage) => {
      const isKeyError = (error: unknown): boolean =>
        error instanceof StorageError && error.code === 'storage-key-invalid'
      await assert.rejects(storage.put(key, Buffer.from('x')), isKeyError)
      await assert.rejects(storage.get(key), isKeyError)
    })

  check('many values at once are all kept', async (storage) => {
    const keys = Array.from({ length: 200 }, (_, index) => `n/${index}`)
    await Promise.all(keys.map((key) => storage.put(key, Buffer.from(key))))
    for (const key of keys) assert.equal(String(await storage.get(key)), key)
  })

  check('of two values put at once under one key, one is there, whole', async (storage) => {
    const [a, b] = [Buffer.alloc(500_000, 'a'), Buffer.alloc(500_000, 'b')]
    await Promise.all([storage.put('k', a), storage.put('k', b)])
    const kept = await storage.get('k')
    assert.ok(kept?.equals(a) || kept?.equals(b))
  })
}
