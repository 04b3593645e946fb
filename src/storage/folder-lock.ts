import { chmodSync, lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describeError } from '../errors.ts'
import { LinkError } from './file-fault.ts'
import { StorageError } from './storage.ts'

/** SQLite's own files, and ours that says who has the lock. Neither can be a key: keys have no capitals. */
export const LOCK_FILE = '.LOCK'
const HOLDER_FILE = '.LOCK-HOLDER'

/** A second database in this process would share SQLite's lock table, so folders taken by this process are kept here. */
const taken = new Set<string>()

/**
 * Keeps a folder for this process alone. Node has no flock, but SQLite holds the kernel's own lock on a file: it goes with
 * the process however that ends, and also works between containers that share the folder.
 */
export class FolderLock implements Disposable {
  readonly #folder: string
  readonly #database: DatabaseSync

  private constructor(folder: string, database: DatabaseSync) {
    this.#folder = folder
    this.#database = database
  }

  /**
   * `now`, in ms since 1970, is what a second process is told that the folder is taken since. Throws StorageError
   * `storage-in-use`, naming the process that has the folder, or `storage-unwritable`.
   */
  static take(folder: string, now: number): FolderLock {
    if (taken.has(folder)) throw inUse(folder)
    let database: DatabaseSync | undefined
    try {
      for (const name of [LOCK_FILE, HOLDER_FILE]) refuseOther(join(folder, name))
      database = new DatabaseSync(join(folder, LOCK_FILE))
      database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
      chmodSync(join(folder, LOCK_FILE), 0o600)
      const holder = `process ${process.pid} on ${hostname()} since ${new Date(now).toISOString()}\n`
      writeFileSync(join(folder, HOLDER_FILE), holder, { mode: 0o600 })
    } catch (error) {
      database?.close()
      if (isBusy(error)) throw inUse(folder)
      throw new StorageError(
        'storage-unwritable',
        `The storage folder ${folder} cannot be locked: ${describeError(error)}. It must be writable, and on a file system with locks.`,
        { path: folder },
        { cause: error },
      )
    }
    taken.add(folder)
    return new FolderLock(folder, database)
  }

  [Symbol.dispose](): void {
    taken.delete(this.#folder)
    this.#database.close()
  }
}

/**
 * Planted while the folder was open to others, a link would have us write to a file of somebody's choice, and a named pipe
 * would have us wait for ever.
 */
function refuseOther(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats?.isSymbolicLink()) throw new LinkError(path)
  if (stats?.isFile() === false) throw new Error(`${path} is not a file: move it away`)
}

/** https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}

function inUse(folder: string): StorageError {
  const holder = readHolder(folder)
  return new StorageError(
    'storage-in-use',
    `The storage folder ${folder} is in use by ${holder ?? 'another process'}: only one Castellan at a time may use a folder. Stop that one, or give this one another folder under "storage".`,
    { path: folder, holder },
  )
}

function readHolder(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, HOLDER_FILE), 'utf8').trim()
  } catch {
    // It says no more than who: without it the message is only less helpful.
    return undefined
  }
}
