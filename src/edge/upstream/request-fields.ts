import type { RequestHead } from '../exchange/exchange.ts'
import { type FieldRole, isBelievedOfProxy, keepFields } from '../fields.ts'
import type { Origin } from '../forwarding.ts'

/**
 * The fields that the upstream gets: what the client sent, without what concerns its own connection or claims to come from
 * a proxy, and with what we know ourselves. Ours come last, so that nothing the client nominates in Connection can remove
 * them. Host and what concerns the upstream's connection are the codec's.
 */
export function requestFields(request: RequestHead, { chain, scheme, host, isFromProxy }: Origin): string[] {
  const fields = keepFields(request.fields, isFromProxy ? isPassedOnFromProxy : isPassedOn)
  fields.push('X-Forwarded-For', chain)
  fields.push('X-Forwarded-Proto', scheme)
  fields.push('X-Forwarded-Host', host)
  return fields
}

function isPassedOn(role: FieldRole): boolean {
  return role === 'end-to-end' || role === 'expect' || role === 'date'
}

function isPassedOnFromProxy(role: FieldRole, name: string): boolean {
  return isPassedOn(role) || (role === 'forwarding' && isBelievedOfProxy(name))
}
