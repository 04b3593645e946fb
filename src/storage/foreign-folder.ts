import type { Dirent } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { shellWord } from '../system/shell-word.ts'
import { LOCK_FILE } from './folder-lock.ts'
import { StorageError } from './storage.ts'

/** As many as a person needs to see whose folder it is. */
const MAX_NAMED = 3

/**
 * Refuses a folder that Castellan has never had and that holds what is open to others: `/`, `/etc` or a project named by
 * mistake. Everything in it would be closed to all but its owner, and programs could no longer be run. Throws StorageError
 * `storage-foreign`, or rejects with the system's error.
 */
export async function refuseForeignFolder(root: string): Promise<void> {
  const entries = await readdir(root, { withFileTypes: true })
  if (entries.some(({ name }) => name === LOCK_FILE)) return
  const open: string[] = []
  for (const entry of entries) {
    if (open.length < MAX_NAMED && (await isOpenToOthers(root, entry))) open.push(entry.name)
  }
  if (open.length === 0) return
  throw new StorageError(
    'storage-foreign',
    `The storage folder ${root} holds what Castellan did not make and others may use (${open.join(', ')}): it keeps keys ` +
      'and closes all that is there to everyone but its owner. Name a folder of its own under "storage". If this is its ' +
      `own, from a backup say, close it first: chmod -R go= ${shellWord(root)}`,
    { path: root, open },
  )
}

/** Marks that keep an empty folder in a repository, and what a file system keeps at its top, are nobody's content. */
function isNoContent(entry: Dirent): boolean {
  return entry.name === 'lost+found' || (entry.isFile() && entry.name.startsWith('.'))
}

async function isOpenToOthers(root: string, entry: Dirent): Promise<boolean> {
  if (isNoContent(entry) || !(entry.isFile() || entry.isDirectory())) return false
  return ((await lstat(join(root, entry.name))).mode & 0o077) !== 0
}
