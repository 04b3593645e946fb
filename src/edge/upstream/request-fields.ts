import type { Exchange, Fields } from '../exchange/exchange.ts'
import { CERTIFICATE_FIELDS, type FieldRole, isBelievedOfProxy, keepFields, withoutNames } from '../fields.ts'
import type { Origin } from '../forwarding.ts'
import { withOneForwardLess } from '../middleware/max-forwards.ts'
import { forwardedValue } from './forwarded.ts'
import { viaValue } from './via.ts'

/** What an upstream is told besides the request itself. */
export type Told = {
  readonly origin: Origin
  readonly requestId: string
  /** Forwarded (RFC 7239) besides X-Forwarded-*. */
  readonly forwarded: boolean
  /** Via (RFC 9110 §7.6.3). */
  readonly via: boolean
  /** Client-Cert and Client-Cert-Chain (RFC 9440), in place of any; undefined where clients are not asked for one. */
  readonly certificate: Fields | undefined
  /** What was taken off the front of the path. */
  readonly prefix: string | undefined
}

/**
 * The fields that the upstream gets: what the client sent, without what concerns its own connection or claims to come from
 * a proxy, and with what we know ourselves. Ours come last, so that nothing the client nominates in Connection can remove
 * them. Host and what concerns the upstream's connection are the codec's.
 */
export function requestFields(
  { request, expectsContinue }: Pick<Exchange, 'request' | 'expectsContinue'>,
  { origin, requestId, forwarded, via, prefix, certificate }: Told,
): string[] {
  const kept = keepFields(withOneForwardLess(request), origin.isFromProxy ? isPassedOnFromProxy : isPassedOn)
  // Not even a proxy that is believed may say who a client is that is asked for it here.
  const fields = certificate === undefined ? kept : [...withoutNames(kept, CERTIFICATE_FIELDS), ...certificate]
  // RFC 9110 §10.1.1: never without content, nor for who cannot wait.
  if (expectsContinue) fields.push('Expect', '100-continue')
  fields.push('X-Forwarded-For', origin.chain)
  fields.push('X-Forwarded-Proto', origin.scheme)
  fields.push('X-Forwarded-Host', origin.host)
  if (prefix !== undefined) fields.push('X-Forwarded-Prefix', prefix)
  fields.push('X-Request-Id', requestId)
  if (forwarded) fields.push('Forwarded', forwardedValue(request, origin))
  if (via) fields.push('Via', viaValue(request.version))
  return fields
}

function isPassedOn(role: FieldRole): boolean {
  return role === 'end-to-end' || role === 'date'
}

function isPassedOnFromProxy(role: FieldRole, name: string): boolean {
  return isPassedOn(role) || (role === 'forwarding' && isBelievedOfProxy(name))
}
