import { createHash, type KeyObject } from 'node:crypto'
import type { Certificate } from './certificate.ts'
import { derElement, derElements, encodeDer } from './der-element.ts'
import { publicKeyInfo } from './keys.ts'

/** What a CertID may be made with. SHA-1 only names a certificate here; nothing is proved by it. */
export type CertificateIdHash = 'sha1' | 'sha256'

const OCTET_STRING = 0x04
const INTEGER = 0x02
const SEQUENCE = 0x30

/** SEQUENCE { OBJECT IDENTIFIER, NULL }: 1.3.14.3.2.26. */
const SHA1_ALGORITHM = Buffer.from('300906052b0e03021a0500', 'hex')

/**
 * An OCSP request (RFC 6960 §4.1) for one certificate, in DER: with a CertID by SHA-1, the one that every responder knows
 * (RFC 5019 §2.1.1), and without a nonce, as no responder that answers in advance echoes it.
 */
export function createOcspRequest(certificate: Certificate, issuer: Certificate): Buffer {
  const { nameHash, keyHash, serial } = certificateId(certificate, issuer, 'sha1')
  const certId = encodeDer(
    SEQUENCE,
    SHA1_ALGORITHM,
    encodeDer(OCTET_STRING, nameHash),
    encodeDer(OCTET_STRING, keyHash),
    encodeDer(INTEGER, serial),
  )
  const requestList = encodeDer(SEQUENCE, encodeDer(SEQUENCE, certId))
  return encodeDer(SEQUENCE, encodeDer(SEQUENCE, requestList))
}

/** By what OCSP knows a certificate (RFC 6960 §4.1.1). */
export type CertificateId = { readonly nameHash: Buffer; readonly keyHash: Buffer; readonly serial: Buffer }

export function certificateId(certificate: Certificate, issuer: Certificate, hash: CertificateIdHash): CertificateId {
  return {
    nameHash: createHash(hash).update(certificate.issuerName).digest(),
    keyHash: publicKeyHash(issuer.publicKey, hash),
    serial: certificate.serialContent,
  }
}

/** The hash of the key as it stands in the BIT STRING, without tag, length and the number of unused bits. */
export function publicKeyHash(key: KeyObject, hash: CertificateIdHash): Buffer {
  const [, bits] = derElements(derElement(publicKeyInfo(key), SEQUENCE).content)
  return createHash(hash).update(bits!.content.subarray(1)).digest()
}
