import { describeError, errorCode } from '../errors.ts'
import { StorageError } from './storage.ts'

/** What an operator can do about the system's commonest reasons. */
const ADVICE: Record<string, string> = {
  EACCES: 'give this user the right to read and write it, or run as its owner',
  EPERM: 'give this user the right to read and write it, or run as its owner',
  EROFS: 'the file system is mounted read-only: name another folder under "storage"',
  ENOSPC: 'the disk is full: make room',
  EDQUOT: "this user's quota is used up: make room",
  EIO: 'the disk fails: look at the system log, and have the backup at hand',
  ENOENT: 'a symbolic link leads nowhere, or a folder was removed: put it back, or name another folder under "storage"',
  ELOOP: 'it is a symbolic link or lies beyond one, which is not followed: put what it points to in its place',
  EISDIR: 'it is a folder where a file is expected: move it away',
  EEXIST: 'it is a file where a folder is expected: move it away, or name another folder under "storage"',
  ENOTDIR: 'there is a file where a folder is expected: move it away, or name another folder under "storage"',
}

/** A symbolic link stands where a value or its folder should: the system's own code for it, as O_NOFOLLOW gives it. */
export class LinkError extends Error {
  readonly code = 'ELOOP'

  constructor(path: string) {
    super(`${path} is a symbolic link, which is not followed`)
  }
}

/** `storage-unreadable`: the path, the system's reason and what to do about it. A StorageError stays as it is. */
export function unreadable(path: string, cause: unknown): StorageError {
  return fileFault('storage-unreadable', `${path} in the storage cannot be read`, path, cause)
}

/** `storage-unwritable`: the path, the system's reason and what to do about it. A StorageError stays as it is. */
export function unwritable(path: string, cause: unknown): StorageError {
  return fileFault('storage-unwritable', `${path} in the storage cannot be written`, path, cause)
}

/** Whether an error says that there is nothing at this path. */
export function isAbsent(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function fileFault(
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
