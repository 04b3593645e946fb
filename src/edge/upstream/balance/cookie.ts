import type { Fields } from '../../exchange/exchange.ts'

/** The value of the first cookie of this name (RFC 6265 §4.2.1), or undefined. HTTP/2 may send each in a field of its own. */
export function cookieValue(fields: Fields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.length !== 6 || fields[at]!.toLowerCase() !== 'cookie') continue
    const value = valueIn(fields[at + 1]!, name)
    if (value !== undefined) return value
  }
  return undefined
}

function valueIn(cookies: string, name: string): string | undefined {
  for (let at = cookies.indexOf(name); at >= 0; at = cookies.indexOf(name, at + 1)) {
    if (cookies[at + name.length] !== '=' || (at > 0 && !/[;\s]/.test(cookies[at - 1]!))) continue
    const end = cookies.indexOf(';', at)
    return cookies.slice(at + name.length + 1, end < 0 ? undefined : end).trim()
  }
  return undefined
}
