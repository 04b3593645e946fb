import type { KeyObject } from 'node:crypto'
import { Attributes, CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { Attribute, Extension, Extensions, Name, SubjectPublicKeyInfo } from '@peculiar/asn1-x509'
import { publicKeyInfo } from './keys.ts'
import { signatureAlgorithmOf, signDer } from './signature.ts'
import { subjectAlternativeName } from './subject-names.ts'

/** PKCS #9 extensionRequest (RFC 2985 §5.4.2). */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/**
 * TLS feature (RFC 7633 §4) with status_request: clients that know it refuse the certificate without its OCSP response.
 * Not critical, for those that do not know it.
 */
const MUST_STAPLE = new Extension({
  extnID: '1.3.6.1.5.5.7.1.24',
  extnValue: new OctetString(Buffer.from('3003020105', 'hex')),
})

/**
 * A PKCS #10 request (RFC 2986) as RFC 8555 §7.4 wants it: DER, all names as subjectAltNames and no common name. Names
 * are lower-case ASCII DNS names, `*.` allowed in front, or IP addresses. `mustStaple` asks for the TLS feature that obliges
 * the server to staple. Throws PkiError `name-invalid` or `key-unsupported`.
 */
export async function createCertificateRequest({
  names,
  privateKey,
  mustStaple = false,
}: {
  names: readonly string[]
  privateKey: KeyObject
  mustStaple?: boolean
}): Promise<Buffer> {
  // Not critical, though the subject is empty: only the certificate's is (RFC 5280 §4.2.1.6), and CAs decide on that.
  const alternativeName = subjectAlternativeName(names, { critical: false })
  const extensions = new Extensions([alternativeName, ...(mustStaple ? [MUST_STAPLE] : [])])
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
