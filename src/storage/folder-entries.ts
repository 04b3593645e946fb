import type { Dirent } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isTemporary } from './durable-file.ts'
import { isAbsent, unreadable } from './file-fault.ts'

/** A file or folder of ours. A symbolic link counts as a file: it is never followed. */
export type FolderEntry = { readonly path: string; readonly name: string; readonly isFolder: boolean }

/**
 * What a segment of a key can be called, and what is set aside under it. Anything else is none of ours: the lock, whose file
 * must not even be opened, or a `lost+found` at the top of a file system, which only root can read.
 */
const OURS = /^[a-z0-9._@*-]+$/

/**
 * Everything of ours below a folder, each folder before what is in it, unless that is one of `closed`. Throws StorageError
 * `storage-unreadable`.
 */
export async function* entriesBelow(folder: string, closed: readonly string[] = []): AsyncGenerator<FolderEntry> {
  for (const entry of await entriesOf(folder)) {
    const { name } = entry
    if (!OURS.test(name) && !isTemporary(name)) continue
    const path = join(folder, name)
    if (entry.isDirectory()) {
      yield { path, name, isFolder: true }
      if (!closed.includes(path)) yield* entriesBelow(path, closed)
    } else if (entry.isFile() || entry.isSymbolicLink()) yield { path, name, isFolder: false }
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (isAbsent(error)) return []
    throw unreadable(folder, error)
  }
}
