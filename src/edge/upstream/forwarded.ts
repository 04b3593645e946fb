import type { RequestHead } from '../exchange/exchange.ts'
import { hasField } from '../fields.ts'
import type { Origin } from '../forwarding.ts'

/**
 * The value of our Forwarded field (RFC 7239 §4): an element for each hop from the client on. Where a trusted proxy has sent
 * one, which is passed on, ours goes on with that proxy.
 */
export function forwardedValue(
  { fields, scheme, authority }: Pick<RequestHead, 'fields' | 'scheme' | 'authority'>,
  origin: Origin,
): string {
  const hops = origin.chain.split(', ').map((address) => `for=${node(address)}`)
  const goesOn = origin.isFromProxy && hasField(fields, 'forwarded')
  const [first = '', ...others] = goesOn ? hops.slice(-1) : hops
  const [proto, host] = goesOn ? [scheme, authority] : [origin.scheme, origin.host]
  return [`${first};proto=${proto};host=${word(host)}`, ...others].join(', ')
}

/** §6: an IPv6 address in brackets, and so in quotes; an identifier where there is no address. */
function node(address: string): string {
  if (address === '') return 'unknown'
  return address.includes(':') ? `"[${address}]"` : address
}

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/

/** A token as it is, anything else in quotes (RFC 9110 §5.6.4): a host with a port, say. */
function word(text: string): string {
  return TOKEN.test(text) ? text : `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
}
