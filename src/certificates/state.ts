/** A certificate that is served. */
export type HeldCertificate = {
  /** Changes whenever the certificate does. */
  readonly id: string
  readonly names: readonly string[]
  /** PEM: the certificate itself first. */
  readonly chain: string
  /** PEM. */
  readonly privateKey: string
}

/** What there is to serve, and for what there is nothing yet. */
export type CertificatesState = {
  readonly held: readonly HeldCertificate[]
  /** Names without a certificate of any kind, and what they wait for, in words. */
  readonly waiting: readonly { readonly names: readonly string[]; readonly reason: string }[]
}
