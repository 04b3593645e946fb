import { isObject } from '../acme/json-object.ts'
import { type AccountKey, accountKey } from '../acme/jws.ts'
import { exportPrivateKey, importPrivateKey } from '../pki/keys.ts'
import { PkiError } from '../pki/pki-error.ts'

/** An account as the storage keeps it. */
export type StoredAccount = {
  /** The directory of the CA that it is of. */
  readonly directory: string
  readonly key: AccountKey
  /** The key that the CA is being told to take in place of `key`: whether it has, the CA knows. */
  readonly nextKey?: AccountKey | undefined
  /** Missing until the CA has given one. */
  readonly url?: string | undefined
  /** The one that the CA has been told. */
  readonly contact?: string | undefined
}

/** JSON, with the keys as PEM: a secret. */
export function formatAccount({ directory, key, nextKey, url, contact }: StoredAccount): Buffer {
  const record = {
    directory,
    privateKey: exportPrivateKey(key.privateKey),
    nextPrivateKey: nextKey && exportPrivateKey(nextKey.privateKey),
    url,
    contact,
  }
  return Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`)
}

/** Undefined if anything about it is not as it was written. */
export async function parseAccount(value: Buffer): Promise<StoredAccount | undefined> {
  try {
    const record: unknown = JSON.parse(value.toString('utf8'))
    if (!isObject(record)) return undefined
    const { directory, privateKey, nextPrivateKey, url, contact } = record
    if (typeof directory !== 'string' || typeof privateKey !== 'string') return undefined
    if (url !== undefined && (typeof url !== 'string' || !URL.canParse(url))) return undefined
    if (![nextPrivateKey, contact].every((text) => text === undefined || typeof text === 'string')) return undefined
    const nextKey = nextPrivateKey === undefined ? undefined : await readKey(String(nextPrivateKey))
    return { directory, key: await readKey(privateKey), nextKey, url, contact: contact as string | undefined }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof PkiError) return undefined
    throw error
  }
}

function readKey(pem: string): Promise<AccountKey> {
  return accountKey(importPrivateKey(pem))
}
