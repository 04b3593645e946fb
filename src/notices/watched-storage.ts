import { describeError, errorCode } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'

/** Hears how writing goes: of a failure, and of every success in the same folder of keys. */
export type StorageWatch = {
  failed(folder: string, place: string, reason: string): void
  worked(folder: string): void
}

/** The same storage, of which somebody hears when it cannot be written, whatever those do who wrote. */
export function watchStorage(storage: Storage, watch: StorageWatch): Storage {
  const watched = async (key: string, write: () => Promise<void>): Promise<void> => {
    const [folder = key] = key.split('/')
    try {
      await write()
      watch.worked(folder)
    } catch (error) {
      if (errorCode(error) === 'storage-unwritable') watch.failed(folder, storage.locate(key), describeError(error))
      throw error
    }
  }
  return {
    get: (key) => storage.get(key),
    list: (prefix) => storage.list(prefix),
    locate: (key) => storage.locate(key),
    setAside: (key) => storage.setAside(key),
    close: () => storage.close(),
    put: (key, value) => watched(key, () => storage.put(key, value)),
    delete: (key) => watched(key, () => storage.delete(key)),
  }
}
