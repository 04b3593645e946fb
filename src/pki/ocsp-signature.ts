import { constants, type KeyObject, verify } from 'node:crypto'
import { PkiError } from './pki-error.ts'

type Verification = {
  readonly hash: 'sha256' | 'sha384' | 'sha512'
  readonly keyType: 'rsa' | 'ec'
  /** RSASSA-PSS with a salt as long as the hash. */
  readonly isPss?: true
}

/** RSASSA-PSS (RFC 4055 §3.1) as it has to be encoded byte for byte (CA/B Forum Baseline Requirements §7.1.3.2.1). */
function pss(hash: string, saltLength: string): string {
  return (
    '304106092a864886f70d01010a3034' +
    `a00f300d0609608648016503040${hash}0500` +
    `a11c301a06092a864886f70d010108300d0609608648016503040${hash}0500` +
    `a2030201${saltLength}`
  )
}

/**
 * The whole AlgorithmIdentifier, in hex, and what it means: RFC 4055 §5 (whose NULL some leave out), RFC 5758 §3.2. With
 * SHA-1 anybody can make two messages of one signature by now: it is not among them.
 */
const verifications = new Map<string, Verification>([
  ['300d06092a864886f70d01010b0500', { hash: 'sha256', keyType: 'rsa' }],
  ['300d06092a864886f70d01010c0500', { hash: 'sha384', keyType: 'rsa' }],
  ['300d06092a864886f70d01010d0500', { hash: 'sha512', keyType: 'rsa' }],
  ['300b06092a864886f70d01010b', { hash: 'sha256', keyType: 'rsa' }],
  ['300b06092a864886f70d01010c', { hash: 'sha384', keyType: 'rsa' }],
  ['300b06092a864886f70d01010d', { hash: 'sha512', keyType: 'rsa' }],
  ['300a06082a8648ce3d040302', { hash: 'sha256', keyType: 'ec' }],
  ['300a06082a8648ce3d040303', { hash: 'sha384', keyType: 'ec' }],
  ['300a06082a8648ce3d040304', { hash: 'sha512', keyType: 'ec' }],
  [pss('201', '20'), { hash: 'sha256', keyType: 'rsa', isPss: true }],
  [pss('202', '30'), { hash: 'sha384', keyType: 'rsa', isPss: true }],
  [pss('203', '40'), { hash: 'sha512', keyType: 'rsa', isPss: true }],
])

/** Something signed, as X.509 and OCSP have it. */
export type Signed = {
  /** DER, as it came. */
  readonly content: Buffer
  /** The AlgorithmIdentifier, DER. */
  readonly algorithm: Buffer
  readonly signature: Buffer
}

/** Throws PkiError `ocsp-algorithm-unsupported` for a signature that is made in a way that is not taken here. */
export function checkAlgorithm({ algorithm }: Pick<Signed, 'algorithm'>): void {
  verificationOf(algorithm)
}

/** Whether this key made the signature. Throws PkiError `ocsp-algorithm-unsupported`. */
export function isSignedWith({ content, algorithm, signature }: Signed, key: KeyObject): boolean {
  const { hash, keyType, isPss } = verificationOf(algorithm)
  if (key.asymmetricKeyType !== keyType) return false
  const padding = isPss && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  }
  return verify(hash, content, { key, ...padding }, signature)
}

function verificationOf(algorithm: Buffer): Verification {
  const verification = verifications.get(algorithm.toString('hex'))
  if (verification !== undefined) return verification
  const message = 'It is signed in a way that is not taken here: RSA and ECDSA with SHA-256, SHA-384 or SHA-512 are.'
  throw new PkiError('ocsp-algorithm-unsupported', message, { algorithm: algorithm.toString('hex', 0, 64) })
}
