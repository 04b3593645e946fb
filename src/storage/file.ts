import { chmod, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { describeError, errorCode } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import {
  isTemporary,
  makePrivateFolder,
  openPrivateFile,
  PRIVATE_FILE_MODE,
  PRIVATE_FOLDER_MODE,
  readPrivateFile,
  syncFolder,
  writePrivateFile,
} from './durable-file.ts'
import { FolderLock } from './folder-lock.ts'
import { type Storage, StorageError } from './storage.ts'

type FileStorageOptions = { readonly folder: string; readonly clock: Clock; readonly log: Log }

/**
 * Opens the storage in a folder, made if it is not there: a file for each key. Everything in it is looked at first, so that
 * what cannot be used is known before anything is served. Throws StorageError.
 */
export async function openFileStorage({ folder, clock, log }: FileStorageOptions): Promise<Storage> {
  const root = resolve(folder)
  try {
    await makePrivateFolder(root)
    await tighten(root, PRIVATE_FOLDER_MODE, log)
  } catch (error) {
    throw unwritable(root, error)
  }
  const lock = FolderLock.take(await realpath(root))
  try {
    await sweep(root, log)
    await probe(root)
    return new FileStorage(root, clock, lock)
  } catch (error) {
    lock[Symbol.dispose]()
    throw error
  }
}

/** Segments are file names, of at most 255 bytes on every file system; a suffix of ours must still fit. */
const KEY = /^(?!set-aside(?:\/|$))(?:(?!\.{1,2}(?:\/|$))[a-z0-9._@*-]{1,200}(?:\/(?!$)|$))+$/

/** Below the folder, but no key. */
const SET_ASIDE = 'set-aside'

class FileStorage implements Storage {
  readonly #root: string
  readonly #clock: Clock
  readonly #lock: FolderLock

  constructor(root: string, clock: Clock, lock: FolderLock) {
    this.#root = root
    this.#clock = clock
    this.#lock = lock
  }

  async get(key: string): Promise<Buffer | undefined> {
    const path = this.locate(key)
    try {
      return await readPrivateFile(path)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw unreadable(path, error)
    }
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    const path = this.locate(key)
    try {
      await makePrivateFolder(dirname(path))
      await writePrivateFile(path, value)
    } catch (error) {
      throw unwritable(path, error)
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.locate(key)
    try {
      await rm(path)
      await syncFolder(dirname(path))
    } catch (error) {
      if (!isAbsent(error)) throw unwritable(path, error)
    }
  }

  async list(prefix: string): Promise<string[]> {
    const folder = prefix === '' ? this.#root : this.locate(prefix)
    const keys: string[] = []
    for await (const path of filesBelow(folder)) {
      const key = relative(this.#root, path)
      if (KEY.test(key)) keys.push(key)
    }
    return keys.sort()
  }

  async setAside(key: string): Promise<string> {
    const path = this.locate(key)
    const stamp = new Date(this.#clock.now()).toISOString().toLowerCase().replaceAll(':', '-')
    try {
      for (let copy = 0; ; copy++) {
        const aside = join(this.#root, SET_ASIDE, `${key}.${stamp}${copy === 0 ? '' : `-${copy}`}`)
        await makePrivateFolder(dirname(aside))
        if (await exists(aside)) continue
        await rename(path, aside)
        await syncFolder(dirname(aside))
        await syncFolder(dirname(path))
        return aside
      }
    } catch (error) {
      throw unwritable(path, error)
    }
  }

  locate(key: string): string {
    if (KEY.test(key)) return join(this.#root, key)
    throw new StorageError('storage-key-invalid', `${JSON.stringify(key)} cannot be a key of the storage.`, { key })
  }

  async close(): Promise<void> {
    this.#lock[Symbol.dispose]()
  }
}

/**
 * Removes what a crash left half-written, closes what is open to others, and finds what cannot be read. The lock's file is
 * left alone: the kernel drops a process's lock on a file as soon as that process closes any descriptor of it.
 */
async function sweep(root: string, log: Log): Promise<void> {
  for await (const path of filesBelow(root)) {
    const name = basename(path)
    if (isTemporary(name)) await rm(path)
    else if (!name.startsWith('.')) await check(path, log)
  }
}

async function check(path: string, log: Log): Promise<void> {
  try {
    const file = await openPrivateFile(path)
    await file.close()
    await tighten(path, PRIVATE_FILE_MODE, log)
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** A full or read-only disk shows now, and not when the first certificate is to be stored. */
async function probe(root: string): Promise<void> {
  const path = join(root, '.PROBE')
  try {
    await writePrivateFile(path, Buffer.from('Castellan checks that it can write here.\n'))
    await rm(path)
  } catch (error) {
    throw unwritable(path, error)
  }
}

async function tighten(path: string, mode: number, log: Log): Promise<void> {
  const now = (await stat(path)).mode & 0o777
  if ((now & ~mode) === 0) return
  await chmod(path, mode)
  const message = `${path} was open to others (mode ${now.toString(8)}) and is now its owner's alone (${mode.toString(8)}): there are private keys below.`
  log.warn('storage-was-open', message, { path, mode: now.toString(8) })
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  let entries: Awaited<ReturnType<typeof readEntries>>
  try {
    entries = await readEntries(folder)
  } catch (error) {
    if (isAbsent(error)) return
    throw unreadable(folder, error)
  }
  for (const entry of entries) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesBelow(path)
    else if (entry.isFile() || entry.isSymbolicLink()) yield path
  }
}

function readEntries(folder: string) {
  return readdir(folder, { withFileTypes: true })
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

function isAbsent(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** What an operator can do about the system's commonest reasons. */
const ADVICE: Record<string, string> = {
  EACCES: 'give this user the right to read and write it, or run as its owner',
  EPERM: 'give this user the right to read and write it, or run as its owner',
  EROFS: 'the file system is mounted read-only: name another folder under "storage"',
  ENOSPC: 'the disk is full: make room',
  EDQUOT: "this user's quota is used up: make room",
  EIO: 'the disk fails: look at the system log, and have the backup at hand',
  ELOOP: 'it is a symbolic link, which is not followed: put a file in its place',
  EISDIR: 'it is a folder where a file is expected: move it away',
  EEXIST: 'it is a file where a folder is expected: move it away, or name another folder under "storage"',
  ENOTDIR: 'there is a file where a folder is expected: move it away, or name another folder under "storage"',
}

function unreadable(path: string, cause: unknown): StorageError {
  return storageError('storage-unreadable', `${path} in the storage cannot be read`, path, cause)
}

function unwritable(path: string, cause: unknown): StorageError {
  return storageError('storage-unwritable', `${path} in the storage cannot be written`, path, cause)
}

function storageError(
  code: 'storage-unreadable' | 'storage-unwritable',
  what: string,
  path: string,
  cause: unknown,
): StorageError {
  if (cause instanceof StorageError) return cause
  const reason = errorCode(cause)
  const advice = ADVICE[reason ?? ''] ?? 'the system’s reason says what to look at'
  const facts = { path, cause: reason }
  return new StorageError(code, `${what} (${reason ?? describeError(cause)}): ${advice}.`, facts, { cause })
}
