import { constants, type KeyObject, sign } from 'node:crypto'
import type { Certificate } from '../../src/pki/certificate.ts'
import { encodeDer } from '../../src/pki/der-element.ts'
import { type CertificateIdHash, certificateId, publicKeyHash } from '../../src/pki/ocsp-request.ts'

// OCSP responses as a responder makes them, and as none should.

export type Status = 'good' | 'unknown' | { readonly revokedAt: number; readonly reason?: number }

export type ResponseContent = {
  readonly certificate: Certificate
  readonly issuer: Certificate
  readonly status?: Status
  readonly thisUpdate: number
  readonly nextUpdate?: number | undefined
  /** Of the CertID; sha1 unless given. */
  readonly hash?: CertificateIdHash
  /** Who signs; its certificate is put into the response if it is not the issuer's. */
  readonly signer: { readonly certificate: Certificate; readonly privateKey: KeyObject }
  readonly algorithm?: keyof typeof algorithms
  readonly namesResponderBy?: 'name' | 'key'
  /** In place of the signer's own. */
  readonly certificates?: readonly Certificate[]
  /** Other certificates that the response is about, ahead of the one. */
  readonly others?: readonly Certificate[]
  /** DER of Extensions. */
  readonly extensions?: Buffer
  readonly singleExtensions?: Buffer
}

const pss = (hash: number, salt: number): Buffer => {
  const hashAlgorithm = encodeDer(0x30, Buffer.from(`060960864801650304020${hash}0500`, 'hex'))
  const mgf1 = encodeDer(0x30, Buffer.from('06092a864886f70d010108', 'hex'), hashAlgorithm)
  const parameters = encodeDer(
    0x30,
    encodeDer(0xa0, hashAlgorithm),
    encodeDer(0xa1, mgf1),
    encodeDer(0xa2, encodeDer(0x02, Buffer.of(salt))),
  )
  return encodeDer(0x30, Buffer.from('06092a864886f70d01010a', 'hex'), parameters)
}

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

/** What the AlgorithmIdentifier says, and what is done. */
export const algorithms = {
  'ecdsa-sha256': { hash: 'sha256', identifier: hex('300a06082a8648ce3d040302'), isPss: false },
  'ecdsa-sha384': { hash: 'sha384', identifier: hex('300a06082a8648ce3d040303'), isPss: false },
  'ecdsa-sha512': { hash: 'sha512', identifier: hex('300a06082a8648ce3d040304'), isPss: false },
  'ecdsa-sha1': { hash: 'sha1', identifier: hex('300906072a8648ce3d0401'), isPss: false },
  'rsa-sha256': { hash: 'sha256', identifier: hex('300d06092a864886f70d01010b0500'), isPss: false },
  'rsa-sha256-without-null': { hash: 'sha256', identifier: hex('300b06092a864886f70d01010b'), isPss: false },
  'rsa-sha384': { hash: 'sha384', identifier: hex('300d06092a864886f70d01010c0500'), isPss: false },
  'rsa-sha512': { hash: 'sha512', identifier: hex('300d06092a864886f70d01010d0500'), isPss: false },
  'rsa-sha1': { hash: 'sha1', identifier: hex('300d06092a864886f70d0101050500'), isPss: false },
  'rsa-pss-sha256': { hash: 'sha256', identifier: pss(1, 32), isPss: true },
  'rsa-pss-sha384': { hash: 'sha384', identifier: pss(2, 48), isPss: true },
  'rsa-pss-sha512': { hash: 'sha512', identifier: pss(3, 64), isPss: true },
  'rsa-pss-short-salt': { hash: 'sha256', identifier: pss(1, 20), isPss: true },
} as const

/** A whole OCSPResponse in DER. */
export function signedResponse(content: ResponseContent): Buffer {
  const { signer, issuer, algorithm = 'ecdsa-sha256' } = content
  const data = responseData(content)
  const { hash, identifier, isPss } = algorithms[algorithm]
  const padding = isPss && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const signature = sign(hash, data, { key: signer.privateKey, ...padding })
  const isDirect = signer.certificate.fingerprint === issuer.fingerprint
  const certificates = content.certificates ?? (isDirect ? [] : [signer.certificate])
  const parts = [data, identifier, encodeDer(0x03, Buffer.of(0), signature)]
  if (certificates.length > 0) parts.push(encodeDer(0xa0, encodeDer(0x30, ...certificates.map(({ x509 }) => x509.raw))))
  return wrapped(encodeDer(0x30, ...parts))
}

/** An OCSPResponse around a BasicOCSPResponse. */
export function wrapped(basic: Buffer, status = 0): Buffer {
  const bytes = encodeDer(0x30, hex('06092b0601050507300101'), encodeDer(0x04, basic))
  return encodeDer(0x30, encodeDer(0x0a, Buffer.of(status)), encodeDer(0xa0, bytes))
}

/** An OCSPResponse that is a status alone. */
export function statusResponse(status: number): Buffer {
  return encodeDer(0x30, encodeDer(0x0a, Buffer.of(status)))
}

export function generalizedTime(ms: number): Buffer {
  const text = new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')
  return encodeDer(0x18, Buffer.from(`${text}Z`))
}

function responseData(content: ResponseContent): Buffer {
  const { signer, thisUpdate, namesResponderBy = 'name', extensions } = content
  const responder =
    namesResponderBy === 'name'
      ? encodeDer(0xa1, signer.certificate.subjectName)
      : encodeDer(0xa2, encodeDer(0x04, publicKeyHash(signer.certificate.publicKey, 'sha1')))
  const subjects = [...(content.others ?? []), content.certificate]
  return encodeDer(
    0x30,
    responder,
    generalizedTime(thisUpdate),
    encodeDer(0x30, ...subjects.map((certificate) => singleResponse({ ...content, certificate }))),
    ...(extensions === undefined ? [] : [encodeDer(0xa1, extensions)]),
  )
}

function singleResponse(content: ResponseContent): Buffer {
  const { certificate, issuer, hash = 'sha1', thisUpdate, nextUpdate, singleExtensions } = content
  const { nameHash, keyHash, serial } = certificateId(certificate, issuer, hash)
  const hashAlgorithm = hash === 'sha1' ? hex('06052b0e03021a0500') : hex('06096086480165030402010500')
  return encodeDer(
    0x30,
    encodeDer(
      0x30,
      encodeDer(0x30, hashAlgorithm),
      encodeDer(0x04, nameHash),
      encodeDer(0x04, keyHash),
      encodeDer(0x02, serial),
    ),
    certStatus(content.status ?? 'good'),
    generalizedTime(thisUpdate),
    ...(nextUpdate === undefined ? [] : [encodeDer(0xa0, generalizedTime(nextUpdate))]),
    ...(singleExtensions === undefined ? [] : [encodeDer(0xa1, singleExtensions)]),
  )
}

function certStatus(status: Status): Buffer {
  if (status === 'good') return encodeDer(0x80)
  if (status === 'unknown') return encodeDer(0x82)
  const reason = status.reason === undefined ? [] : [encodeDer(0xa0, encodeDer(0x0a, Buffer.of(status.reason)))]
  return encodeDer(0xa1, generalizedTime(status.revokedAt), ...reason)
}
