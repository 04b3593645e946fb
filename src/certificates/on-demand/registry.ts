import { createHash } from 'node:crypto'
import { segmentFor } from '../../storage/segment.ts'
import type { Storage, StorageReader } from '../../storage/storage.ts'

/** What is known of a name that was let in. Times in ms since 1970. */
export type NameRecord = {
  readonly name: string
  readonly admittedAt: number
  /** When a client last came for it, to the day. */
  readonly seenAt: number
  /** When the first of its certificates is to be renewed, as far as that was known when it was last in use. */
  readonly dueAt: number
  /** When the last of its certificates ends; 0 if it has none yet. */
  readonly notAfter: number
  /** No order before this, as the last has failed. */
  readonly retryAt?: number | undefined
  /** Since when it is not to have one any more. */
  readonly withdrawnAt?: number | undefined
}

const NAMES = 'on-demand/names'

/** All parts that names are in: of 100,000, one has 400. */
export const shards: readonly string[] = Array.from({ length: 256 }, (_, index) => index.toString(16).padStart(2, '0'))

/** The part that a name is in. */
export function shardOf(name: string): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 2)
}

/** The names that were let in, in the storage, a record each. None is kept in memory here. */
export class Registry {
  readonly #storage: StorageReader & Pick<Storage, 'put' | 'delete'>

  constructor(storage: StorageReader & Pick<Storage, 'put' | 'delete'>) {
    this.#storage = storage
  }

  /** One that is damaged counts as none: the name is asked about again. Throws StorageError `storage-unreadable`. */
  get(name: string): Promise<NameRecord | undefined> {
    return readName(this.#storage, name)
  }

  /** Throws StorageError `storage-unwritable`. */
  put(record: NameRecord): Promise<void> {
    return this.#storage.put(keyOf(record.name), Buffer.from(`${JSON.stringify(record)}\n`))
  }

  delete(name: string): Promise<void> {
    return this.#storage.delete(keyOf(name))
  }

  /** Those of a part, one after the other. Throws StorageError `storage-unreadable`. */
  async *of(shard: string): AsyncGenerator<NameRecord> {
    for (const key of await this.#storage.list(`${NAMES}/${shard}`)) {
      const record = parse(await this.#storage.get(key))
      if (record !== undefined) yield record
    }
  }
}

/** What a storage knows of a name. Throws StorageError `storage-unreadable`. */
export async function readName(storage: StorageReader, name: string): Promise<NameRecord | undefined> {
  const record = parse(await storage.get(keyOf(name)))
  return record?.name === name ? record : undefined
}

/** How many names a storage knows. Throws StorageError `storage-unreadable`. */
export async function countNames(storage: StorageReader): Promise<number> {
  return (await storage.list(NAMES)).length
}

function keyOf(name: string): string {
  return `${NAMES}/${shardOf(name)}/${segmentFor(name)}`
}

function parse(value: Buffer | undefined): NameRecord | undefined {
  let record: Partial<NameRecord> | null
  try {
    record = JSON.parse(value?.toString('utf8') ?? 'null')
  } catch {
    return undefined
  }
  const { name, admittedAt, seenAt, dueAt, notAfter, retryAt = 0, withdrawnAt = 0 } = record ?? {}
  const areTimes = [admittedAt, seenAt, dueAt, notAfter, retryAt, withdrawnAt].every((time) => Number.isFinite(time))
  return typeof name === 'string' && areTimes ? (record as NameRecord) : undefined
}
