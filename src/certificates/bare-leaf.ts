import { type Certificate, type CertificateChain, isSignedBy, parseChain } from '../pki/certificate.ts'
import { PkiError } from '../pki/pki-error.ts'
import { trustedAuthorities } from '../system/authorities.ts'

/**
 * Whether a CA gave a certificate with nothing above it, and none of the authorities (PEM; those that this machine trusts,
 * unless given) has signed it: then clients take it only if they know its issuer as a root of their own. Certbot refuses such
 * an answer, Caddy takes it; a private CA without intermediates gives no other.
 */
export function isBareLeaf([leaf, ...issuers]: CertificateChain, authorities = trustedAuthorities): boolean {
  if (issuers.length > 0) return false
  return !authorities().some((pem) => {
    const root = readRoot(pem)
    return root !== undefined && isSignedBy(leaf, root)
  })
}

/** Undefined for one that we cannot read: of a hundred and fifty some are odd. */
function readRoot(pem: string): Certificate | undefined {
  try {
    return parseChain(pem)[0]
  } catch (error) {
    if (error instanceof PkiError) return undefined
    throw error
  }
}
