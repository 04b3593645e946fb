import type { Certificate } from '../pki/certificate.ts'
import { keyName } from '../pki/keys.ts'

/** What is held of each certificate that serves: what it says, without what OpenSSL makes of it, which takes 20 kB. */
export type Leaf = Pick<
  Certificate,
  | 'names'
  | 'keyKind'
  | 'notBefore'
  | 'notAfter'
  | 'serial'
  | 'subject'
  | 'issuer'
  | 'fingerprint'
  | 'ocspUrl'
  | 'mustStaple'
> & {
  /** As keyName has it. */
  readonly key: string
}

export function leafOf(certificate: Certificate): Leaf {
  const { names, keyKind, notBefore, notAfter, serial, subject, issuer, fingerprint, ocspUrl, mustStaple } = certificate
  const key = keyName(certificate.publicKey)
  return { names, keyKind, key, notBefore, notAfter, serial, subject, issuer, fingerprint, ocspUrl, mustStaple }
}
