import { type Storage, StorageError, type StorageErrorCode } from '../../src/storage/storage.ts'

/** What a test may make fail, to see what its subject then does. */
export type StorageFailure = (operation: 'get' | 'put' | 'delete' | 'list' | 'setAside', key: string) => boolean

const SEGMENT = /^[a-z0-9._@*-]{1,200}$/

/** Keeps everything in this process. Values are copied in and out, so nothing is shared with the caller. */
export class MemoryStorage implements Storage {
  readonly #values = new Map<string, Buffer>()
  readonly #aside = new Map<string, Buffer>()
  #closed = false

  /** Set to make operations fail, as a full or broken disk would. */
  fails: StorageFailure = () => false
  /** Every successful put, in order. */
  readonly puts: string[] = []

  async get(key: string): Promise<Buffer | undefined> {
    this.#check('get', key)
    const value = this.#values.get(key)
    return value === undefined ? undefined : Buffer.from(value)
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#check('put', key)
    this.#values.set(key, Buffer.from(value))
    this.puts.push(key)
  }

  async delete(key: string): Promise<void> {
    this.#check('delete', key)
    this.#values.delete(key)
  }

  async list(prefix: string): Promise<string[]> {
    this.#check('list', prefix)
    return [...this.#values.keys()].filter((key) => prefix === '' || key.startsWith(`${prefix}/`)).sort()
  }

  async setAside(key: string): Promise<string> {
    this.#check('setAside', key)
    const place = `${this.locate(key)}.damaged-${this.#aside.size + 1}`
    const value = this.#values.get(key)
    if (value !== undefined) this.#aside.set(place, value)
    this.#values.delete(key)
    return place
  }

  locate(key: string): string {
    return `memory:${key}`
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  /** What was set aside, by the place that setAside gave. */
  get aside(): ReadonlyMap<string, Buffer> {
    return this.#aside
  }

  #check(operation: Parameters<StorageFailure>[0], key: string): void {
    const code: StorageErrorCode =
      operation === 'get' || operation === 'list' ? 'storage-unreadable' : 'storage-unwritable'
    if (this.#closed) throw new StorageError(code, `The storage is closed, so ${operation} of ${key} failed.`)
    if (!isKey(key, operation === 'list'))
      throw new StorageError('storage-key-invalid', `${JSON.stringify(key)} is not a storage key.`, { path: key })
    if (this.fails(operation, key))
      throw new StorageError(code, `The test's storage refuses ${operation} of ${key}.`, { path: this.locate(key) })
  }
}

/** As src/storage/storage.ts has it. Only a listing takes the empty prefix. */
function isKey(key: string, isPrefix: boolean): boolean {
  if (key === '') return isPrefix
  return key.split('/').every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..')
}
