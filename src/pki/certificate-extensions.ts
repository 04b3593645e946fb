import { derElement, derElements } from './der-element.ts'
import { canonicalName } from './subject-names.ts'

/** What Node's X509Certificate does not tell, or tells as text that a hostile name could fake. */
export type CertificateExtensions = {
  /** The serial number's DER content. */
  readonly serialContent: Buffer
  /** The distinguished names as they are encoded, which is what other DER refers to them by. */
  readonly issuerName: Buffer
  readonly subjectName: Buffer
  readonly names: readonly string[]
  readonly authorityKeyIdentifier: Buffer | undefined
  readonly subjectKeyIdentifier: Buffer | undefined
  readonly ocspUrl: string | undefined
  readonly mustStaple: boolean
}

/** Identifier octets (X.690 §8.1.2); the context-specific ones are from RFC 5280 §4.1 and §4.2. */
const INTEGER = 0x02
const OCTET_STRING = 0x04
const OBJECT_IDENTIFIER = 0x06
const SEQUENCE = 0x30
const TBS_VERSION = 0xa0
const TBS_EXTENSIONS = 0xa3
const AKI_KEY_IDENTIFIER = 0x80
const NAME_DNS = 0x82
const NAME_URI = 0x86
const NAME_IP = 0x87

/** Object identifiers as the hex of their DER content. */
const SUBJECT_KEY_IDENTIFIER = '551d0e' // 2.5.29.14
const SUBJECT_ALTERNATIVE_NAME = '551d11' // 2.5.29.17
const AUTHORITY_KEY_IDENTIFIER = '551d23' // 2.5.29.35
const AUTHORITY_INFORMATION_ACCESS = '2b06010505070101' // 1.3.6.1.5.5.7.1.1
const TLS_FEATURE = '2b06010505070118' // 1.3.6.1.5.5.7.1.24
const ACCESS_OCSP = '2b06010505073001' // 1.3.6.1.5.5.7.48.1

/** TLS feature status_request (RFC 7633 §4.2.1). */
const STATUS_REQUEST = 5

/** Reads a DER certificate's serial number and extensions. Throws RangeError where it is not what RFC 5280 §4.1 says. */
export function readCertificateExtensions(der: Buffer): CertificateExtensions {
  const [tbs] = derElements(derElement(der, SEQUENCE).content)
  if (tbs?.tag !== SEQUENCE) throw new RangeError('No TBSCertificate')
  const fields = derElements(tbs.content).filter(({ tag }) => tag !== TBS_VERSION)
  // serialNumber, signature, issuer, validity, subject
  const [serial, , issuer, , subject] = fields
  if (serial?.tag !== INTEGER) throw new RangeError('No serial number')
  if (issuer?.tag !== SEQUENCE || subject?.tag !== SEQUENCE) throw new RangeError('No issuer, or no subject')
  const extensions = extensionValues(fields.find(({ tag }) => tag === TBS_EXTENSIONS)?.content)
  return {
    serialContent: serial.content,
    issuerName: issuer.whole,
    subjectName: subject.whole,
    names: names(extensions.get(SUBJECT_ALTERNATIVE_NAME)),
    authorityKeyIdentifier: authorityKeyIdentifier(extensions.get(AUTHORITY_KEY_IDENTIFIER)),
    subjectKeyIdentifier: subjectKeyIdentifier(extensions.get(SUBJECT_KEY_IDENTIFIER)),
    ocspUrl: ocspUrl(extensions.get(AUTHORITY_INFORMATION_ACCESS)),
    mustStaple: mustStaple(extensions.get(TLS_FEATURE)),
  }
}

/** The extnValues by object identifier. Two of one kind would leave open which one counts (RFC 5280 §4.2). */
function extensionValues(explicit: Buffer | undefined): ReadonlyMap<string, Buffer> {
  const values = new Map<string, Buffer>()
  if (explicit === undefined) return values
  for (const extension of derElements(derElement(explicit, SEQUENCE).content)) {
    const parts = derElements(extension.content)
    const id = parts[0]?.tag === OBJECT_IDENTIFIER ? parts[0].content.toString('hex') : undefined
    const value = parts.at(-1)
    if (id === undefined || value?.tag !== OCTET_STRING) throw new RangeError('An extension without type or value')
    if (values.has(id)) throw new RangeError(`Two extensions of the type ${id}`)
    values.set(id, value.content)
  }
  return values
}

function names(extension: Buffer | undefined): string[] {
  const found: string[] = []
  if (extension === undefined) return found
  for (const { tag, content } of derElements(derElement(extension, SEQUENCE).content)) {
    if (tag === NAME_DNS) found.push(content.toString('latin1').toLowerCase())
    if (tag === NAME_IP) found.push(addressText(content))
  }
  return found
}

/** RFC 5280 §4.2.1.6: 4 octets or 16. */
function addressText(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.')
  if (octets.length !== 16) throw new RangeError(`An IP address of ${octets.length} octets`)
  return canonicalName((octets.toString('hex').match(/.{4}/g) ?? []).join(':'))
}

function authorityKeyIdentifier(extension: Buffer | undefined): Buffer | undefined {
  if (extension === undefined) return undefined
  return derElements(derElement(extension, SEQUENCE).content).find(({ tag }) => tag === AKI_KEY_IDENTIFIER)?.content
}

function subjectKeyIdentifier(extension: Buffer | undefined): Buffer | undefined {
  return extension === undefined ? undefined : derElement(extension, OCTET_STRING).content
}

function ocspUrl(extension: Buffer | undefined): string | undefined {
  if (extension === undefined) return undefined
  for (const description of derElements(derElement(extension, SEQUENCE).content)) {
    const [method, location] = derElements(description.content)
    if (method?.content.toString('hex') !== ACCESS_OCSP || location?.tag !== NAME_URI) continue
    const url = URL.parse(location.content.toString('latin1'))
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
  }
  return undefined
}

function mustStaple(extension: Buffer | undefined): boolean {
  if (extension === undefined) return false
  const features = derElements(derElement(extension, SEQUENCE).content)
  return features.some(({ content }) => content.length === 1 && content[0] === STATUS_REQUEST)
}
