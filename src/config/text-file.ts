import { isUtf8 } from 'node:buffer'
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { describeError, errorCode } from '../errors.ts'

/** Where a text file stops being text, or why there is no text at all. */
export type TextFile =
  | { readonly text: string }
  | { readonly fault: string; readonly line?: number; readonly column?: number }

/** 5,000 sites take 0.5 MB; a config beyond this is some other file. */
const MAX_FILE_BYTES = 16 * 1024 * 1024

export const NO_SUCH_FILE = 'there is no such file'

const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: NO_SUCH_FILE,
  ENOTDIR: NO_SUCH_FILE,
  EISDIR: 'it is a folder, not a file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its symbolic links lead round in a circle',
  ENAMETOOLONG: 'its name is too long',
}

/**
 * Reads text files, each once, however often it is asked for. For one loading of the config, which nothing else waits for:
 * so they are read synchronously, for 5 us each, where promises take 45.
 */
export class TextFiles {
  readonly #files = new Map<string, TextFile>()

  /** All that were asked for, there or not. */
  get paths(): string[] {
    return [...this.#files.keys()]
  }

  /** Never rejects: what went wrong is the answer. `path` is absolute. */
  async read(path: string): Promise<TextFile> {
    const file = this.#files.get(path) ?? readTextFile(path)
    this.#files.set(path, file)
    return file
  }
}

function readTextFile(path: string): TextFile {
  try {
    const bytes = readBytes(path)
    return Buffer.isBuffer(bytes) ? decode(bytes) : bytes
  } catch (error) {
    return { fault: FAULTS[errorCode(error) ?? ''] ?? describeError(error) }
  }
}

function readBytes(path: string): Buffer | { fault: string } {
  // O_NONBLOCK: opening a named pipe must not wait for its writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(file)
    if (stats.isDirectory()) return { fault: FAULTS.EISDIR! }
    if (!stats.isFile()) return { fault: 'it is a device, a pipe or a socket, not a file' }
    if (stats.size > MAX_FILE_BYTES) return { fault: `it is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB` }
    return readFileSync(file)
  } finally {
    closeSync(file)
  }
}

function decode(bytes: Buffer): TextFile {
  // NUL is UTF-8, but what has it is UTF-16 or no text at all.
  if (isUtf8(bytes) && !bytes.includes(0)) return { text: new TextDecoder().decode(bytes) }
  let line = 1
  let start = 0
  for (;;) {
    const end = bytes.indexOf(0x0a, start)
    const lineBytes = bytes.subarray(start, end < 0 ? bytes.length : end)
    if (!isUtf8(lineBytes) || lineBytes.includes(0)) return notUtf8(line, lineBytes)
    line++
    start = end + 1
  }
}

function notUtf8(line: number, bytes: Buffer): TextFile {
  const column = new TextDecoder().decode(bytes).search(/[\uFFFD\0]/) + 1
  return { fault: 'it is not UTF-8 text', line, column }
}
