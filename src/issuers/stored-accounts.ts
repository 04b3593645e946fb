import { keyKindOf, publicKeyFingerprint } from '../pki/keys.ts'
import type { StorageReader } from '../storage/storage.ts'
import { parseAccount, type StoredAccount } from './acme-account-record.ts'
import type { AccountReport } from './issuer.ts'

/** An account, and the storage key of its place. */
export type PlacedAccount = { readonly place: string; readonly account: StoredAccount }

/** `issuers/NAME/account`, or `issuers/NAME/accounts/SITE` (see accountPlace). */
const PLACE = /^issuers\/[^/]+\/(?:account|accounts\/([^/]+))$/

/**
 * The accounts that are stored for an issuer, or for all of them; what is damaged is passed over, as it is of no use to
 * anybody and whoever opens it says so. Throws StorageError `storage-unreadable`.
 */
export async function storedAccounts(storage: StorageReader, issuer?: string): Promise<PlacedAccount[]> {
  const accounts: PlacedAccount[] = []
  for (const place of await storage.list(issuer === undefined ? 'issuers' : `issuers/${issuer}`)) {
    if (!PLACE.test(place)) continue
    const value = await storage.get(place)
    const account = value && (await parseAccount(value))
    if (account !== undefined) accounts.push({ place, account })
  }
  return accounts
}

/** The fingerprints of the public keys of all accounts: none of them may be a certificate's (RFC 8555 §11.1). */
export async function accountKeyFingerprints(storage: StorageReader): Promise<Set<string>> {
  const accounts = await storedAccounts(storage)
  const keys = accounts.flatMap(({ account: { key, nextKey } }) => (nextKey === undefined ? [key] : [key, nextKey]))
  return new Set(keys.map(({ privateKey }) => publicKeyFingerprint(privateKey)))
}

/** What an operator may know of it. */
export function accountReport(
  { place, account: { directory, key, url, contact } }: PlacedAccount,
  issuer: string,
  storage: StorageReader,
  seen: Pick<AccountReport, 'status' | 'fault'> = { status: undefined, fault: undefined },
): AccountReport {
  const site = PLACE.exec(place)?.[1]
  const { thumbprint, privateKey } = key
  const keyKind = keyKindOf(privateKey)
  return { issuer, directory, site, url, keyKind, thumbprint, contact, stored: storage.locate(place), ...seen }
}
