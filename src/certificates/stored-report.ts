import { describeError } from '../errors.ts'
import type { IssuerIdentity } from '../issuers/issuer.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { StorageReader } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { silentLog } from '../telemetry/log.ts'
import { recallAttempt } from './attempts.ts'
import { circumstancesOf } from './inventory.ts'
import { recallLimits } from './ledger/ledger.ts'
import type { Limits } from './ledger/limits.ts'
import { orderOf, waitOfAll } from './ledger/order-of.ts'
import type { RateLimits } from './ledger/rate-limits.ts'
import { backAtOf, recallLeftOut, withoutLeftOut } from './left-out-names.ts'
import { OwnCertificates, type OwnFiles } from './own-files.ts'
import { planNext } from './plan.ts'
import { factsOfStored, locateCertificate, readCertificate, type StoredCertificate } from './record.ts'
import { type CertificateReport, reportOf } from './report.ts'
import { earliest, recallEarly } from './spread.ts'
import { findStandIns } from './stand-ins.ts'
import { recallSuggestion } from './suggestions.ts'
import type { WantedCertificate } from './wanted.ts'

export type StoredReportOptions = {
  readonly wanted: readonly WantedCertificate[]
  readonly ownFiles: readonly OwnFiles[]
  /** Every issuer that a wanted certificate names. */
  readonly issuers: ReadonlyMap<string, IssuerIdentity>
  readonly storage: StorageReader
  readonly limitsOf?: ((authority: string) => Limits) | undefined
  readonly clock: Clock
  /** With the chains. */
  readonly isFull: boolean
}

type Reading = { readonly held?: StoredCertificate | undefined; readonly fault?: string }

/**
 * What a program that started now would find, and would do about it. Nothing is changed, nobody is asked, and what is
 * damaged stays where it is. Throws StorageError `storage-unreadable`.
 */
export async function reportStored(options: StoredReportOptions): Promise<CertificateReport[]> {
  const { wanted, ownFiles, storage, clock, isFull } = options
  const readings = new Map<string, Reading>()
  for (const { id } of wanted) readings.set(id, await read(storage, id))
  const isThere = (id: string): boolean => readings.get(id)?.held !== undefined
  const standIns = await findStandIns(storage, wanted, isThere, { log: silentLog, now: clock.now() })
  const limits = await recallLimits(storage, clock.now(), options.limitsOf)
  const reports: CertificateReport[] = []
  for (const each of wanted) {
    const findings = await findingsOf(each, readings.get(each.id) ?? {}, options, limits)
    const unknown = { outage: undefined }
    reports.push(reportOf({ ...findings, ...unknown, standIns: standIns.get(each.id) ?? [] }, isFull))
  }
  const own = new OwnCertificates(ownFiles, clock, silentLog)
  await own.refresh()
  return [...reports, ...own.report(isFull)]
}

async function read(storage: StorageReader, id: string): Promise<Reading> {
  try {
    return { held: await readCertificate(storage, id) }
  } catch (error) {
    if (!(error instanceof PkiError)) throw error
    return { fault: `${locateCertificate(storage, id)} is damaged: ${describeError(error)}` }
  }
}

async function findingsOf(
  wanted: WantedCertificate,
  { held, fault }: Reading,
  { storage, issuers, clock }: StoredReportOptions,
  limits: RateLimits,
) {
  const surroundings = { clock, random: () => MIDDLE }
  const recalled = await recallAttempt(storage, wanted.id, circumstancesOf(wanted, issuers), surroundings)
  const attempt = recalled.type === 'attempt' ? recalled.attempt : undefined
  const known = await recallSuggestion(storage, wanted.id)
  const suggestion = known?.fingerprint === held?.certificate.fingerprint ? known : undefined
  const early = held && (await recallEarly(storage, wanted.id, held.certificate.fingerprint))
  const facts = held && { ...factsOfStored(held, suggestion?.renewAt), spreadAt: earliest(held.spreadAt, early) }
  const now = clock.now()
  const limit = () =>
    waitOfAll(
      wanted.issuers.map((name) => {
        const former = held && { ...held, window: suggestion?.window }
        return limits.wait(orderOf(wanted, issuers.get(name)!, former, [], now), now)
      }),
      now,
    )
  const authorityOf = (name: string): string | undefined => issuers.get(name)?.authority
  const leftOut = await recallLeftOut(storage, wanted, now)
  const aim = withoutLeftOut(wanted, leftOut, now, held?.names)
  const tries = { notBefore: attempt?.nextAt, unpauseUrl: attempt?.unpauseUrl, backAt: backAtOf(leftOut) }
  const step = planNext({ wanted: aim, held: facts, authorityOf, ...tries, limit }, now)
  return { wanted, held, isUnstored: false, step, orderedSince: undefined, attempt, suggestion, leftOut, fault }
}

/** Of the dice: the length that a wait has without its jitter. */
const MIDDLE = 0.5
