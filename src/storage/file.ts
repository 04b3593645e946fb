import { lstat, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import {
  makePrivateFolder,
  PRIVATE_FOLDER_MODE,
  readPrivateFile,
  syncFolder,
  writePrivateFile,
} from './durable-file.ts'
import { isAbsent, LinkError, unreadable, unwritable } from './file-fault.ts'
import { entriesBelow } from './folder-entries.ts'
import { FolderLock } from './folder-lock.ts'
import { refuseForeignFolder } from './foreign-folder.ts'
import { inspectFolder, tighten } from './inspection.ts'
import { type Storage, StorageError } from './storage.ts'

type FileStorageOptions = { readonly folder: string; readonly clock: Clock; readonly log: Log }

/**
 * Opens the storage in a folder, made if it is not there: a file for each key. Everything in it is looked at first, so that
 * what cannot be used is known before anything is served. Throws StorageError.
 */
export async function openFileStorage({ folder, clock, log }: FileStorageOptions): Promise<Storage> {
  const root = resolve(folder)
  await prepareRoot(root, log)
  const lock = FolderLock.take(await realpath(root), clock.now())
  try {
    await inspectFolder(root, log)
    return new FileStorage(root, clock, lock)
  } catch (error) {
    lock[Symbol.dispose]()
    throw error
  }
}

/** The root may be a symbolic link: where it leads is the operator's choice. */
async function prepareRoot(root: string, log: Log): Promise<void> {
  try {
    await makePrivateFolder(root)
    await refuseForeignFolder(root)
    const folder = await open(root, 'r')
    try {
      await tighten(folder, root, PRIVATE_FOLDER_MODE, log)
    } finally {
      await folder.close()
    }
  } catch (error) {
    throw unwritable(root, error)
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
  #isClosed = false

  constructor(root: string, clock: Clock, lock: FolderLock) {
    this.#root = root
    this.#clock = clock
    this.#lock = lock
  }

  async get(key: string): Promise<Buffer | undefined> {
    const path = this.locate(key)
    this.#refuseIfClosed('storage-unreadable', path)
    try {
      await this.#refuseLinks(dirname(path))
      return await readPrivateFile(path)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw unreadable(path, error)
    }
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    const path = this.locate(key)
    this.#refuseIfClosed('storage-unwritable', path)
    try {
      await this.#refuseLinks(dirname(path))
      await makePrivateFolder(dirname(path))
      await writePrivateFile(path, value)
    } catch (error) {
      throw unwritable(path, error)
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.locate(key)
    this.#refuseIfClosed('storage-unwritable', path)
    try {
      await this.#refuseLinks(dirname(path))
      await rm(path)
      await syncFolder(dirname(path))
    } catch (error) {
      if (!isAbsent(error)) throw unwritable(path, error)
    }
  }

  async list(prefix: string): Promise<string[]> {
    const folder = prefix === '' ? this.#root : this.locate(prefix)
    this.#refuseIfClosed('storage-unreadable', folder)
    await this.#refuseLinks(folder).catch((error) => {
      throw unreadable(folder, error)
    })
    const keys: string[] = []
    for await (const { path, isFolder } of entriesBelow(folder)) {
      const key = relative(this.#root, path)
      if (!isFolder && KEY.test(key)) keys.push(key)
    }
    return keys.sort()
  }

  async setAside(key: string): Promise<string> {
    const path = this.locate(key)
    this.#refuseIfClosed('storage-unwritable', path)
    const stamp = new Date(this.#clock.now()).toISOString().toLowerCase().replaceAll(':', '-')
    try {
      await this.#refuseLinks(dirname(path))
      for (let copy = 0; ; copy++) {
        const aside = join(this.#root, SET_ASIDE, `${key}.${stamp}${copy === 0 ? '' : `-${copy}`}`)
        await this.#refuseLinks(dirname(aside))
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
    if (this.#isClosed) return
    this.#isClosed = true
    this.#lock[Symbol.dispose]()
  }

  /** Without the lock, another process may be the folder's owner already. */
  #refuseIfClosed(code: 'storage-unreadable' | 'storage-unwritable', path: string): void {
    if (this.#isClosed) throw new StorageError(code, `The storage is closed: ${path} is out of reach.`, { path })
  }

  /** O_NOFOLLOW looks at the last segment only; this looks at a folder and those above it, up to the root. */
  async #refuseLinks(folder: string): Promise<void> {
    for (let above = folder; above !== this.#root; above = dirname(above))
      if (await isLink(above)) throw new LinkError(above)
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
