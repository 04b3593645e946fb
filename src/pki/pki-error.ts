import { CastellanError } from '../errors.ts'

export type PkiErrorCode =
  /** A private key that cannot be read. */
  | 'key-malformed'
  /** A key of a kind that Castellan does not sign with. */
  | 'key-unsupported'
  /** Neither a DNS name nor an IP address that a certificate could hold, or no name at all. */
  | 'name-invalid'
  | 'chain-empty'
  | 'chain-too-large'
  | 'chain-malformed'
  /** Something else than a certificate between the certificates (RFC 8555 §11.4). */
  | 'chain-foreign-block'
  | 'chain-out-of-order'
  | 'certificate-malformed'
  | 'certificate-key-mismatch'
  | 'certificate-name-missing'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  /** What OpenSSL does not serve, sound as it may be otherwise: a key that is too small, for one. */
  | 'certificate-unservable'
  /** A CA's certificate where one for a server belongs. */
  | 'certificate-is-authority'
  /** A CA certificate and key that do not make a CA. */
  | 'authority-invalid'
  /** An OCSP response that is none, or says what its rules do not allow. */
  | 'ocsp-malformed'
  /** The responder gives no answer, and says why: `tryLater`, `unauthorized` … (`facts.status`). */
  | 'ocsp-refused'
  | 'ocsp-algorithm-unsupported'
  | 'ocsp-signature-invalid'
  /** Whoever signed the response may not speak for the certificate's issuer. */
  | 'ocsp-signer-unauthorized'
  /** The response is about another certificate. */
  | 'ocsp-other-certificate'
  | 'ocsp-not-yet-valid'
  | 'ocsp-expired'
  /** The responder does not know the certificate. */
  | 'ocsp-unknown'

/** What is wrong with a key, a certificate or a chain. Facts name certificates and names, never a private key. */
export class PkiError extends CastellanError {
  declare readonly code: PkiErrorCode
}
