import { type KeyObject, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { type CertificateExtensions, readCertificateExtensions } from './certificate-extensions.ts'
import type { KeyKind } from './key-kind.ts'
import { isSameKey, keyKindOf } from './keys.ts'
import { decodeCertificateChain, encodeCertificate } from './pem.ts'
import { PkiError } from './pki-error.ts'
import { canonicalName } from './subject-names.ts'

/** What a certificate says. */
export type Certificate = CertificateExtensions & {
  /** For what needs Node's own: `raw` is the DER, `toString()` the PEM. */
  readonly x509: X509Certificate
  /** Milliseconds since 1970. */
  readonly notBefore: number
  /** Milliseconds since 1970; the certificate is still good in this very second (RFC 5280 §4.1.2.5). */
  readonly notAfter: number
  /** Lower-case hex, without the sign octet: as CAs and tools show it. */
  readonly serial: string
  /** For people: `CN=…, O=…`; empty where the certificate has it so. */
  readonly subject: string
  readonly issuer: string
  readonly isAuthority: boolean
  readonly publicKey: KeyObject
  /** Undefined for a kind that Castellan does not make. */
  readonly keyKind: KeyKind | undefined
  /** SHA-256 of the DER, lower-case hex without colons. */
  readonly fingerprint: string
}

/** The server's certificate, then its issuer, then what leads on from there: their issuers and cross-signs of them. */
export type CertificateChain = readonly [leaf: Certificate, ...issuers: Certificate[]]

/** What a chain must be good for. `now` in milliseconds since 1970. */
export type Expectation = {
  readonly privateKey: KeyObject
  /** All of them must be covered; what else the CA put into the certificate does no harm. */
  readonly names: readonly string[]
  readonly now: number
}

/**
 * How far ahead a certificate's beginning may lie: CAs date theirs back by about an hour for clients whose clocks are
 * slow, and this machine's clock may be as slow as theirs.
 */
const CLOCK_TOLERANCE_MS = 60 * 60 * 1000

/**
 * Reads a PEM chain as CAs give it: certificates and nothing else, of bounded count and size. It verifies nothing: that
 * is checkIssued's work. Throws PkiError as decodeCertificateChain does, or `certificate-malformed`.
 */
export function parseChain(pem: string): CertificateChain {
  const [leaf, ...issuers] = decodeCertificateChain(pem)
  return [parseCertificate(leaf), ...issuers.map(parseCertificate)]
}

/** The chain in PEM, each certificate anew from its DER, as every reader of PEM takes it (RFC 7468 §3). */
export function formatChain(certificates: CertificateChain): string {
  return certificates.map(({ x509 }) => encodeCertificate(x509.raw)).join('')
}

/** Reads one DER certificate, with nothing behind it. Throws PkiError `certificate-malformed`. */
export function parseCertificate(der: Buffer): Certificate {
  try {
    return factsOf(new X509Certificate(der), readCertificateExtensions(der))
  } catch (cause) {
    const message = 'A certificate cannot be read: it is damaged, or no certificate at all.'
    throw new PkiError('certificate-malformed', message, { bytes: der.length }, { cause })
  }
}

/**
 * Whether a CA's answer can be served: the key is ours, the names are those asked for, the time is right, the leaf is
 * signed by the next certificate, and each further one has signed one of those before it, or is a cross-sign of one that
 * has (RFC 8555 §9.1, RFC 8446 §4.4.2). Throws PkiError `certificate-is-authority`,
 * `certificate-key-mismatch`, `certificate-name-missing`, `certificate-expired`, `certificate-not-yet-valid` or
 * `chain-out-of-order`.
 */
export function checkIssued(chain: CertificateChain, { privateKey, names, now }: Expectation): void {
  const [leaf] = chain
  if (leaf.isAuthority)
    throw refusal('certificate-is-authority', leaf, "The first certificate of the chain is a CA's, not a server's.")
  if (!isSameKey(leaf.publicKey, privateKey))
    throw refusal('certificate-key-mismatch', leaf, 'The certificate is for another key than the one it was asked for.')
  const missing = names.filter((name) => !coversName(leaf.names, name))
  if (missing.length > 0)
    throw refusal('certificate-name-missing', leaf, `The certificate is not for ${missing.join(', ')}.`)
  checkTime(leaf, now)
  checkOrder(chain)
}

/**
 * Whether a certificate with these names is good for `name` (RFC 9525 §6.3): the same name, or a wildcard in place of
 * exactly its first label. A wildcard in `name` is covered by the same wildcard only, an IP address by itself only.
 */
export function coversName(certificateNames: readonly string[], name: string): boolean {
  const wanted = canonicalName(name)
  if (certificateNames.includes(wanted)) return true
  const dot = wanted.indexOf('.')
  if (dot < 1 || isIP(wanted) !== 0) return false
  return certificateNames.includes(`*${wanted.slice(dot)}`)
}

function factsOf(x509: X509Certificate, extensions: CertificateExtensions): Certificate {
  return {
    ...extensions,
    x509,
    notBefore: milliseconds(x509.validFromDate),
    notAfter: milliseconds(x509.validToDate),
    serial: x509.serialNumber.toLowerCase(),
    subject: oneLine(x509.subject),
    issuer: oneLine(x509.issuer),
    isAuthority: x509.ca,
    publicKey: x509.publicKey,
    keyKind: keyKindOf(x509.publicKey),
    fingerprint: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
  }
}

/** Node puts each part on a line of its own, and has undefined, whatever its types say, for an empty name. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ')
}

/** Of the leaf only: CAs have shipped expired cross-signs on purpose, for old clients that do not look. */
function checkTime(leaf: Certificate, now: number): void {
  if (now > leaf.notAfter)
    throw refusal(
      'certificate-expired',
      leaf,
      `The certificate expired on ${isoTime(leaf.notAfter)}. ${clockHint(now)}`,
    )
  if (now < leaf.notBefore - CLOCK_TOLERANCE_MS) {
    const message = `The certificate is not valid before ${isoTime(leaf.notBefore)}. ${clockHint(now)}`
    throw refusal('certificate-not-yet-valid', leaf, message)
  }
}

/**
 * A chain need not be one path: RFC 8555 §9.1 and RFC 8446 §4.4.2 have it that each certificate SHOULD certify the one
 * before it, and CAs add cross-signs for clients that know one root only. What every client needs, the leaf's issuer, comes
 * second; all further ones must lead on from what is before them.
 */
function checkOrder([leaf, ...issuers]: CertificateChain): void {
  const [issuer] = issuers
  if (issuer !== undefined && !isSignedBy(leaf, issuer))
    throw refusal('chain-out-of-order', leaf, 'Certificate 1 of the chain is not signed by the next.')
  for (const [index, extra] of issuers.entries()) {
    const before = [leaf, ...issuers.slice(0, index)]
    if (leadsOn(extra, before, issuers)) continue
    const message = `Certificate ${index + 2} of the chain repeats one before it, or has signed none and is no cross-sign.`
    throw refusal('chain-out-of-order', extra, message)
  }
}

/** Whether a certificate, or one of the chain that it is a cross-sign of, has signed one of those before it. */
function leadsOn(extra: Certificate, before: readonly Certificate[], issuers: readonly Certificate[]): boolean {
  if (before.some(({ fingerprint }) => fingerprint === extra.fingerprint)) return false
  return issuers
    .filter((issuer) => isSameAuthority(issuer, extra))
    .some((issuer) => before.some((certificate) => isSignedBy(certificate, issuer)))
}

/** One CA, certified once or by several. The certificates' key identifiers may differ, and with them what isSignedBy says. */
function isSameAuthority(a: Certificate, b: Certificate): boolean {
  return a.isAuthority && b.isAuthority && a.subject === b.subject && isSameKey(a.publicKey, b.publicKey)
}

/** Whether a CA's certificate says that it issued the other, and its key signed that. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  return issuer.isAuthority && certificate.x509.checkIssued(issuer.x509) && certificate.x509.verify(issuer.publicKey)
}

function refusal(code: PkiError['code'], { names, serial, issuer }: Certificate, message: string): PkiError {
  return new PkiError(code, message, { names, serial, issuer })
}

function clockHint(now: number): string {
  return `This machine's clock says ${isoTime(now)}: if that is wrong, set it.`
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** No comparison with an invalid Date is ever true: such a certificate would never expire. */
function milliseconds(date: Date): number {
  const ms = date.getTime()
  if (Number.isNaN(ms)) throw new RangeError('A validity that is no date')
  return ms
}
