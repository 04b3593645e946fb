import { chmod, lstat, mkdtemp, rmdir, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { MAX_SOCKET_PATH_BYTES } from '../config/socket-path.ts'
import { openPrivateFile, writePrivateFile } from '../storage/durable-file.ts'

/** In the storage folder, which is its owner's alone. */
const SOCKET = 'control.sock'

/** In its place where the file system has no sockets or the path is too long for one: a file that holds the path. */
const POINTER = 'control.path'

/** A path and some room: more is none. */
const MAX_POINTER_BYTES = 1024

/** Where a socket can be, and what must be done to be found there. */
export type SocketPlace = {
  readonly path: string
  /** Lets others find it, and makes it its owner's alone. Call it once the socket is there. */
  publish(): Promise<void>
  /** Leaves nothing behind. */
  remove(): Promise<void>
}

/** Whether a Unix socket can have this path: Node would cut a longer one short in silence. */
export function fitsSocket(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES
}

/** The place in the storage folder. Removes the socket of a program that has died: the folder is locked for us. */
export async function placeInStorage(folder: string): Promise<SocketPlace> {
  const path = join(folder, SOCKET)
  await removeFormer(folder)
  return {
    path,
    publish: () => chmod(path, 0o600),
    // Node has removed the socket itself when its server closed.
    remove: async () => {},
  }
}

/** A short path in a private folder of its own, below the system's for temporary files. */
export async function placeElsewhere(folder: string): Promise<SocketPlace> {
  const pointer = join(folder, POINTER)
  const own = await mkdtemp(join(tmpdir(), 'castellan-'))
  const path = join(own, SOCKET)
  return {
    path,
    publish: async () => {
      await chmod(path, 0o600)
      await writePrivateFile(pointer, Buffer.from(`${path}\n`))
    },
    remove: async () => {
      await unlink(pointer).catch(() => {})
      await rmdir(own).catch(() => {})
    },
  }
}

/** Where a program that has this storage folder may be reached, the likeliest first. */
export async function findSockets(folder: string): Promise<string[]> {
  const inside = join(folder, SOCKET)
  const elsewhere = await readPointer(folder)
  const found = fitsSocket(inside) ? [inside] : []
  if (elsewhere !== undefined && (await isPrivate(dirname(elsewhere), folder))) found.push(elsewhere)
  return found
}

async function removeFormer(folder: string): Promise<void> {
  const elsewhere = await readPointer(folder)
  await removeSocket(join(folder, SOCKET))
  if (elsewhere === undefined) return
  if (await isPrivate(dirname(elsewhere), folder)) {
    await removeSocket(elsewhere)
    // Of what is ours there is nothing else in it; with anything else in it, it stays.
    await rmdir(dirname(elsewhere)).catch(() => {})
  }
  await unlink(join(folder, POINTER)).catch(() => {})
}

/** Whatever else stands there stays. */
async function removeSocket(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined)
  if (stats?.isSocket() === true) await unlink(path).catch(() => {})
}

async function readPointer(folder: string): Promise<string | undefined> {
  try {
    await using file = await openPrivateFile(join(folder, POINTER))
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_POINTER_BYTES), 0, MAX_POINTER_BYTES, 0)
    const path = buffer.toString('utf8', 0, bytesRead).replace(/\n$/, '')
    return isAbsolute(path) && fitsSocket(path) && path.endsWith(`/${SOCKET}`) ? path : undefined
  } catch {
    return undefined
  }
}

/**
 * Whether a folder is for nobody but the owner of the storage: when a program died and its temporary folder was cleaned
 * away, somebody else may have made one of that name.
 */
async function isPrivate(path: string, folder: string): Promise<boolean> {
  try {
    const [own, storage] = await Promise.all([lstat(path), lstat(folder)])
    return own.isDirectory() && own.uid === storage.uid && (own.mode & 0o077) === 0
  } catch {
    return false
  }
}
