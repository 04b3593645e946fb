import { isIPv6 } from 'node:net'
import { ownCopy } from './fields.ts'

/** RFC 3986 §3.2.2 without userinfo and percent-encoding: a registered name or IPv4 address, or an address in brackets. */
const AUTHORITY = /^(?:\[([0-9a-fA-F:.]+)\]|([a-zA-Z0-9_.-]+))(?::([0-9]{0,5}))?$/

/** RFC 1035 §2.3.4, and the longest that an authority can thus be: name, brackets, colon and port. */
const MAX_AUTHORITY_LENGTH = 253 + 1 + 2 + 6

/** A proxy meets the same names all the time. Clients can invent others, so that now and then all are forgotten. */
const MAX_REMEMBERED = 1000

export type Host = { readonly name: string; readonly port: number | undefined }

const remembered = new Map<string, Host>()

/**
 * Reads an authority (RFC 9110 §7.2): the name in lower case without a trailing dot, IPv6 without brackets.
 * undefined if it is not `host[:port]`.
 */
export function parseHost(authority: string): Host | undefined {
  const known = remembered.get(authority)
  if (known !== undefined) return known
  if (authority.length > MAX_AUTHORITY_LENGTH) return undefined
  const own = ownCopy(authority)
  const host = readAuthority(own)
  if (host === undefined) return undefined
  if (remembered.size >= MAX_REMEMBERED) remembered.clear()
  remembered.set(own, host)
  return host
}

function readAuthority(authority: string): Host | undefined {
  const match = AUTHORITY.exec(authority)
  if (match === null) return undefined
  const [, address, name, port] = match
  if (address !== undefined && !isIPv6(address)) return undefined
  if (port !== undefined && Number(port) > 65535) return undefined
  const host = (address ?? name!).toLowerCase()
  return { name: host.endsWith('.') ? host.slice(0, -1) : host, port: port ? Number(port) : undefined }
}
