import { type Certificate, isSignedBy, parseCertificate } from './certificate.ts'
import { derElement, derElements } from './der-element.ts'
import {
  type BasicResponse,
  type CertificateStatus,
  parseBasicResponse,
  type SingleResponse,
} from './ocsp-basic-response.ts'
import { certificateId, publicKeyHash } from './ocsp-request.ts'
import { checkAlgorithm, isSignedWith } from './ocsp-signature.ts'
import { PkiError } from './pki-error.ts'

export type { CertificateStatus } from './ocsp-basic-response.ts'

/** What a responder said, verified. Times in milliseconds since 1970. */
export type OcspAnswer = {
  readonly status: CertificateStatus
  readonly thisUpdate: number
  /** From when on nobody believes it any more: its nextUpdate, or the end of the certificate that it is signed with. */
  readonly until: number
}

/** What a response must be good for. */
export type OcspSubject = {
  readonly certificate: Certificate
  /** The CA's certificate that the certificate is signed with. */
  readonly issuer: Certificate
  /** Milliseconds since 1970. */
  readonly now: number
}

const SEQUENCE = 0x30

/** id-kp-OCSPSigning (RFC 6960 §4.2.2.2). */
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

/** How far ahead of this machine's clock a responder's may be. */
export const CLOCK_TOLERANCE_MS = 5 * 60 * 1000

/** RFC 6960 §4.2.2.1: without nextUpdate there is news at any time. A day is what such an answer is taken for here. */
const VALIDITY_WITHOUT_NEXT_UPDATE_MS = 24 * 60 * 60 * 1000

/**
 * Reads an OCSP response (RFC 6960 §4.2) in DER and checks all that RFC 6960 §3.2 asks for: it is about this certificate,
 * signed by the CA that issued that or by somebody to whom that CA gave the right, and it is neither from the future nor
 * over. Throws PkiError with one of the codes `ocsp-…`, but for `ocsp-unknown`: that is a status here.
 */
export function readOcspResponse(der: Buffer, subject: OcspSubject): OcspAnswer {
  const response = malformedUnlessRead(() => parseBasicResponse(der))
  const single = response.responses.find((each) => isAbout(each, subject))
  const signerEnd = checkSigner(response, subject)
  if (single === undefined) throw new PkiError('ocsp-other-certificate', 'The response is about another certificate.')
  const { status, thisUpdate, nextUpdate = thisUpdate + VALIDITY_WITHOUT_NEXT_UPDATE_MS } = single
  const until = Math.min(nextUpdate, signerEnd)
  checkTimes(thisUpdate, until, subject.now)
  return { status, thisUpdate, until }
}

function malformedUnlessRead<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof PkiError && cause.code === 'ocsp-refused') throw cause
    throw new PkiError('ocsp-malformed', 'What the responder sent is no OCSP response.', {}, { cause })
  }
}

function isAbout({ hash, id }: SingleResponse, { certificate, issuer }: OcspSubject): boolean {
  if (hash === undefined) return false
  const { nameHash, keyHash, serial } = certificateId(certificate, issuer, hash)
  return id.nameHash.equals(nameHash) && id.keyHash.equals(keyHash) && id.serial.equals(serial)
}

/** RFC 6960 §4.2.2.2: the issuer itself, or whom it has named in a certificate. Gives when the right to sign ends. */
function checkSigner(response: BasicResponse, subject: OcspSubject): number {
  checkAlgorithm(response)
  const { issuer } = subject
  if (isResponder(response, issuer)) {
    if (isSignedWith(response, issuer.publicKey)) return Number.POSITIVE_INFINITY
    // A delegate of the same name as the CA, perhaps.
    if (response.certificates.length === 0) throw signatureInvalid()
  }
  const certificates = malformedUnlessRead(() => response.certificates.map(parseCertificate))
  const named = certificates.filter((certificate) => isResponder(response, certificate))
  if (named.length === 0)
    throw unauthorized('whoever it names as its signer is neither the CA nor introduced by a certificate')
  const signer = named.find((certificate) => isSignedWith(response, certificate.publicKey))
  if (signer === undefined) throw signatureInvalid()
  checkDelegate(signer, subject)
  return signer.notAfter
}

function isResponder({ responder }: BasicResponse, { subjectName, publicKey }: Certificate): boolean {
  if (responder.type === 'name') return responder.name.equals(subjectName)
  return responder.keyHash.equals(publicKeyHash(publicKey, 'sha1'))
}

function checkDelegate(signer: Certificate, { issuer, now }: OcspSubject): void {
  const [, algorithm] = derElements(derElement(signer.x509.raw, SEQUENCE).content)
  checkAlgorithm({ algorithm: algorithm!.whole })
  if (!isSignedBy(signer, issuer)) throw unauthorized('the certificate of its signer is not from the CA')
  if (!signer.x509.keyUsage?.includes(OCSP_SIGNING))
    throw unauthorized('the CA has not given its signer the right to (id-kp-OCSPSigning)')
  if (now > signer.notAfter || now < signer.notBefore - CLOCK_TOLERANCE_MS)
    throw unauthorized('the certificate of its signer has expired, or is not valid yet')
}

function checkTimes(thisUpdate: number, until: number, now: number): void {
  if (thisUpdate > now + CLOCK_TOLERANCE_MS)
    throw new PkiError('ocsp-not-yet-valid', `The response is from the future: ${isoTime(thisUpdate)}.`)
  if (until <= now) throw new PkiError('ocsp-expired', `The response is out of date since ${isoTime(until)}.`)
}

function signatureInvalid(): PkiError {
  return new PkiError('ocsp-signature-invalid', "The response's signature does not fit: it was changed on its way.")
}

function unauthorized(why: string): PkiError {
  return new PkiError('ocsp-signer-unauthorized', `The response is not to be believed: ${why}.`)
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
