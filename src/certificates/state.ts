import type { Leaf } from './leaf.ts'
import type { PackedCertificate } from './packed-certificate.ts'
import type { Ownership } from './staple-report.ts'

/** A certificate that can be served, before it is known what is stapled to it. */
export type ServableCertificate = {
  /** Changes whenever the certificate does, and with nothing else. */
  readonly id: string
  readonly names: readonly string[]
  readonly certificate: Pick<Leaf, 'key' | 'fingerprint' | 'ocspUrl' | 'mustStaple'>
  readonly packed: PackedCertificate
  readonly ownership: Ownership
}

/** A certificate that is served. */
export type HeldCertificate = Pick<ServableCertificate, 'id' | 'names' | 'packed'> &
  Pick<Leaf, 'key'> & {
    /** Its OCSP response, DER in base64, for clients that ask for it; undefined if there is none. */
    readonly staple: string | undefined
  }

/** What there is to serve, and for what there is nothing yet. */
export type CertificatesState = {
  readonly held: readonly HeldCertificate[]
  /** Names without a certificate of any kind, and what they wait for, in words. */
  readonly waiting: readonly { readonly names: readonly string[]; readonly reason: string }[]
}
