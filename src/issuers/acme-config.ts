import { createHash } from 'node:crypto'
import { AcmeError } from '../acme/acme-error.ts'
import type { ExternalAccount } from '../acme/jws.ts'
import type { ChallengeType } from '../challenges/solver.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import { segmentFor } from '../storage/segment.ts'
import type { IssuerIdentity } from './issuer.ts'

/** An ACME CA, as the config describes it. */
export type AcmeIssuerConfig = {
  /** One segment of a storage key: it is part of the account's place. */
  readonly name: string
  /** URL: https, or http for a CA on a network of one's own. */
  readonly directory: string
  /** PEM: what the directory's own certificate may be signed by, besides the authorities that this machine trusts. */
  readonly trust?: string | undefined
  /** An e-mail address. */
  readonly contact?: string | undefined
  readonly acceptTerms: boolean
  /** `hmacKey` is base64url, as CAs show it. */
  readonly externalAccount?: { readonly kid: string; readonly hmacKey: string } | undefined
  readonly profile?: { readonly name: string; readonly required: boolean } | undefined
  /** Common name of the top issuer of the chain wanted, or `shortest`. */
  readonly preferredChain?: string | undefined
  /** Tried in this order. */
  readonly challenges: readonly ChallengeType[]
  /** Of accounts made from now on. */
  readonly accountKey: KeyKind
  readonly account: 'perIssuer' | 'perSite'
  /** See the config: it decides what is asked for, and not how. */
  readonly maxNames?: number | undefined
}

/** Some CAs show their keys in plain base64, with padding. */
const BASE64 = /^[A-Za-z0-9_+/-]+={0,2}$/

/** The credentials with the key decoded. Throws AcmeError `external-account-invalid`, which does not repeat the key. */
export function externalAccountOf({ name, externalAccount }: AcmeIssuerConfig): ExternalAccount | undefined {
  if (externalAccount === undefined) return undefined
  const { kid, hmacKey } = externalAccount
  const text = hmacKey.trim()
  if (BASE64.test(text)) return { kid, hmacKey: Buffer.from(text, 'base64url') }
  const sentence = `The external account’s hmacKey of issuer ${name} is not base64url text: copy it from the CA once more.`
  throw new AcmeError('external-account-invalid', sentence, { issuer: name, kid })
}

/** What the issuer of this config is. */
export function acmeIdentity(config: AcmeIssuerConfig): IssuerIdentity {
  const accountFor = (site: string): string => accountPlace(config, site)
  return { name: config.name, authority: config.directory, settings: settingsDigest(config), accountFor }
}

/**
 * Stands for the whole config, to see whether it is another one. A digest, for it covers the external account's key: whoever
 * corrects that one has changed the config too.
 */
export function settingsDigest(config: AcmeIssuerConfig): string {
  const inOrder = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(inOrder)).digest('hex').slice(0, 16)
}

/** Where the storage keeps the account. */
export function accountPlace({ name, account }: AcmeIssuerConfig, site: string): string {
  return account === 'perIssuer' ? `issuers/${name}/account` : `issuers/${name}/accounts/${segmentFor(site)}`
}
