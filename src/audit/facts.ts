import type { Balance } from '../certificates/ledger/order-facts.ts'
import type { OnDemandCounts } from '../certificates/on-demand/at-rest.ts'
import type { CertificateReport } from '../certificates/report.ts'
import type { Config, Site } from '../config/config.ts'

/** All that an audit judges by. Plain data; times in ms since 1970. */
export type AuditFacts = {
  readonly now: number
  readonly isRunning: boolean
  readonly sites: readonly AuditedSite[]
  readonly listen: Pick<Config['listen'], 'https' | 'http'>
  readonly acceptTerms: boolean
  readonly logLevel: Config['log']['level']
  readonly certificates: readonly AuditedCertificate[]
  readonly accounts: readonly AuditedAccount[]
  readonly storage: AuditedStorage
  /** What is left of the rate limits of CAs, of all of which something was spent. */
  readonly balances: readonly Balance[]
  /** Names that no site lists, whose certificates are not among these; undefined where there can be none. */
  readonly onDemand: OnDemandCounts | undefined
}

export type AuditedSite = Pick<Site, 'name' | 'redirectToHttps' | 'hsts' | 'keys' | 'grouping'> & {
  /** The operator brings its certificates. */
  readonly isOwn: boolean
  /** Each CA that may certify one of its names, `internal` among them. */
  readonly issuers: readonly string[]
}

export type AuditedCertificate = {
  readonly report: CertificateReport
  /** What the storage has of the CA's word on when to renew it; undefined if that has said nothing. */
  readonly renewalInfoAskAt: number | undefined
  /** It names an OCSP responder. */
  readonly hasResponder: boolean
  readonly hasStaple: boolean
  /** SHA-256 of its public key, in hex; undefined if there is none. */
  readonly keyDigest: string | undefined
}

export type AuditedAccount = {
  readonly issuer: string
  /** Undefined as long as the CA has given none. */
  readonly url: string | undefined
  /** SHA-256 of its public key, in hex. */
  readonly keyDigest: string
}

export type AuditedStorage = {
  readonly folder: string
  readonly exists: boolean
  /** Permission bits. */
  readonly mode: number
  /** What goes with a restart: a file system in memory, or the layer of a container. Undefined for a disk. */
  readonly volatile: string | undefined
}
