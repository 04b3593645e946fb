import { isIP } from 'node:net'
import { canonicalName } from '../pki/subject-names.ts'
import type { JsonObject } from './json-object.ts'

/** What a certificate is to name (RFC 8555 §7.1.3, RFC 8738 §3). */
export type Identifier = { readonly type: 'dns' | 'ip'; readonly value: string }

/** The identifier of a name as configured: a DNS name, `*.` allowed in front, or an IP address. */
export function identifierOf(name: string): Identifier {
  return { type: isIP(name) === 0 ? 'dns' : 'ip', value: canonicalName(name) }
}

/** An identifier as the server wrote it. */
export function parseIdentifier(identifier: JsonObject): Identifier {
  return { type: identifier.oneOf('type', ['dns', 'ip']), value: canonicalName(identifier.string('value')) }
}
