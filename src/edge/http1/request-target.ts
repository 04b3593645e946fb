import { parseHost } from '../host.ts'
import { refuse } from './refusal.ts'

/** A target as it is routed by. `authority` is that of the absolute form; undefined where Host has it. */
export type RequestTarget = { readonly target: string; readonly authority: string | undefined }

/**
 * Visible ASCII from a slash on, without a fragment. RFC 3986 has fewer characters, but browsers leave `|`, `[`, `^` and
 * others as they are (https://url.spec.whatwg.org/#path-percent-encode-set), and applications live with them.
 */
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)([\x21\x22\x24-\x7e]*)$/i

/** Reads a request target in the form that it has (RFC 9112 §3.2). Throws Refusal. */
export function parseRequestTarget(target: string, method: string): RequestTarget {
  if (method === 'CONNECT') throw refuse('method-not-served')
  if (ORIGIN_FORM.test(target)) return { target, authority: undefined }
  if (target === '*' && method === 'OPTIONS') return { target, authority: undefined }
  const absolute = ABSOLUTE_FORM.exec(target)
  if (absolute === null || parseHost(absolute[1]!) === undefined) throw refuse('target-invalid')
  return { target: pathOf(absolute[2]!, method), authority: absolute[1] }
}

/** RFC 9112 §3.2.4: an empty path stands for all of the server with OPTIONS, and for the root otherwise. */
function pathOf(path: string, method: string): string {
  if (path === '') return method === 'OPTIONS' ? '*' : '/'
  return path.startsWith('/') ? path : `/${path}`
}

/** Whether two authorities name the same place: case aside, and the default ports. */
export function isSameAuthority(one: string, other: string): boolean {
  if (one === other) return true
  const a = parseHost(one)
  const b = parseHost(other)
  if (a === undefined || b === undefined || a.name !== b.name) return false
  return a.port === b.port || isDefaultPort(a.port, b.port) || isDefaultPort(b.port, a.port)
}

function isDefaultPort(absent: number | undefined, port: number | undefined): boolean {
  return absent === undefined && (port === 80 || port === 443)
}
