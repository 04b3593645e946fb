import type { Fields } from './exchange/exchange.ts'

/** The value of the first cookie of this name (RFC 6265 §4.2), which HTTP/2 may spread over several fields, or undefined. */
export function cookieValue(fields: Fields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.toLowerCase() !== 'cookie') continue
    for (const pair of fields[at + 1]!.split(';')) {
      const equals = pair.indexOf('=')
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
    }
  }
  return undefined
}
