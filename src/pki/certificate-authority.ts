import { type KeyObject, verify } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  ExtendedKeyUsage,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  SubjectKeyIdentifier,
  Certificate as X509Schema,
} from '@peculiar/asn1-x509'
import { type Certificate, parseChain } from './certificate.ts'
import { BACKDATING_MS, commonName, extension, keyIdentifierOf, signCertificate } from './certificate-signing.ts'
import type { KeyKind } from './key-kind.ts'
import { generateKey, importPrivateKey } from './keys.ts'
import { PkiError } from './pki-error.ts'
import { signatureAlgorithmOf, signDer } from './signature.ts'
import { subjectAlternativeName } from './subject-names.ts'

/** A root with its key: whoever trusts the certificate trusts everything that the key signs. */
export type CertificateAuthority = { readonly certificate: Certificate; readonly privateKey: KeyObject }

/**
 * RSA, because a client that knows RSA alone must be able to check every signature above its RSA certificate, and hardly
 * any client cannot check RSA. 3072 bits are as strong as P-256 (NIST SP 800-57 part 1, table 2).
 */
const ROOT_KEY_KIND: KeyKind = 'rsa-3072'

/** People install a root by hand, on each device: rarely is best. */
const ROOT_LIFETIME_MS = 10 * 365 * 24 * 60 * 60 * 1000

/** ub-common-name (RFC 5280 appendix A.1), in characters. */
const MAX_COMMON_NAME_CHARACTERS = 64

/**
 * Makes a root that signs servers' certificates and no other CA's (path length 0). `label` is what people find it by in
 * their device's list; it is cut to 64 characters. `now` in milliseconds since 1970.
 */
export async function createCertificateAuthority({
  label,
  now,
}: {
  label: string
  now: number
}): Promise<CertificateAuthority> {
  const { publicKey, privateKey } = await generateKey(ROOT_KEY_KIND)
  const name = commonName([...label].slice(0, MAX_COMMON_NAME_CHARACTERS).join(''))
  const pem = await signCertificate(
    {
      issuer: name,
      subject: name,
      publicKey,
      notBefore: now - BACKDATING_MS,
      notAfter: now + ROOT_LIFETIME_MS,
      extensions: [
        extension(id_ce_basicConstraints, new BasicConstraints({ cA: true, pathLenConstraint: 0 }), { critical: true }),
        extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign), { critical: true }),
        extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifierOf(publicKey))),
      ],
    },
    privateKey,
  )
  return { certificate: parseChain(pem)[0], privateKey }
}

/**
 * Brings a root back from its PEM certificate and PEM key, and tries them: a certificate that is no root's or whose bytes
 * have changed, and a key that does not sign what the certificate verifies, are refused. Throws PkiError
 * `authority-invalid`, or what parseChain and importPrivateKey throw. Whether it has expired is for the caller to see.
 */
export async function openCertificateAuthority(pem: {
  certificate: string
  privateKey: string
}): Promise<CertificateAuthority> {
  const [certificate, ...others] = parseChain(pem.certificate)
  const privateKey = importPrivateKey(pem.privateKey)
  if (others.length > 0 || !certificate.isAuthority || !certificate.x509.verify(certificate.publicKey))
    throw new PkiError('authority-invalid', 'The certificate is not that of a root, or has been changed.')
  if (!(await canSignFor(privateKey, certificate)))
    throw new PkiError('authority-invalid', "The CA's private key does not belong to its certificate, or is damaged.")
  return { certificate, privateKey }
}

/**
 * Signs a server's certificate, good from now for `lifetimeMs`, but never longer than the root itself. PEM. Throws
 * PkiError `name-invalid`.
 */
export async function issueCertificate(
  authority: CertificateAuthority,
  {
    names,
    publicKey,
    now,
    lifetimeMs,
  }: { names: readonly string[]; publicKey: KeyObject; now: number; lifetimeMs: number },
): Promise<string> {
  const content = {
    issuer: AsnConvert.parse(authority.certificate.x509.raw, X509Schema).tbsCertificate.subject,
    // Empty, so that the names stand in one place; the subjectAltName is critical then (RFC 5280 §4.2.1.6).
    subject: new Name(),
    publicKey,
    notBefore: now - BACKDATING_MS,
    notAfter: Math.min(now + lifetimeMs, authority.certificate.notAfter),
    extensions: [
      subjectAlternativeName(names, { critical: true }),
      extension(id_ce_keyUsage, new KeyUsage(KeyUsageFlags.digitalSignature), { critical: true }),
      extension(id_ce_extKeyUsage, new ExtendedKeyUsage([id_kp_serverAuth])),
      extension(id_ce_subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifierOf(publicKey))),
      extension(id_ce_authorityKeyIdentifier, authorityKeyIdentifier(authority.certificate)),
    ],
  }
  return signCertificate(content, authority.privateKey)
}

function authorityKeyIdentifier({ publicKey, subjectKeyIdentifier }: Certificate): AuthorityKeyIdentifier {
  return new AuthorityKeyIdentifier({
    keyIdentifier: new KeyIdentifier(subjectKeyIdentifier ?? keyIdentifierOf(publicKey)),
  })
}

/** By trying it: the parts of an RSA key that only signing uses may be damaged while its public half still fits. */
async function canSignFor(privateKey: KeyObject, { publicKey, x509 }: Certificate): Promise<boolean> {
  const sample = x509.raw
  try {
    const signature = await signDer(new Uint8Array(sample).buffer, privateKey)
    return verify(signatureAlgorithmOf(privateKey).hash, sample, publicKey, new Uint8Array(signature))
  } catch {
    return false
  }
}
