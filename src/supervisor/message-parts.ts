import type { CertificateChange } from '../edge/snapshot.ts'

/**
 * Entries of a list in one message. The whole of a machine with thousands of sites would be megabytes at once, on both sides
 * of the channel, and what V8 takes for them it keeps: 20 MB in each worker with 5,000 sites.
 */
const ENTRIES = 200

/** A list in parts, each small enough for a message. */
export function* inParts<T>(list: readonly T[]): Iterable<readonly T[]> {
  for (let at = 0; at < list.length; at += ENTRIES) yield list.slice(at, at + ENTRIES)
}

/** A change in parts that have the same effect in this order. What comes goes ahead of what it replaces. */
export function* changeInParts({ put, remove, staples, waiting }: CertificateChange): Iterable<CertificateChange> {
  const nothing = { put: [], remove: [], staples: [], waiting: undefined }
  for (const part of inParts(put)) yield { ...nothing, put: part }
  for (const part of inParts(staples)) yield { ...nothing, staples: part }
  yield { ...nothing, remove, waiting }
}
