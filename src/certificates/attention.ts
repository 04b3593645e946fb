import type { Certificate } from '../pki/certificate.ts'
import type { Wait } from './ledger/order-facts.ts'
import type { OutageReport } from './outage.ts'
import type { StoredCertificate } from './record.ts'
import type { Ownership } from './staple-report.ts'
import type { WantedCertificate } from './wanted.ts'

/** A try that ended without a certificate. */
export type FailedTry = {
  /** An IssuanceError, or what else went wrong. */
  readonly error: unknown
  /** Tries and looks in a row that gave none, this one included. */
  readonly count: number
  readonly serving: StoredCertificate | undefined
  /** When it is tried again, or where a person must go first. */
  readonly next: { readonly at: number } | { readonly unpauseUrl: string }
  /** The certificates for the same names that are not tried before then either. */
  readonly siblings: readonly WantedCertificate[]
}

/** A CA that is out of order has failed once more. */
export type OutOfOrder = OutageReport & {
  /** What it met last. */
  readonly error: unknown
  /** In a row, the first included. */
  readonly failures: number
}

/** A certificate that would be ordered now if its CAs were not out of order, and what serves meanwhile. */
export type HeldBack = { readonly wanted: WantedCertificate; readonly serving: StoredCertificate | undefined }

/** Renewals that wait for a rate limit of their issuer past half of what was left when they began to, by the one that ends first. */
export type Limited = {
  readonly issuer: string
  readonly wanted: WantedCertificate
  readonly serving: StoredCertificate
  readonly wait: Wait
  readonly count: number
}

/** Files that an operator brings. */
export type OwnPair = { readonly site: string; readonly names: readonly string[]; readonly certificate: string }

/** What is wrong with them. Times in ms since 1970. */
export type OwnFault =
  | { readonly type: 'unusable'; readonly reason: string; readonly servingUntil: number | undefined }
  | { readonly type: 'ending'; readonly notAfter: number }
  | { readonly type: 'lacks-names'; readonly missing: readonly string[] }

/** What there is at the start; all else that was once wrong is no more. */
export type Standing = {
  /** Every certificate that should exist; settled: it is there, no try has failed, and nothing is due. */
  readonly wanted: readonly { readonly wanted: WantedCertificate; readonly isSettled: boolean }[]
  /** Of what is served and may have a staple. */
  readonly fingerprints: ReadonlySet<string>
  /** Paths of the operator's own certificates. */
  readonly ownFiles: ReadonlySet<string>
}

/**
 * Whoever sees to it that a person hears of what does not mend itself. Told of everything, each time: what a person needs to
 * hear, and how often, is not decided by those who tell.
 */
export interface Attention {
  /** How it stands at the start; put together when it is asked for. */
  began(standing: () => Standing): void
  failed(wanted: WantedCertificate, failure: FailedTry): void
  /** It is there as it should be; by which issuer's hand. */
  obtained(wanted: WantedCertificate, issuer: string): void
  /** What is there is good, and nothing is to be done about it for now, though no CA has given it anew. */
  settled(wanted: WantedCertificate): void
  /** No failure of any certificate. `heldBack` gives those that wait for it. */
  outOfOrder(outage: OutOfOrder, heldBack: () => readonly HeldBack[]): void
  answersAgain(issuer: string): void
  limited(limited: Limited): void
  /** No renewal waits that long there. */
  unlimited(issuer: string): void
  revoked(certificate: Certificate, when: string, ownership: Ownership): void
  /** A certificate has no staple. */
  unstapled(certificate: Certificate, why: string): void
  stapled(certificate: Certificate): void
  /** A certificate with this fingerprint is not served any more. */
  dropped(fingerprint: string): void
  /** How it stands with own files; undefined if all is well. */
  ownFiles(pair: OwnPair, fault: OwnFault | undefined): void
}

const nothing = (): void => {}

/** For whoever has nobody to tell. */
export const noAttention: Attention = {
  began: nothing,
  failed: nothing,
  obtained: nothing,
  settled: nothing,
  outOfOrder: nothing,
  answersAgain: nothing,
  limited: nothing,
  unlimited: nothing,
  revoked: nothing,
  unstapled: nothing,
  stapled: nothing,
  dropped: nothing,
  ownFiles: nothing,
}
