import type { AccountStatus } from '../acme/account-care.ts'
import type { RenewalInfo } from '../acme/renewal-info.ts'
import type { RevocationReason } from '../acme/revocation.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { CaaSubject } from '../preflight/caa.ts'

/** What a certificate is asked for. Names are lower-case ASCII (punycode) or IP addresses; a wildcard starts with `*.`. */
export type CertificateRequest = {
  readonly names: readonly string[]
  readonly keyKind: KeyKind
  /** It shall say that clients must insist on a staple (RFC 7633). An issuer without OCSP leaves it out. */
  readonly mustStaple?: boolean
  /** The site that it is for, as the config names it: whose account to use, where each site has its own. */
  readonly site?: string
  /** The certificate that it is to replace, if that came from the same CA: renewals that a CA asked for are not counted. */
  readonly predecessor?: Certificate | undefined
  /** The CA is to be asked even if it looks as if it could not validate the names. */
  readonly isInsistent?: boolean
  /** Told of all that the CA counts, as it happens. */
  readonly spending?: Spending
}

/** What CAs limit, noted while an issuer asks one. */
export interface Spending {
  /** An order is about to be placed, with the word that it replaces a certificate or without; it waits for this. */
  ordering(isReplacement: boolean): Promise<void>
  /** The order that was about to be placed never came to the CA. */
  orderLost(): void
  /** The CA tried to validate these names, and could not. */
  authorizationsFailed(names: readonly string[]): void
  /** An account was made for it. */
  accountMade(): void
}

export type IssuedCertificate = {
  /** PEM: the certificate itself first, then every intermediate the CA gave, in its order. */
  readonly chain: string
  /** PEM, PKCS #8. */
  readonly privateKey: string
  /** What the CA said of itself when it was asked; undefined for one that says nothing. */
  readonly said?: CaFacts
}

/** What a CA says of itself, as far as an operator may want to know of a change in it. */
export type CaFacts = {
  /** Where its terms of service are. */
  readonly terms: string | undefined
  readonly profiles: readonly string[]
  /** The one that was asked for; undefined: the CA's own choice. */
  readonly profile: string | undefined
  /** The names of its directory's entries. */
  readonly resources: readonly string[]
  /** How CAA records call it. */
  readonly caaIdentities: readonly string[]
  readonly externalAccountRequired: boolean
}

/** Whoever signs certificates: an ACME CA, or the CA in the data folder. */
export interface Issuer {
  /** As the config calls it: `letsencrypt`, `internal`, `corporate`. */
  readonly name: string
  /** Tells one CA from another that the config calls by the same name: the directory's URL, or `internal`. */
  readonly authority: string
  /** Changes whenever this issuer would ask for certificates in another way than before. Holds no secret. */
  readonly settings: string
  /** Where the account is kept that a site's certificates are asked for with; undefined for an issuer that has none. */
  readonly accountFor?: (site: string) => string
  /** Whether that account is known to be there. */
  hasAccount?(site: string): boolean
  /**
   * Gets one certificate, with a new key. Rejects with a CastellanError whose message and facts keep the CA's own words;
   * nothing needs to be cleaned up after a rejection. An error with `concernsNames: true` would meet any certificate of the
   * same names, one with `isForesight: true` says that nobody was asked, one with `concernsCa: true` would meet any
   * certificate of this CA, one with `transient: true` may well not be met again soon, one with `refusesKey: true` is about the
   * kind of key, one with `badNames` (name and reason) says which of the names were to blame, one with `retryAfterMs` says how
   * long the CA wants to be left alone, and one with `unpauseUrl` where a person must go before it takes another order for the
   * names.
   */
  issue(request: CertificateRequest, signal: AbortSignal): Promise<IssuedCertificate>
  /** Asks whether the CA is there, and nothing of it. Rejects as `issue` does. */
  probe?(signal: AbortSignal): Promise<void>
  /**
   * Asks the CA when it would like this certificate of its own to be renewed; undefined if it does not say such things.
   * Rejects as `issue` does.
   */
  renewalInfo?(certificate: Certificate, signal: AbortSignal): Promise<RenewalInfo | undefined>
  /** Who it is to CAA records when it issues for this site. Rejects as `issue` does. Absent where no name must be proven. */
  caaSubject?(site: string, signal: AbortSignal): Promise<CaaSubject>
  /** Has a certificate of this CA revoked; one that is revoked already is as good. Rejects as `issue` does. */
  revoke?(certificate: Revocation, signal: AbortSignal): Promise<void>
  /** The accounts that it has with its CA; undefined where there are no such things. */
  readonly accounts?: IssuerAccounts
}

/** What is to be revoked, and why. */
export type Revocation = {
  readonly certificate: Certificate
  /** PEM: it proves the right to revoke where the account has none. */
  readonly privateKey: string
  readonly site: string
  readonly reason: RevocationReason
}

/** The accounts of one issuer. Each method rejects with a CastellanError. */
export interface IssuerAccounts {
  /** What is stored, with what the CA says of it. */
  show(signal: AbortSignal): Promise<AccountReport[]>
  /** Gives each a new key; orders under way end first, and new ones wait. */
  rollOver(signal: AbortSignal): Promise<AccountReport[]>
  /** Ends each at the CA, for good. The next order makes a new one. */
  deactivate(signal: AbortSignal): Promise<AccountReport[]>
}

/** How it stands with an account: what an operator may know. Plain JSON without secrets. */
export type AccountReport = {
  readonly issuer: string
  readonly directory: string
  /** The site that it is for, as a segment of a storage key; undefined for an account for all. */
  readonly site: string | undefined
  /** Undefined until the CA has given one. It is what CAA records name as `accounturi` (RFC 8657). */
  readonly url: string | undefined
  readonly keyKind: KeyKind | undefined
  /** RFC 7638, of its key. */
  readonly thumbprint: string
  /** The one that the CA was told. */
  readonly contact: string | undefined
  /** Where it is stored. */
  readonly stored: string
  /** As the CA says; undefined if it was not asked. */
  readonly status: AccountStatus | undefined
  /** Why the CA could not be asked, in words. */
  readonly fault: string | undefined
}

/** What an issuer is, whether or not one asks anything of it. */
export type IssuerIdentity = Pick<Issuer, 'name' | 'authority' | 'settings' | 'accountFor'>
