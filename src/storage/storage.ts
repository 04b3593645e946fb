import { CastellanError } from '../errors.ts'

/**
 * What Castellan must not lose, by key. A contract that each kind of storage keeps and one test suite checks:
 *
 * - A key is `/`-separated segments of 1 to 200 characters `[a-z0-9._@*-]`, none of them `.` or `..` (`certificates/internal/a.test`).
 * - `put` is all or nothing: after a crash at any instant, `get` gives the old value or the new, whole, never a mix.
 *   When it resolves, the value survives a power failure.
 * - While one process has the storage open, a second open fails with `storage-in-use`; a crash leaves no lock behind.
 * - Values may be secrets: nobody but the owner can read them.
 */
export interface Storage {
  /** The value, or undefined if there is none. Throws StorageError `storage-unreadable`. */
  get(key: string): Promise<Buffer | undefined>
  /** Throws StorageError `storage-unwritable`; the old value then stands. */
  put(key: string, value: Uint8Array): Promise<void>
  /** Nothing happens if there is none. */
  delete(key: string): Promise<void>
  /** Every key below a prefix of whole segments (`certificates/internal`), sorted. `''` lists all. */
  list(prefix: string): Promise<string[]>
  /**
   * Moves a damaged value out of the way, never deleting it, and says where it went in words that an operator can follow
   * (a path, for a folder).
   */
  setAside(key: string): Promise<string>
  /** Where an operator finds this key: a path, for a folder. */
  locate(key: string): string
  /** Ends the use of the storage and gives up the lock: all else then throws StorageError, and a second call does nothing. */
  close(): Promise<void>
}

/** What one can do with a storage without changing it. */
export type StorageReader = Pick<Storage, 'get' | 'list' | 'locate'>

export type StorageErrorCode =
  | 'storage-in-use'
  | 'storage-foreign'
  | 'storage-unreadable'
  | 'storage-unwritable'
  | 'storage-key-invalid'

/** What went wrong with the storage, and at which file or key (`facts.path`). */
export class StorageError extends CastellanError {
  declare readonly code: StorageErrorCode
}
