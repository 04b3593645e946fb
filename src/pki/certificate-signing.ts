import { createHash, type KeyObject, randomFillSync } from 'node:crypto'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Extension,
  Extensions,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509'
import { publicKeyInfo } from './keys.ts'
import { encodeCertificate } from './pem.ts'
import { signatureAlgorithmOf, signDer } from './signature.ts'

/** What a new certificate is to say (RFC 5280 §4.1.2). Times in milliseconds since 1970, cut to seconds. */
export type CertificateContent = {
  readonly issuer: Name
  readonly subject: Name
  readonly publicKey: KeyObject
  readonly notBefore: number
  readonly notAfter: number
  readonly extensions: readonly Extension[]
}

/** How far certificates made here are dated back, for clients whose clocks are slow. */
export const BACKDATING_MS = 5 * 60 * 1000

/** RFC 5280 §4.1.2.2 allows 20; the 126 random bits of 16 never repeat. */
const SERIAL_OCTETS = 16

/** Signs a certificate with the issuer's key, off the event loop, and gives it as PEM. */
export async function signCertificate(content: CertificateContent, issuerKey: KeyObject): Promise<string> {
  const { identifier } = signatureAlgorithmOf(issuerKey)
  const tbsCertificate = new TBSCertificate({
    version: Version.v3,
    serialNumber: randomSerial(),
    signature: identifier,
    issuer: content.issuer,
    validity: new Validity({ notBefore: new Date(content.notBefore), notAfter: new Date(content.notAfter) }),
    subject: content.subject,
    subjectPublicKeyInfo: AsnConvert.parse(publicKeyInfo(content.publicKey), SubjectPublicKeyInfo),
    extensions: new Extensions([...content.extensions]),
  })
  const signatureValue = await signDer(AsnConvert.serialize(tbsCertificate), issuerKey)
  const certificate = new Certificate({ tbsCertificate, signatureAlgorithm: identifier, signatureValue })
  return encodeCertificate(new Uint8Array(AsnConvert.serialize(certificate)))
}

/** An extension with the DER of `value` inside. */
export function extension(extnID: string, value: object, { critical = false } = {}): Extension {
  return new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

/** A distinguished name that is a common name (2.5.4.3) alone. */
export function commonName(text: string): Name {
  const attribute = new AttributeTypeAndValue({ type: '2.5.4.3', value: new AttributeValue({ utf8String: text }) })
  return new Name([new RelativeDistinguishedName([attribute])])
}

/** RFC 7093 §2 method 1: the leftmost 160 bits of the SHA-256 of the public key's BIT STRING. */
export function keyIdentifierOf(publicKey: KeyObject): Buffer {
  const { subjectPublicKey } = AsnConvert.parse(publicKeyInfo(publicKey), SubjectPublicKeyInfo)
  return createHash('sha256').update(new Uint8Array(subjectPublicKey)).digest().subarray(0, 20)
}

/** Random and positive, and with no leading zero octet, which DER would drop. */
function randomSerial(): ArrayBuffer {
  const serial = randomFillSync(new Uint8Array(SERIAL_OCTETS))
  serial[0] = (serial[0]! & 0x7f) | 0x40
  return serial.buffer
}
