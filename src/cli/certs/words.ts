import type { OnDemandCounts } from '../../certificates/on-demand/at-rest.ts'
import { describeOutage } from '../../certificates/outage.ts'
import type { CertificateReport, HeldReport } from '../../certificates/report.ts'
import { describePause } from '../../certificates/spoken-pause.ts'
import { spokenDuration, spokenTime } from '../../certificates/spoken-time.ts'

// How people are told of certificates. `now` and all times are in ms since 1970; what is shown is UTC.

const HOUR_MS = 60 * 60 * 1000
/** From here on the hour does not matter in a list. */
const FAR_MS = 36 * HOUR_MS

/** `2026-11-26 17:04Z`: to the minute. */
export function minuteOf(ms: number): string {
  return `${spokenTime(ms).slice(0, 16).replace('T', ' ')}Z`
}

/** A day, or to the minute where that is near. */
export function dayOf(ms: number, now: number): string {
  return Math.abs(ms - now) < FAR_MS ? minuteOf(ms) : spokenTime(ms).slice(0, 10)
}

/** `2027-02-22 (89 days)` */
export function goodUntil({ held }: CertificateReport, now: number): string {
  return held === undefined ? 'none yet' : `${dayOf(held.notAfter, now)} (${leftOf(held, now)})`
}

/** `89 days`, `expired` */
export function leftOf({ notAfter }: HeldReport, now: number): string {
  return notAfter < now ? 'expired' : spokenDuration(notAfter - now)
}

/** `shop.example.com +2` */
export function nameOf({ names }: CertificateReport): string {
  return names.length > 1 ? `${names[0]} +${names.length - 1}` : names[0]!
}

export function issuerOf({ held, issuers }: CertificateReport): string {
  if (issuers.length === 0) return 'your own'
  return held?.from?.issuer ?? issuers[0]!
}

/** What is done next, in a word. */
export function stepOf({ step, orderedSince }: CertificateReport): string {
  if (step.type === 'watch') return 'reread'
  if (step.type === 'paused') return 'paused'
  if (orderedSince !== undefined) return 'ordering'
  return step.type === 'issue' ? 'order' : 'renew'
}

/** When that is done: Infinity for what nobody knows. */
export function stepTime({ step, orderedSince }: CertificateReport): number {
  if (orderedSince !== undefined) return orderedSince
  if (step.type === 'watch' || step.type === 'paused') return Number.POSITIVE_INFINITY
  return step.type === 'keep' ? step.renewAt : step.at
}

/** `renew 2027-01-22`, `order now` */
export function nextOf(report: CertificateReport, now: number): string {
  if (report.step.type === 'watch') return 'reread on change'
  if (report.step.type === 'paused') return 'paused by its CA'
  const at = stepTime(report)
  return `${stepOf(report)} ${at <= now ? 'now' : dayOf(at, now)}`
}

/** What a person must do before it is tried again. */
export function pauseOf({ step, names }: CertificateReport): string[] {
  return step.type === 'paused' ? [`paused: ${describePause({ names }, step.unpauseUrl)}`] : []
}

/** What keeps it, though it is due. */
function waitsOf(report: CertificateReport): string[] {
  const { step, outage } = report
  if (outage === undefined || (step.type !== 'issue' && step.type !== 'renew')) return pauseOf(report)
  return [`waits for the CA: ${describeOutage(outage)}; looked at again at ${minuteOf(outage.probeAt)}`]
}

/** What an operator should not overlook, in sentences. */
export function remarksOn(report: CertificateReport): string[] {
  const { fault, attempts, standIns, leftOut, held } = report
  const remarks = waitsOf(report)
  if (fault !== undefined) remarks.push(`wrong: ${fault}`)
  if (attempts !== undefined) remarks.push(triesOf(attempts))
  for (const { name, reason, since, nextAt } of leftOut)
    remarks.push(
      `without ${name} since ${minuteOf(since)}, asked for again ${nextAt === 0 ? 'now' : `at ${minuteOf(nextAt)}`}: ${reason}`,
    )
  for (const { names, notAfter } of standIns)
    remarks.push(`meanwhile a former certificate serves ${names.join(', ')}, good until ${minuteOf(notAfter)}`)
  if (held?.isUnstored === true) remarks.push('it serves from memory, as it could not be stored yet')
  return remarks
}

/** `failed 2 times, last at 2026-11-26 17:04Z: ca: …` */
function triesOf({ failures, looks, lastAt, reason }: NonNullable<CertificateReport['attempts']>): string {
  if (failures === 0 && looks > 0)
    return `not asked for, as that would fail; last looked at ${minuteOf(lastAt)}: ${reason}`
  if (failures === 0) return `the last try, at ${minuteOf(lastAt)}, has not ended yet or was cut short`
  return `failed ${failures === 1 ? 'once' : `${failures} times`}, last at ${minuteOf(lastAt)}: ${reason}`
}

/** A line for the names that stand in no table: there may be a hundred thousand. Empty where there can be none. */
export function formatOnDemand(counts: OnDemandCounts | undefined): string {
  return counts === undefined ? '' : `On demand: ${describeOnDemand(counts)}\n`
}

export function describeOnDemand({ names, inUse }: OnDemandCounts): string {
  const many = names === 1 ? '1 name' : `${names} names`
  const used = inUse === undefined ? '' : `, ${inUse} of them in use`
  return `${many}${used}; "castellan certs show NAME" tells of one.`
}
