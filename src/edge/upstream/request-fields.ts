import type { Exchange } from '../exchange.ts'
import { endToEndFields, fieldValue, isBelievedOfProxy, isForwardingField } from '../fields.ts'
import type { Origin } from '../forwarding.ts'

/**
 * The fields that the upstream gets: what the client sent, without what concerns its own connection or claims to come from
 * a proxy, and with what we know ourselves. Ours come last, so that nothing the client nominates in Connection can remove
 * them.
 */
export function requestFields({ request, body }: Exchange, origin: Origin): string[] {
  const fields = ['Host', request.authority]
  const received = endToEndFields(request.fields)
  for (let at = 0; at < received.length; at += 2) {
    const name = received[at]!
    if (name.toLowerCase() === 'host') continue
    if (isForwardingField(name) && !(origin.isFromProxy && isBelievedOfProxy(name))) continue
    fields.push(name, received[at + 1]!)
  }
  fields.push('X-Forwarded-For', origin.chain)
  fields.push('X-Forwarded-Proto', origin.scheme)
  fields.push('X-Forwarded-Host', origin.host)
  // A body of unknown length, as HTTP/2 allows, is chunked in HTTP/1.1 (RFC 9112 §7.1).
  if (body !== undefined && fieldValue(fields, 'content-length') === undefined)
    fields.push('Transfer-Encoding', 'chunked')
  if (request.upgrade === undefined) fields.push('Connection', 'keep-alive')
  else fields.push('Connection', 'Upgrade', 'Upgrade', request.upgrade)
  return fields
}
