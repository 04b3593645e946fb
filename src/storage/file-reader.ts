import { lstat } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { readPrivateFile } from './durable-file.ts'
import { isAbsent, LinkError, unreadable } from './file-fault.ts'
import { entriesBelow } from './folder-entries.ts'
import { StorageError, type StorageReader } from './storage.ts'

/** Segments are file names, of at most 255 bytes on every file system; a suffix of ours must still fit. */
const KEY = /^(?!set-aside(?:\/|$))(?:(?!\.{1,2}(?:\/|$))[a-z0-9._@*-]{1,200}(?:\/(?!$)|$))+$/

/**
 * Reads the storage in a folder and changes nothing, not even the lock: a program may be using it, whose values are
 * replaced as wholes. Of a folder that is not there it says that it holds nothing.
 */
export class FileReader implements StorageReader {
  readonly #root: string
  /** Folders that are being looked at: of many values that are read at once, one look does for all in a folder. */
  readonly #looks = new Map<string, Promise<void>>()

  constructor(folder: string) {
    this.#root = resolve(folder)
  }

  async get(key: string): Promise<Buffer | undefined> {
    const path = this.locate(key)
    try {
      await this.refuseLinks(dirname(path))
      return await readPrivateFile(path)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw unreadable(path, error)
    }
  }

  async list(prefix: string): Promise<string[]> {
    const folder = prefix === '' ? this.#root : this.locate(prefix)
    await this.refuseLinks(folder).catch((error) => {
      throw unreadable(folder, error)
    })
    const keys: string[] = []
    for await (const { path, isFolder } of entriesBelow(folder)) {
      const key = relative(this.#root, path)
      if (!isFolder && KEY.test(key)) keys.push(key)
    }
    return keys.sort()
  }

  locate(key: string): string {
    if (KEY.test(key)) return join(this.#root, key)
    throw new StorageError('storage-key-invalid', `${JSON.stringify(key)} cannot be a key of the storage.`, { key })
  }

  /** O_NOFOLLOW looks at the last segment only; this looks at a folder and those above it, up to the root. Throws LinkError. */
  refuseLinks(folder: string): Promise<void> {
    const before = this.#looks.get(folder)
    if (before !== undefined) return before
    const look = this.#look(folder).finally(() => this.#looks.delete(folder))
    this.#looks.set(folder, look)
    return look
  }

  async #look(folder: string): Promise<void> {
    const folders: string[] = []
    for (let above = folder; above !== this.#root; above = dirname(above)) folders.push(above)
    // All at once: whoever comes for a name on demand waits for this.
    const areLinks = await Promise.all(folders.map(isLink))
    const link = areLinks.indexOf(true)
    if (link >= 0) throw new LinkError(folders[link]!)
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

/** Whether anything stands at a path, a symbolic link that leads nowhere too. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (isAbsent(error)) return false
    throw error
  }
}
