import type { KeyObject } from 'node:crypto'
import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Attribute, Extensions, Name, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { publicKeyInfo } from './keys.ts'
import { signatureAlgorithmOf, signDer } from './signature.ts'
import { subjectAlternativeName } from './subject-names.ts'

/** PKCS #9 extensionRequest (RFC 2985 §5.4.2). */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/**
 * A PKCS #10 request (RFC 2986) as RFC 8555 §7.4 wants it: DER, all names as subjectAltNames and no common name. Names
 * are lower-case ASCII DNS names, `*.` allowed in front, or IP addresses. Throws PkiError `name-invalid` or
 * `key-unsupported`.
 */
export async function createCertificateRequest({
  names,
  privateKey,
}: {
  names: readonly string[]
  privateKey: KeyObject
}): Promise<Buffer> {
  // Not critical, though the subject is empty: only the certificate's is (RFC 5280 §4.2.1.6), and CAs decide on that.
  const extensions = new Extensions([subjectAlternativeName(names, { critical: false })])
  const certificationRequestInfo = new CertificationRequestInfo({
    subject: new Name(),
    subjectPKInfo: AsnConvert.parse(publicKeyInfo(privateKey), SubjectPublicKeyInfo),
    attributes: new Attributes([
      new Attribute({ type: EXTENSION_REQUEST, values: [AsnConvert.serialize(extensions)] }),
    ]),
  })
  const request = new CertificationRequest({
    certificationRequestInfo,
    signatureAlgorithm: signatureAlgorithmOf(privateKey).identifier,
    signature: await signDer(AsnConvert.serialize(certificationRequestInfo), privateKey),
  })
  return Buffer.from(AsnConvert.serialize(request))
}
