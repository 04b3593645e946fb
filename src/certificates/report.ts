import type { CertificateChain } from '../pki/certificate.ts'
import type { KeyKind } from '../pki/key-kind.ts'
import type { Attempt } from './attempt.ts'
import type { Leaf } from './leaf.ts'
import type { LeftOutName } from './left-out-names.ts'
import type { OutageReport } from './outage.ts'
import { unpackChain } from './packed-certificate.ts'
import type { Step } from './plan.ts'
import type { StoredCertificate } from './record.ts'
import type { StandIn } from './stand-ins.ts'
import type { Suggestion } from './suggestion.ts'
import type { WantedCertificate } from './wanted.ts'

/** How it stands with one certificate: what an operator may know. Plain JSON without secrets; times in ms since 1970. */
export type CertificateReport = {
  /** Of an operator's own certificate, its path. */
  readonly id: string
  readonly site: string
  /** Those that it is wanted for. */
  readonly names: readonly string[]
  readonly keyKind: KeyKind | undefined
  /** Who may issue it, in order of preference; nobody, if an operator brings it. */
  readonly issuers: readonly string[]
  readonly held: HeldReport | undefined
  readonly step: Step | OwnStep
  /** Since when it is being ordered. */
  readonly orderedSince: number | undefined
  /** The tries that gave none, until one does. */
  readonly attempts: AttemptReport | undefined
  readonly suggestion: SuggestionReport | undefined
  /** The former certificates that serve as long as it is not there. */
  readonly standIns: readonly { readonly names: readonly string[]; readonly notAfter: number }[]
  /** Why it would not be ordered now, though it were due: its CA is out of order. */
  readonly outage: OutageReport | undefined
  /** The names that it does without, why, and until when. */
  readonly leftOut: readonly LeftOutName[]
  /** What is wrong with what should be there, in words. */
  readonly fault: string | undefined
}

/** What an operator brings is read again when its files change, and never ordered. */
export type OwnStep = { readonly type: 'watch'; readonly certificate: string; readonly key: string }

export type HeldReport = CertificateFacts & {
  /** What it covers. */
  readonly names: readonly string[]
  /** As the config calls it, and which CA that was then; undefined for what an operator brings. */
  readonly from: { readonly issuer: string; readonly authority: string; readonly obtainedAt: number } | undefined
  /** It serves, but is in no storage yet. */
  readonly isUnstored: boolean
  /** The certificates that are sent with it, if they were asked for. */
  readonly chain: readonly CertificateFacts[] | undefined
}

export type CertificateFacts = {
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint: string
  readonly notBefore: number
  readonly notAfter: number
}

/** Without the circumstances, which tell nobody anything. */
export type AttemptReport = Omit<Attempt, 'circumstances'>

export type SuggestionReport = Pick<Suggestion, 'window' | 'renewAt' | 'explanationUrl'>

/** What a report of a certificate that is to be issued is made of. */
export type Findings = {
  readonly wanted: WantedCertificate
  readonly held: StoredCertificate | undefined
  readonly isUnstored: boolean
  readonly step: Step
  readonly orderedSince: number | undefined
  readonly attempt: Attempt | undefined
  readonly suggestion: Suggestion | undefined
  readonly standIns: readonly StandIn[]
  readonly outage: OutageReport | undefined
  readonly leftOut: readonly LeftOutName[]
  readonly fault: string | undefined
}

/** @param isFull with the chain, which has to be read for it. */
export function reportOf(findings: Findings, isFull: boolean): CertificateReport {
  const { wanted, held, isUnstored, step, orderedSince, attempt, suggestion, standIns, fault } = findings
  const { leftOut, outage } = findings
  const { id, site, names, keyKind, issuers } = wanted
  return {
    ...{ id, site, names, keyKind, issuers, step, orderedSince, leftOut, outage, fault },
    held: held && {
      ...heldReport(held.certificate, isFull ? unpackChain(held.packed) : undefined),
      ...originOf(held),
      isUnstored,
    },
    attempts: attempt && attemptReport(attempt),
    suggestion: suggestion?.window && suggestionReport(suggestion),
    standIns: standIns.map(({ stored, names }) => ({ names, notAfter: stored.certificate.notAfter })),
  }
}

/** What a certificate itself says; and its chain, if that is given. */
export function heldReport(certificate: Leaf, chain: CertificateChain | undefined): HeldReport {
  const { names } = certificate
  return { ...factsOf(certificate), names, from: undefined, isUnstored: false, chain: chain?.slice(1).map(factsOf) }
}

function originOf({ issuer, authority, obtainedAt }: StoredCertificate): Pick<HeldReport, 'from'> {
  return { from: { issuer, authority, obtainedAt } }
}

function factsOf({ subject, issuer, serial, fingerprint, notBefore, notAfter }: CertificateFacts): CertificateFacts {
  return { subject, issuer, serial, fingerprint, notBefore, notAfter }
}

function attemptReport(attempt: Attempt): AttemptReport {
  const { failures, unfinished, looks, lastAt, nextAt, reason, unpauseUrl } = attempt
  return { failures, unfinished, looks, lastAt, nextAt, reason, unpauseUrl }
}

function suggestionReport({ window, renewAt, explanationUrl }: Suggestion): SuggestionReport {
  return { window, renewAt, explanationUrl }
}
