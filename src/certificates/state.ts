import type { Stapled } from './staples.ts'

/** A certificate that can be served, before it is known what is stapled to it. */
export type ServableCertificate = Omit<HeldCertificate, 'staple'> & Stapled

/** A certificate that is served. */
export type HeldCertificate = {
  /** Changes whenever the certificate does, and with nothing else. */
  readonly id: string
  readonly names: readonly string[]
  /** PEM: the certificate itself first. */
  readonly chain: string
  /** PEM. */
  readonly privateKey: string
  /** Its OCSP response, DER in base64, for clients that ask for it; undefined if there is none. */
  readonly staple: string | undefined
}

/** What there is to serve, and for what there is nothing yet. */
export type CertificatesState = {
  readonly held: readonly HeldCertificate[]
  /** Names without a certificate of any kind, and what they wait for, in words. */
  readonly waiting: readonly { readonly names: readonly string[]; readonly reason: string }[]
}
