import { CastellanError } from '../errors.ts'
import type { Certificate, CertificateChain } from '../pki/certificate.ts'

/** What clients must meet from now on, when they ask for any of these names. */
export type Expected = {
  /** Those that it serves. */
  readonly names: readonly string[]
  readonly chain: CertificateChain
  /** What is to be stapled at the moment: DER, in base64; undefined where there is none. It may come while others are asked. */
  readonly staple: () => string | undefined
  /** Fingerprints of what serves the same names beside it, and is shown to clients that can verify both. */
  readonly siblings: readonly string[]
  /** What it takes the place of: whoever still shows that has not heard of the new one yet. */
  readonly former: Pick<Certificate, 'fingerprint'> | undefined
}

/**
 * Connects to what serves, as its clients do, and looks whether they meet a certificate as they should. Resolves with
 * whether that could be found out, and rejects with ProofError if they meet something else.
 */
export type Prove = (expected: Expected, signal: AbortSignal) => Promise<'proven' | 'unproven'>

/** Clients do not meet the certificate that they should, or not as they should: the message says what they meet. */
export class ProofError extends CastellanError {
  declare readonly code: 'proof-failed'
}
