import { derElement, derElements } from './der-element.ts'
import { DerFields } from './der-fields.ts'
import type { CertificateId, CertificateIdHash } from './ocsp-request.ts'
import type { Signed } from './ocsp-signature.ts'
import { PkiError } from './pki-error.ts'

/** What a responder says of a certificate (RFC 6960 §2.2). Times in milliseconds since 1970. */
export type CertificateStatus =
  | { readonly type: 'good' }
  /** `reason` as RFC 5280 §5.3.1 calls it: `keyCompromise`. */
  | { readonly type: 'revoked'; readonly revokedAt: number; readonly reason: string | undefined }
  | { readonly type: 'unknown' }

export type SingleResponse = {
  /** undefined for a hash that nobody asked for. */
  readonly hash: CertificateIdHash | undefined
  readonly id: CertificateId
  readonly status: CertificateStatus
  readonly thisUpdate: number
  readonly nextUpdate: number | undefined
}

/** RFC 6960 §4.2.1, read and not yet verified. */
export type BasicResponse = Signed & {
  readonly responder:
    | { readonly type: 'name'; readonly name: Buffer }
    | { readonly type: 'key'; readonly keyHash: Buffer }
  readonly responses: readonly SingleResponse[]
  /** DER. */
  readonly certificates: readonly Buffer[]
}

/** Identifier octets (X.690 §8.1.2). */
const BOOLEAN = 0x01
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const ENUMERATED = 0x0a
const GENERALIZED_TIME = 0x18
const SEQUENCE = 0x30
/** Context-specific ones, where `[1]` is primitive or constructed as its type has it. */
const [EXPLICIT_0, EXPLICIT_1, EXPLICIT_2] = [0xa0, 0xa1, 0xa2]
const [GOOD, REVOKED, UNKNOWN] = [0x80, 0xa1, 0x82]

/** Object identifiers as the hex of their DER content. */
const PKIX_OCSP_BASIC = '2b0601050507300101' // 1.3.6.1.5.5.7.48.1.1
const HASHES = new Map<string, CertificateIdHash>([
  ['2b0e03021a', 'sha1'],
  ['608648016503040201', 'sha256'],
])

/** RFC 6960 §4.2.1; 4 is not used. */
const RESPONSE_STATUSES = [
  'successful',
  'malformedRequest',
  'internalError',
  'tryLater',
  '',
  'sigRequired',
  'unauthorized',
]

/** RFC 5280 §5.3.1; 7 is not used. */
const REASONS = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  undefined,
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
]

/** Real responses bring one certificate or none. */
const MAX_CERTIFICATES = 8

/**
 * Reads an OCSPResponse of the type id-pkix-ocsp-basic. Throws PkiError `ocsp-refused` where that says that there is no
 * answer, and RangeError where it is not what RFC 6960 §4.2.1 says.
 */
export function parseBasicResponse(der: Buffer): BasicResponse {
  const response = new DerFields(derElement(der, SEQUENCE).content)
  checkStatus(response.take(ENUMERATED).content)
  const bytes = response.takeExplicit(EXPLICIT_0, SEQUENCE)
  response.end()
  if (bytes === undefined) throw new RangeError('A success without an answer')
  const typed = new DerFields(bytes.content)
  if (typed.take(OBJECT_IDENTIFIER).content.toString('hex') !== PKIX_OCSP_BASIC)
    throw new RangeError('A response of another type than id-pkix-ocsp-basic')
  const basic = new DerFields(derElement(typed.take(OCTET_STRING).content, SEQUENCE).content)
  typed.end()
  const data = basic.take(SEQUENCE)
  const algorithm = basic.take(SEQUENCE).whole
  const signature = bits(basic.take(BIT_STRING).content)
  const certificates = derElements(basic.takeExplicit(EXPLICIT_0, SEQUENCE)?.content ?? Buffer.alloc(0))
  basic.end()
  if (certificates.length > MAX_CERTIFICATES)
    throw new RangeError(`A response with ${certificates.length} certificates`)
  return {
    ...parseResponseData(data.content),
    content: data.whole,
    algorithm,
    signature,
    certificates: certificates.map(({ whole }) => whole),
  }
}

