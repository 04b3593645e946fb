import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { type KeyKind, keyKinds } from './key-kind.ts'
import { PkiError } from './pki-error.ts'

export type KeyPair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject }

type KeyParameters =
  | { readonly type: 'ec'; readonly namedCurve: string }
  | { readonly type: 'rsa'; readonly modulusLength: number }

const parameters = {
  'ecdsa-p256': { type: 'ec', namedCurve: 'prime256v1' },
  'ecdsa-p384': { type: 'ec', namedCurve: 'secp384r1' },
  'rsa-2048': { type: 'rsa', modulusLength: 2048 },
  'rsa-3072': { type: 'rsa', modulusLength: 3072 },
  'rsa-4096': { type: 'rsa', modulusLength: 4096 },
} satisfies Record<KeyKind, KeyParameters>

/** An RSA key of 4096 bits takes 3.3 kB; more than five times that is no key that we would use. */
const MAX_KEY_PEM_CHARACTERS = 16 * 1024

const generate = promisify(generateKeyPair)

/** A new key pair. The work is done by libuv's threads: an RSA key takes from 0.1 s to several seconds. */
export function generateKey(kind: KeyKind): Promise<KeyPair> {
  const wanted: KeyParameters = parameters[kind]
  switch (wanted.type) {
    case 'ec':
      return generate('ec', { namedCurve: wanted.namedCurve })
    case 'rsa':
      return generate('rsa', { modulusLength: wanted.modulusLength })
  }
}

/** PEM, PKCS #8, not encrypted: a secret. */
export function exportPrivateKey(privateKey: KeyObject): string {
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * Reads a PEM private key: PKCS #8, or the older PKCS #1 and SEC 1. Throws PkiError `key-malformed`; its message and
 * cause hold nothing of the key.
 */
export function importPrivateKey(pem: string): KeyObject {
  if (pem.length > MAX_KEY_PEM_CHARACTERS)
    throw new PkiError('key-malformed', `The private key is ${pem.length} characters long, which no usable key is.`)
  try {
    return createPrivateKey({ key: pem, format: 'pem' })
  } catch (cause) {
    throw new PkiError(
      'key-malformed',
      'The private key cannot be read: it must be PEM, whole and without a password.',
      {
        reason: cause instanceof Error ? cause.message : String(cause),
      },
    )
  }
}

/** What sort of key it is, in a word: OpenSSL's name of its curve (`prime256v1`), `rsa-2048`, or the type of others (`ed25519`). */
export function keyName(key: KeyObject): string {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  const type = key.asymmetricKeyType ?? 'unknown'
  return namedCurve ?? (type === 'rsa' ? `${type}-${modulusLength}` : type)
}

/** The kind of a public or private key; undefined for keys that Castellan does not make (Ed25519, RSA-PSS, P-521, …). */
export function keyKindOf(key: KeyObject): KeyKind | undefined {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  return keyKinds.find((kind) => {
    const candidate: KeyParameters = parameters[kind]
    if (candidate.type !== key.asymmetricKeyType) return false
    return candidate.type === 'ec' ? candidate.namedCurve === namedCurve : candidate.modulusLength === modulusLength
  })
}

/** DER, SubjectPublicKeyInfo, of a public key or of a private key's public half. */
export function publicKeyInfo(key: KeyObject): Buffer {
  return publicHalf(key).export({ type: 'spki', format: 'der' })
}

/** SHA-256 of the SubjectPublicKeyInfo in hex: equal for the two halves of one key, and safe to log. */
export function publicKeyFingerprint(key: KeyObject): string {
  return createHash('sha256').update(publicKeyInfo(key)).digest('hex')
}

/**
 * Whether two keys, public or private, belong together: a certificate must match its private key, and an account key
 * must never be a certificate's (RFC 8555 §11.1).
 */
export function isSameKey(a: KeyObject, b: KeyObject): boolean {
  // Of keys that are of different types Node leaves OpenSSL's error behind, and the next one to be read then "fails" (26.10).
  if (a.asymmetricKeyType !== b.asymmetricKeyType) return false
  if (a.asymmetricKeyDetails?.namedCurve !== b.asymmetricKeyDetails?.namedCurve) return false
  return publicHalf(a).equals(publicHalf(b))
}

function publicHalf(key: KeyObject): KeyObject {
  return key.type === 'private' ? createPublicKey(key) : key
}
