import { isIP, isIPv6 } from 'node:net'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { Extension, GeneralName, id_ce_subjectAltName, SubjectAlternativeName } from '@peculiar/asn1-x509'
import { PkiError } from './pki-error.ts'

/** RFC 1035 §2.3.4: 255 octets on the wire, which leaves 253 characters of text. */
const MAX_DNS_NAME_CHARACTERS = 253

/** RFC 1035 §2.3.4 for the length; the underscore is not a host name's, but private names do have it. */
const DNS_LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/**
 * The subjectAltName extension (RFC 5280 §4.2.1.6) with exactly these names, in this order: lower-case ASCII DNS names,
 * `*.` allowed in front, and IP addresses without brackets. Critical where the certificate's subject is empty. Throws
 * PkiError `name-invalid`.
 */
export function subjectAlternativeName(names: readonly string[], { critical }: { critical: boolean }): Extension {
  if (names.length === 0) throw new PkiError('name-invalid', 'A certificate needs at least one name.')
  const generalNames = new SubjectAlternativeName(names.map(generalName))
  const extnValue = new OctetString(AsnConvert.serialize(generalNames))
  return new Extension({ extnID: id_ce_subjectAltName, critical, extnValue })
}

/** Lower-case, and an IPv6 address as RFC 5952 writes it, so that equal names are equal strings. */
export function canonicalName(name: string): string {
  if (!isIPv6(name) || name.includes('%')) return name.toLowerCase()
  return new URL(`http://[${name}]`).hostname.slice(1, -1)
}

function generalName(name: string): GeneralName {
  // node:net takes a zone (`fe80::1%eth0`) for part of the address; a certificate has no room for it.
  if (isIP(name) !== 0 && !name.includes('%')) return new GeneralName({ iPAddress: canonicalName(name) })
  if (isDnsName(name)) return new GeneralName({ dNSName: name })
  throw new PkiError('name-invalid', `${JSON.stringify(name)} is neither a DNS name nor an IP address.`, { name })
}

function isDnsName(name: string): boolean {
  if (name.length > MAX_DNS_NAME_CHARACTERS) return false
  const labels = (name.startsWith('*.') ? name.slice(2) : name).split('.')
  // A last label of digits alone would be read as an IPv4 address (WHATWG URL, "ends in a number").
  if (/^\d+$/.test(labels.at(-1) ?? '')) return false
  return labels.every((label) => DNS_LABEL.test(label))
}
