import { type FileHandle, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../telemetry/log.ts'
import {
  isTemporary,
  openPrivateFile,
  PRIVATE_FILE_MODE,
  PRIVATE_FOLDER_MODE,
  writePrivateFile,
} from './durable-file.ts'
import { unreadable, unwritable } from './file-fault.ts'
import { entriesBelow, type FolderEntry } from './folder-entries.ts'

/**
 * Looks at everything in a folder that is locked for us: removes what a crash left half-written, closes what is open to
 * others, finds what cannot be read, and whether it can be written. Of each of the `vast` folders in it, only that folder
 * itself is looked at. Throws StorageError.
 */
export async function inspectFolder(root: string, log: Log, vast: readonly string[] = []): Promise<void> {
  for await (const entry of entriesBelow(
    root,
    vast.map((name) => join(root, name)),
  )) {
    if (isTemporary(entry.name)) await removeRemains(entry.path)
    else await inspect(entry, log)
  }
  await probe(root)
}

/** Closes a file or folder that is open to others, with a warning. Rejects with the system's error. */
export async function tighten(file: FileHandle, path: string, mode: number, log: Log): Promise<void> {
  const now = (await file.stat()).mode & 0o777
  if ((now & ~mode) === 0) return
  await file.chmod(mode)
  const message = `${path} was open to others (mode ${now.toString(8)}) and is now its owner's alone (${mode.toString(8)}): there are private keys below.`
  log.warn('storage-was-open', message, { path, mode: now.toString(8) })
}

async function removeRemains(path: string): Promise<void> {
  try {
    await rm(path)
  } catch (error) {
    throw unwritable(path, error)
  }
}

/** By its handle, so that what is tightened is what was opened. */
async function inspect({ path, isFolder }: FolderEntry, log: Log): Promise<void> {
  let file: FileHandle | undefined
  try {
    file = await openPrivateFile(path)
    await tighten(file, path, isFolder ? PRIVATE_FOLDER_MODE : PRIVATE_FILE_MODE, log)
  } catch (error) {
    throw unreadable(path, error)
  } finally {
    await file?.close()
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
