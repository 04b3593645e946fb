import { type Certificate, type CertificateChain, formatChain } from '../pki/certificate.ts'
import { PkiError } from '../pki/pki-error.ts'
import { tls } from '../system/tls.ts'
import { tlsPolicy } from '../tls-policy.ts'

/**
 * Tries a chain together with its key (PEM) as it will be served: written anew from what was read of it, so that OpenSSL
 * reads the same certificates. OpenSSL has demands of its own: at its usual security level, RSA keys of 2048 bits in
 * every certificate, and no signatures with SHA-1. Throws PkiError `certificate-unservable` with OpenSSL's words, which
 * quote neither. That the key can be read and is the leaf's is for the caller to see: OpenSSL misses one of another type,
 * and what is beyond doubt is not tried.
 */
export function checkServable(certificates: CertificateChain, privateKey: string): void {
  if (certificates.every(isBeyondDoubt)) return
  try {
    tls.createSecureContext({ ...tlsPolicy, cert: formatChain(certificates), key: privateKey })
  } catch (error) {
    const [{ names, serial, issuer }] = certificates
    const reason = reasonOf(error)
    const message = `OpenSSL does not serve this certificate with its chain and key: ${reason}.`
    throw new PkiError('certificate-unservable', message, { names, serial, issuer, reason })
  }
}

/** What OpenSSL calls the signatures of these is beyond its usual demands; so are the keys of every kind that we make. */
const STRONG_SIGNATURE = /^(?:sha(?:256|384|512)WithRSAEncryption|ecdsa-with-SHA(?:256|384|512))$/

/**
 * Whether OpenSSL surely takes a certificate. With thousands of sites, trying each costs a quarter of the start: 0.2 ms, and
 * 30 kB that are given back late.
 */
function isBeyondDoubt({ keyKind, x509 }: Certificate): boolean {
  return keyKind !== undefined && STRONG_SIGNATURE.test(x509.signatureAlgorithm ?? '')
}

/** OpenSSL's own word, `ee key too small`. An error without one is not OpenSSL's, and might quote what it was given. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'reason' in error && typeof error.reason === 'string') return error.reason
  return 'it gives no reason'
}
