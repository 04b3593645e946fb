import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode } from '../errors.ts'

/** What a crash may leave behind. No key looks like this, as keys have no capitals. */
const TEMPORARY = /^\.TMP-[0-9a-f]{16}$/

export const PRIVATE_FILE_MODE = 0o600
export const PRIVATE_FOLDER_MODE = 0o700

/** Whether a file of this name was being written when its process ended. */
export function isTemporary(name: string): boolean {
  return TEMPORARY.test(name)
}

/**
 * Opens for reading. A symbolic link is not followed (ELOOP): whoever can plant one must not choose what we read. Nor is
 * the writer of a named pipe waited for (O_NONBLOCK).
 */
export function openPrivateFile(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
}

/** The whole file. */
export async function readPrivateFile(path: string): Promise<Buffer> {
  const file = await openPrivateFile(path)
  try {
    return await file.readFile()
  } finally {
    await file.close()
  }
}

/**
 * Replaces a file so that a crash at any instant leaves the old one or the new one, whole: written aside, synced, renamed,
 * and the folder synced, as only that makes the new name survive a power failure.
 */
export async function writePrivateFile(path: string, value: Uint8Array): Promise<void> {
  const folder = dirname(path)
  const aside = join(folder, `.TMP-${randomBytes(8).toString('hex')}`)
  const file = await open(aside, 'wx', PRIVATE_FILE_MODE)
  try {
    await writeAndSync(file, value)
    await rename(aside, path)
  } catch (error) {
    await unlink(aside).catch(() => {})
    throw error
  }
  await syncFolder(folder)
}

async function writeAndSync(file: FileHandle, value: Uint8Array): Promise<void> {
  try {
    await file.writeFile(value)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Creates a folder and those above it, private, and makes their names survive a power failure. */
export async function makePrivateFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: PRIVATE_FOLDER_MODE })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made))
}

/** File systems that cannot sync a folder say so, and need none. */
const UNSYNCABLE = new Set(['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP', 'EACCES'])

/** Makes renames and removals in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle | undefined
  try {
    folder = await open(path, 'r')
    await folder.sync()
  } catch (error) {
    if (!UNSYNCABLE.has(errorCode(error) ?? '')) throw error
  } finally {
    await folder?.close()
  }
}
