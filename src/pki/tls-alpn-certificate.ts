import { createHash } from 'node:crypto'
import { OctetString } from '@peculiar/asn1-schema'
import { BACKDATING_MS, commonName, extension, signCertificate } from './certificate-signing.ts'
import { exportPrivateKey, generateKey } from './keys.ts'
import { PkiError } from './pki-error.ts'
import { subjectAlternativeName } from './subject-names.ts'

/** id-pe-acmeIdentifier (RFC 8737 §6.1). */
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31'

/** No CA validates for longer than a day; the certificate is made anew for each challenge. */
const LIFETIME_MS = 24 * 60 * 60 * 1000

/** Never shown to a person: a subject is there because an issuer must not be empty (RFC 5280 §4.1.2.4). */
const SUBJECT = 'ACME challenge'

/**
 * The self-signed certificate that answers a tls-alpn-01 challenge (RFC 8737 §3): exactly the one identifier, a DNS name
 * or an IP address (RFC 8738 §6), as its subjectAltName, and the SHA-256 of the key authorization. PEM, with a P-256
 * key of its own. Throws PkiError `name-invalid`, also for a wildcard.
 */
export async function createTlsAlpnCertificate({
  name,
  keyAuthorization,
  now,
}: {
  name: string
  keyAuthorization: string
  now: number
}): Promise<{ certificate: string; privateKey: string }> {
  if (name.startsWith('*'))
    throw new PkiError('name-invalid', `tls-alpn-01 cannot validate the wildcard ${name}: use dns-01.`, { name })
  const digest = createHash('sha256').update(keyAuthorization).digest()
  const extensions = [
    subjectAlternativeName([name], { critical: false }),
    extension(ACME_IDENTIFIER, new OctetString(digest), { critical: true }),
  ]
  const { publicKey, privateKey } = await generateKey('ecdsa-p256')
  const certificate = await signCertificate(
    {
      issuer: commonName(SUBJECT),
      subject: commonName(SUBJECT),
      publicKey,
      notBefore: now - BACKDATING_MS,
      notAfter: now + LIFETIME_MS,
      extensions,
    },
    privateKey,
  )
  return { certificate, privateKey: exportPrivateKey(privateKey) }
}