function checkStatus(content: Buffer): void {
  const status = content.length === 1 ? RESPONSE_STATUSES[content[0]!] : undefined
  if (!status) throw new RangeError('A response status that does not exist')
  if (status === 'successful') return
  throw new PkiError('ocsp-refused', `The responder gives no answer: ${status}.`, { status })
}

function parseResponseData(content: Buffer): Pick<BasicResponse, 'responder' | 'responses'> {
  const data = new DerFields(content)
  const version = data.takeExplicit(EXPLICIT_0, INTEGER)
  // DER leaves v1, the only version, out; some responders do not.
  if (version !== undefined && !version.content.equals(Buffer.of(0))) throw new RangeError('An unknown version')
  const responder = responderId(data)
  time(data.take(GENERALIZED_TIME).content)
  const responses = derElements(data.take(SEQUENCE).content).map(({ content: single }) => singleResponse(single))
  refuseCritical(data.takeExplicit(EXPLICIT_1, SEQUENCE)?.content)
  data.end()
  return { responder, responses }
}

function responderId(data: DerFields): BasicResponse['responder'] {
  const name = data.takeExplicit(EXPLICIT_1, SEQUENCE)
  if (name !== undefined) return { type: 'name', name: name.whole }
  const key = data.takeExplicit(EXPLICIT_2, OCTET_STRING)
  if (key === undefined) throw new RangeError('A response without a responder')
  return { type: 'key', keyHash: key.content }
}

function singleResponse(content: Buffer): SingleResponse {
  const single = new DerFields(content)
  const certId = new DerFields(single.take(SEQUENCE).content)
  const algorithm = new DerFields(certId.take(SEQUENCE).content)
  const hash = HASHES.get(algorithm.take(OBJECT_IDENTIFIER).content.toString('hex'))
  const id = {
    nameHash: certId.take(OCTET_STRING).content,
    keyHash: certId.take(OCTET_STRING).content,
    serial: certId.take(INTEGER).content,
  }
  certId.end()
  const status = certificateStatus(single)
  const thisUpdate = time(single.take(GENERALIZED_TIME).content)
  const next = single.takeExplicit(EXPLICIT_0, GENERALIZED_TIME)
  const nextUpdate = next && time(next.content)
  if (nextUpdate !== undefined && nextUpdate <= thisUpdate) throw new RangeError('An end ahead of the beginning')
  refuseCritical(single.takeExplicit(EXPLICIT_1, SEQUENCE)?.content)
  single.end()
  return { hash, id, status, thisUpdate, nextUpdate }
}

function certificateStatus(single: DerFields): CertificateStatus {
  const { tag, content } = single.takeAny()
  switch (tag) {
    case GOOD:
    case UNKNOWN:
      if (content.length > 0) throw new RangeError('A NULL with content')
      return { type: tag === GOOD ? 'good' : 'unknown' }
    case REVOKED: {
      const info = new DerFields(content)
      const revokedAt = time(info.take(GENERALIZED_TIME).content)
      const reason = info.takeExplicit(EXPLICIT_0, ENUMERATED)
      info.end()
      return { type: 'revoked', revokedAt, reason: reason && REASONS[reason.content[0] ?? -1] }
    }
    default:
      throw new RangeError('A certificate status that does not exist')
  }
}

/** RFC 6960 §4.4: extensions are ignored, but for those that must not be. None is known here. */
function refuseCritical(extensions: Buffer | undefined): void {
  for (const { content } of derElements(extensions ?? Buffer.alloc(0))) {
    const extension = new DerFields(content)
    const id = extension.take(OBJECT_IDENTIFIER).content.toString('hex')
    const isCritical = extension.takeOptional(BOOLEAN)?.content[0] === 0xff
    if (isCritical) throw new RangeError(`A critical extension that is unknown: ${id}`)
  }
}

function bits(content: Buffer): Buffer {
  if (content[0] !== 0) throw new RangeError('A BIT STRING that is not whole octets')
  return content.subarray(1)
}

/** RFC 5280 §4.1.2.5.2, which RFC 6960 §4.2.2.1 refers to: to the second, and in UTC. */
function time(content: Buffer): number {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(content.toString('latin1'))
  if (parts === null) throw new RangeError('A time in another form than YYYYMMDDHHMMSSZ')
  const [, year, month, day, hour, minute, second] = parts
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(ms)) throw new RangeError('A time that does not exist')
  return ms
}
