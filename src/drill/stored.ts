import { recallAttempt } from '../certificates/attempts.ts'
import { circumstancesOf } from '../certificates/inventory.ts'
import { unpackChain } from '../certificates/packed-certificate.ts'
import { factsOfStored, readCertificate, type StoredCertificate } from '../certificates/record.ts'
import { earliest, recallEarly } from '../certificates/spread.ts'
import { findStandIns } from '../certificates/stand-ins.ts'
import { isCurrent, loadAnswer } from '../certificates/staple-answer.ts'
import { recallSuggestion } from '../certificates/suggestions.ts'
import type { WantedCertificate } from '../certificates/wanted.ts'
import type { IssuerIdentity } from '../issuers/issuer.ts'
import { isSignedBy } from '../pki/certificate.ts'
import { PkiError } from '../pki/pki-error.ts'
import type { StorageReader } from '../storage/storage.ts'
import type { Clock } from '../system/clock.ts'
import { silentLog } from '../telemetry/log.ts'
import type { Rehearsed } from './outage.ts'

export type StoredOptions = {
  readonly wanted: readonly WantedCertificate[]
  readonly issuers: ReadonlyMap<string, IssuerIdentity>
  readonly storage: StorageReader
  readonly clock: Clock
}

/** What a program that started now would have of each wanted certificate. Throws StorageError `storage-unreadable`. */
export async function readRehearsed(options: StoredOptions): Promise<Rehearsed[]> {
  const { wanted, storage, clock } = options
  const found: Rehearsed[] = []
  for (const each of wanted) found.push(await readOne(each, options))
  const there = new Set(found.filter(({ held }) => held !== undefined).map((each) => each.wanted.id))
  const standIns = await findStandIns(storage, wanted, (id) => there.has(id), { log: silentLog, now: clock.now() })
  return found.map((each) => {
    const ends = (standIns.get(each.wanted.id) ?? []).map(({ stored }) => stored.certificate.notAfter)
    return { ...each, standInUntil: ends.length === 0 ? undefined : Math.min(...ends) }
  })
}

async function readOne(wanted: WantedCertificate, { storage, issuers, clock }: StoredOptions): Promise<Rehearsed> {
  const stored = await readCertificate(storage, wanted.id).catch((error: unknown) => {
    // What is damaged is as good as nothing.
    if (!(error instanceof PkiError)) throw error
    return undefined
  })
  const suggestion = await recallSuggestion(storage, wanted.id)
  const isItsOwn = suggestion?.fingerprint === stored?.certificate.fingerprint
  const early = stored && (await recallEarly(storage, wanted.id, stored.certificate.fingerprint))
  const surroundings = { clock, random: () => 0.5 }
  const recalled = await recallAttempt(storage, wanted.id, circumstancesOf(wanted, issuers), surroundings)
  return {
    wanted,
    held: stored && {
      ...factsOfStored(stored, isItsOwn ? suggestion?.renewAt : undefined),
      spreadAt: earliest(stored.spreadAt, early),
    },
    standInUntil: undefined,
    staple:
      stored?.certificate.mustStaple === true ? { until: await stapleEnd(storage, stored, clock.now()) } : undefined,
    notBefore: recalled.type === 'attempt' ? recalled.attempt.nextAt : undefined,
    authorityOf: (name) => issuers.get(name)?.authority,
  }
}

/** Until when what a responder last said can be served; undefined if that is over, or was never good. */
async function stapleEnd(
  storage: StorageReader,
  { packed }: StoredCertificate,
  now: number,
): Promise<number | undefined> {
  const [certificate, ...others] = unpackChain(packed)
  const issuer = others.find((other) => isSignedBy(certificate, other))
  const answer = issuer && (await loadAnswer(storage, { certificate, issuer }))
  return answer?.status.type === 'good' && isCurrent(answer, now) ? answer.until : undefined
}
