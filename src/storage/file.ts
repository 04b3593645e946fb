import { open, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import { makePrivateFolder, PRIVATE_FOLDER_MODE, syncFolder, writePrivateFile } from './durable-file.ts'
import { isAbsent, unwritable } from './file-fault.ts'
import { exists, FileReader } from './file-reader.ts'
import { FolderLock } from './folder-lock.ts'
import { refuseForeignFolder } from './foreign-folder.ts'
import { inspectFolder, tighten } from './inspection.ts'
import { type Storage, StorageError } from './storage.ts'

type FileStorageOptions = {
  readonly folder: string
  /**
   * First segments of keys below which there may be hundreds of thousands: what is there is looked at when it is used, as
   * to look at all of it would take minutes. No more people can reach it than the folder, which is closed to others.
   */
  readonly vast?: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

/**
 * Opens the storage in a folder, made if it is not there: a file for each key. Everything in it but what is vast is looked at
 * first, so that what cannot be used is known before anything is served. Throws StorageError.
 */
export async function openFileStorage({ folder, vast = [], clock, log }: FileStorageOptions): Promise<Storage> {
  const root = resolve(folder)
  await prepareRoot(root, log)
  const lock = FolderLock.take(await realpath(root), clock.now())
  try {
    await inspectFolder(root, log, vast)
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

/** Below the folder, but no key. */
const SET_ASIDE = 'set-aside'

class FileStorage implements Storage {
  readonly #root: string
  readonly #reader: FileReader
  readonly #clock: Clock
  readonly #lock: FolderLock
  #isClosed = false

  constructor(root: string, clock: Clock, lock: FolderLock) {
    this.#root = root
    this.#reader = new FileReader(root)
    this.#clock = clock
    this.#lock = lock
  }

  async get(key: string): Promise<Buffer | undefined> {
    this.#refuseIfClosed('storage-unreadable', this.locate(key))
    return this.#reader.get(key)
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    const path = this.locate(key)
    this.#refuseIfClosed('storage-unwritable', path)
    try {
      await this.#reader.refuseLinks(dirname(path))
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
      await this.#reader.refuseLinks(dirname(path))
      await rm(path)
      await syncFolder(dirname(path))
    } catch (error) {
      if (!isAbsent(error)) throw unwritable(path, error)
    }
  }

  async list(prefix: string): Promise<string[]> {
    this.#refuseIfClosed('storage-unreadable', prefix === '' ? this.#root : this.locate(prefix))
    return this.#reader.list(prefix)
  }

  async setAside(key: string): Promise<string> {
    const path = this.locate(key)
    this.#refuseIfClosed('storage-unwritable', path)
    const stamp = new Date(this.#clock.now()).toISOString().toLowerCase().replaceAll(':', '-')
    try {
      await this.#reader.refuseLinks(dirname(path))
      for (let copy = 0; ; copy++) {
        const aside = join(this.#root, SET_ASIDE, `${key}.${stamp}${copy === 0 ? '' : `-${copy}`}`)
        await this.#reader.refuseLinks(dirname(aside))
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
    return this.#reader.locate(key)
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
}
