import type { Storage } from '../../storage/storage.ts'

const KEY = 'upstreams/cookie-key'
const BYTES = 32

/** What sticky cookies are made with (base64): kept, so that clients find back after a restart. Throws StorageError. */
export async function openCookieKey(
  storage: Pick<Storage, 'get' | 'put'>,
  randomBytes: (size: number) => Buffer,
): Promise<string> {
  const known = await storage.get(KEY)
  if (known?.length === BYTES) return known.toString('base64')
  const made = randomBytes(BYTES)
  await storage.put(KEY, made)
  return made.toString('base64')
}
