import { createHash } from 'node:crypto'

/** A segment of a key has at most 200 characters; a hash, and what a caller puts behind it, must fit in too. */
const MAX_READABLE = 150

/**
 * A host name or IP address as the segment of a storage key: itself, with `_` for the colons of an address, if it is not
 * too long. Otherwise its beginning with a hash behind it, which no name can have, as none has an `@`.
 *
 * @param whole what the hash stands for, where that is more than the name: then there is always one.
 */
export function segmentFor(name: string, whole?: string): string {
  const readable = name.replaceAll(':', '_')
  if (whole === undefined && readable.length <= MAX_READABLE) return readable
  const hash = createHash('sha256')
    .update(whole ?? name)
    .digest('hex')
  return `${readable.slice(0, MAX_READABLE)}@${hash.slice(0, 12)}`
}
