import { createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, FlattenedSign, type JWK } from 'jose'
import type { KeyKind } from '../pki/key-kind.ts'
import { keyKindOf } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'
import { AcmeError } from './acme-error.ts'

/** RFC 7518 §3.1. RS256 for every RSA key: no ACME server is known to refuse it. */
const algorithms = {
  'ecdsa-p256': 'ES256',
  'ecdsa-p384': 'ES384',
  'rsa-2048': 'RS256',
  'rsa-3072': 'RS256',
  'rsa-4096': 'RS256',
} satisfies Record<KeyKind, string>

/** The key of an ACME account, and what is said of it. */
export type AccountKey = {
  readonly privateKey: KeyObject
  readonly publicJwk: JWK
  readonly algorithm: (typeof algorithms)[KeyKind]
  /** RFC 7638, SHA-256: the second half of key authorizations (RFC 8555 §8.1). */
  readonly thumbprint: string
}

/** Throws PkiError `key-unsupported` for a key that is of no KeyKind. */
export async function accountKey(privateKey: KeyObject): Promise<AccountKey> {
  const kind = keyKindOf(privateKey)
  if (kind === undefined) throw new PkiError('key-unsupported', 'An account key must be ECDSA P-256 or P-384, or RSA.')
  const publicJwk = createPublicKey(privateKey).export({ format: 'jwk' }) as JWK
  return { privateKey, publicJwk, algorithm: algorithms[kind], thumbprint: await calculateJwkThumbprint(publicJwk) }
}

/** What an account's request says: the whole body, or undefined for a POST-as-GET (RFC 8555 §6.3). */
export type Payload = Readonly<Record<string, unknown>> | undefined

export type RequestHeader = {
  readonly key: AccountKey
  /** The account's URL, which is its `kid`; undefined sends the public key instead, as newAccount needs (§6.2). */
  readonly kid: string | undefined
  readonly nonce: string
  readonly url: string
}

/** The body of a signed request: a flattened JWS (RFC 8555 §6.2). */
export async function signRequest(payload: Payload, { key, kid, nonce, url }: RequestHeader): Promise<string> {
  const signer = kid === undefined ? { jwk: key.publicJwk } : { kid }
  const jws = await new FlattenedSign(encode(payload))
    .setProtectedHeader({ alg: key.algorithm, ...signer, nonce, url })
    .sign(key.privateKey)
  return JSON.stringify(jws)
}

/** Credentials that a CA gives out to bind an ACME account to one of its own (RFC 8555 §7.3.4). */
export type ExternalAccount = {
  readonly kid: string
  /** The MAC key, decoded: a secret. */
  readonly hmacKey: Uint8Array
}

/**
 * The `externalAccountBinding` of newAccount: the account's public key, under the CA's MAC key; without a nonce. Throws
 * AcmeError `external-account-invalid` for an empty key: text of one character is base64url of nothing.
 */
export async function bindExternalAccount(
  { kid, hmacKey }: ExternalAccount,
  { publicJwk }: AccountKey,
  newAccountUrl: string,
): Promise<Record<string, unknown>> {
  if (hmacKey.length === 0) throw macKeyEmpty(kid)
  const jws = await new FlattenedSign(encode(publicJwk))
    .setProtectedHeader({ alg: 'HS256', kid, url: newAccountUrl })
    .sign(hmacKey)
  return { ...jws }
}

/**
 * The payload of keyChange (RFC 8555 §7.3.5): the account and its former key, signed by the key that shall take its place.
 * The server checks that this one's `url` is that of the outer JWS; it has no nonce.
 */
export async function signKeyChange(
  { account, from, to }: { readonly account: string; readonly from: AccountKey; readonly to: AccountKey },
  url: string,
): Promise<Record<string, unknown>> {
  const jws = await new FlattenedSign(encode({ account, oldKey: from.publicJwk }))
    .setProtectedHeader({ alg: to.algorithm, jwk: to.publicJwk, url })
    .sign(to.privateKey)
  return { ...jws }
}

function macKeyEmpty(kid: string): AcmeError {
  const sentence = `The hmacKey of the external account ${kid} is empty once decoded: copy it from the CA once more.`
  return new AcmeError('external-account-invalid', sentence, { kid })
}

function encode(payload: object | undefined): Uint8Array {
  return Buffer.from(payload === undefined ? '' : JSON.stringify(payload))
}
