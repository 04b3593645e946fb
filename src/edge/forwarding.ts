import { isIP } from 'node:net'
import type { AddressSet } from './address-set.ts'
import { plainAddress } from './endpoints.ts'
import type { ClientFacts, Fields, RequestHead } from './exchange/exchange.ts'
import { fieldValues } from './fields.ts'
import { parseHost } from './host.ts'

/** A request as its client made it, in front of whatever proxies it came through. */
export type Origin = {
  readonly clientAddress: string
  readonly scheme: 'http' | 'https'
  readonly host: string
  /** Who passed the request on, from the client to the peer of this connection: X-Forwarded-For. */
  readonly chain: string
  /** The peer of this connection is a proxy that tells the truth. */
  readonly isFromProxy: boolean
}

/**
 * Finds out where a request comes from. Only a trusted proxy is asked, and of what it says only as much is believed as
 * trusted proxies vouch for: the chain is read from the right, up to the first address that is not one of them. What stands
 * left of that anybody may have written, so it is cut off, for applications that take the first address for the client's.
 */
export function originOf(
  request: Pick<RequestHead, 'scheme' | 'authority' | 'fields'>,
  { address }: Pick<ClientFacts, 'address'>,
  trusted: AddressSet,
): Origin {
  const { scheme, authority, fields } = request
  if (trusted.isEmpty || !trusted.has(address))
    return { clientAddress: address, scheme, host: authority, chain: address, isFromProxy: false }
  const chain = vouchedFor(fields, trusted)
  return {
    clientAddress: chain[0] ?? address,
    scheme: schemeFrom(fields) ?? scheme,
    host: hostFrom(fields) ?? authority,
    // A peer on a Unix socket has no address that would tell anybody anything.
    chain: (address === '' ? chain : [...chain, address]).join(', '),
    isFromProxy: true,
  }
}

/** The addresses of X-Forwarded-For, from the client on. */
function vouchedFor(fields: Fields, trusted: AddressSet): string[] {
  const entries = fieldValues(fields, 'x-forwarded-for').join(',').split(',')
  const chain: string[] = []
  for (const entry of entries.reverse()) {
    const address = addressIn(entry.trim())
    if (address === undefined) return chain
    chain.unshift(address)
    if (!trusted.has(address)) return chain
  }
  return chain
}

/** An address, as some proxies write it also with a port; undefined for what is none (`unknown`, a name). */
function addressIn(entry: string): string | undefined {
  const [, bracketed, withPort] = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/.exec(entry) ?? []
  const address = plainAddress(bracketed ?? withPort ?? entry)
  return isIP(address) === 0 ? undefined : address
}

/** The proxy next to us speaks last, and for what it was asked itself. */
function schemeFrom(fields: Fields): 'http' | 'https' | undefined {
  const scheme = lastOf(fieldValues(fields, 'x-forwarded-proto'))?.toLowerCase()
  return scheme === 'http' || scheme === 'https' ? scheme : undefined
}

function hostFrom(fields: Fields): string | undefined {
  const host = lastOf(fieldValues(fields, 'x-forwarded-host'))
  return host !== undefined && parseHost(host) !== undefined ? host : undefined
}

function lastOf(lines: readonly string[]): string | undefined {
  return lines.at(-1)?.split(',').at(-1)?.trim()
}
