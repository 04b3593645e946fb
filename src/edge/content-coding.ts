import type { Fields } from './exchange/exchange.ts'
import { ownCopy } from './fields.ts'
import { weightedList } from './weighted-list.ts'

/** What a response may be compressed by (RFC 9110 §8.4.1, RFC 7932, RFC 8878). */
export type ContentCoding = 'zstd' | 'br' | 'gzip'

/** Browsers send the same few values; clients can invent others, so that now and then all are forgotten. */
const MAX_REMEMBERED = 256
const MAX_REMEMBERED_LENGTH = 100

/** Settles what is offered, in order of our own preference; the function chooses for the fields of a request. */
export function codingChooser(offered: readonly ContentCoding[]): (fields: Fields) => ContentCoding | undefined {
  const remembered = new Map<string, ContentCoding | undefined>()
  return (fields) => {
    const value = acceptEncoding(fields)
    if (value === undefined) return undefined
    if (remembered.has(value)) return remembered.get(value)
    const chosen = chooseCoding(value, offered)
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    if (value.length <= MAX_REMEMBERED_LENGTH) remembered.set(ownCopy(value), chosen)
    return chosen
  }
}

function acceptEncoding(fields: Fields): string | undefined {
  let value: string | undefined
  for (let at = 0; at < fields.length; at += 2)
    if (fields[at]!.length === 15 && fields[at]!.toLowerCase() === 'accept-encoding')
      value = value === undefined ? fields[at + 1]! : `${value},${fields[at + 1]!}`
  return value
}

/**
 * Of what is offered, what the client gives the most weight (RFC 9110 §12.5.3), the first of several. undefined where it
 * takes none, or would rather have the content as it is; one that says nothing of encodings is taken for a simple client.
 */
export function chooseCoding(value: string, offered: readonly ContentCoding[]): ContentCoding | undefined {
  const weights = new Map<string, number>()
  for (const { name, weight } of weightedList(value)) {
    // §8.4.1.3: equivalent, for historical reasons.
    const coding = name === 'x-gzip' ? 'gzip' : name
    weights.set(coding, Math.max(weight, weights.get(coding) ?? 0))
  }
  const others = weights.get('*') ?? 0
  let chosen: ContentCoding | undefined
  // What is not named is acceptable, but nobody has asked for it.
  let most = weights.get('identity') ?? 0
  for (const coding of offered) {
    const weight = weights.get(coding) ?? others
    const isBetter = chosen === undefined ? weight >= most : weight > most
    if (weight === 0 || !isBetter) continue
    chosen = coding
    most = weight
  }
  return chosen
}
