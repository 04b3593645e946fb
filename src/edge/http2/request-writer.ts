import { type Fields, UNKNOWN_LENGTH } from '../exchange/exchange.ts'
import { hasField, withoutNames } from '../fields.ts'
import type { UpstreamRequest } from './upstream-stream.ts'

/** RFC 8441 §5: what these ask for is asked by `:protocol`. */
const HTTP1_HANDSHAKE_FIELDS = new Set(['sec-websocket-key', 'connection', 'upgrade'])

/** What goes first (RFC 9113 §8.3.1; RFC 8441 §4 for an upgrade), and what we say ourselves. */
export function pseudoFields({
  method,
  scheme,
  authority,
  target,
  upgrade,
  takesTrailers,
  contentLength,
  fields,
}: UpstreamRequest): Fields {
  const pseudo = upgrade === undefined ? [':method', method] : [':method', 'CONNECT', ':protocol', upgrade]
  pseudo.push(':scheme', scheme, ':authority', authority, ':path', target)
  if (upgrade !== undefined) return pseudo
  // RFC 9110 §10.1.4. gRPC servers insist on it, and gRPC clients say it.
  if (takesTrailers) pseudo.push('te', 'trailers')
  if (contentLength !== UNKNOWN_LENGTH && contentLength > 0 && !hasField(fields, 'content-length'))
    pseudo.push('content-length', String(contentLength))
  return pseudo
}

/** The fields of the request, as far as they mean something over HTTP/2. Names are lower-cased by the encoder. */
export function regularFields({ upgrade, fields }: UpstreamRequest): Fields {
  return upgrade === undefined ? fields : withoutNames(fields, HTTP1_HANDSHAKE_FIELDS)
}
