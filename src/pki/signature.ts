import { type KeyObject, sign as signWithCallback } from 'node:crypto'
import { promisify } from 'node:util'
import { AlgorithmIdentifier } from '@peculiar/asn1-x509'
import type { KeyKind } from './key-kind.ts'
import { keyKindOf } from './keys.ts'
import { PkiError } from './pki-error.ts'

/** How keys of one kind sign requests and certificates. */
export type SignatureAlgorithm = { readonly hash: 'sha256' | 'sha384'; readonly identifier: AlgorithmIdentifier }

/** RFC 4055 §5: the parameters must be NULL. */
const sha256WithRsa: SignatureAlgorithm = {
  hash: 'sha256',
  identifier: new AlgorithmIdentifier({ algorithm: '1.2.840.113549.1.1.11', parameters: null }),
}

/** ECDSA: RFC 5758 §3.2, without parameters, and with a hash as strong as the curve. */
const algorithms = {
  'ecdsa-p256': { hash: 'sha256', identifier: new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.2' }) },
  'ecdsa-p384': { hash: 'sha384', identifier: new AlgorithmIdentifier({ algorithm: '1.2.840.10045.4.3.3' }) },
  'rsa-2048': sha256WithRsa,
  'rsa-3072': sha256WithRsa,
  'rsa-4096': sha256WithRsa,
} satisfies Record<KeyKind, SignatureAlgorithm>

/** Throws PkiError `key-unsupported` for a key that is of no KeyKind. */
export function signatureAlgorithmOf(key: KeyObject): SignatureAlgorithm {
  const kind = keyKindOf(key)
  if (kind !== undefined) return algorithms[kind]
  throw new PkiError('key-unsupported', 'A key of this type cannot sign here: use ECDSA P-256 or P-384, or RSA.', {
    type: key.asymmetricKeyType,
  })
}

const signInThreadPool = promisify<string, Uint8Array, KeyObject, Buffer>(signWithCallback)

/** Signs DER as the key's kind does (ECDSA as in RFC 3279 §2.2.3), off the event loop. The value of a BIT STRING. */
export async function signDer(der: ArrayBuffer, privateKey: KeyObject): Promise<ArrayBuffer> {
  const { hash } = signatureAlgorithmOf(privateKey)
  const signature = await signInThreadPool(hash, new Uint8Array(der), privateKey)
  // A copy, because the buffer behind a small Buffer is a pool that it shares with others.
  return new Uint8Array(signature).buffer
}
