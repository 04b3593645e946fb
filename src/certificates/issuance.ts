import { asSentence, CastellanError, describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Clock } from '../system/clock.ts'
import type { CaWatch } from './ca-watch.ts'
import type { Tab } from './ledger/tab.ts'
import { describeOutage, retryAfterOf } from './outage.ts'
import type { Outages } from './outages.ts'
import { unpackChain } from './packed-certificate.ts'
import type { Progress } from './progress.ts'
import { acceptIssued, type StoredCertificate } from './record.ts'
import type { WantedCertificate } from './wanted.ts'

type IssuerFailure = {
  readonly issuer: string
  readonly error: unknown
  /** See Outages. */
  readonly isOutage: boolean
}

/** Nobody gave a certificate: each issuer's words, and how long all of them want to be left alone. */
export class IssuanceError extends CastellanError {
  declare readonly code: 'issuance-failed'
  readonly retryAfterMs: number
  /** Any other certificate of the same names, from the same issuers, would have met the same. */
  readonly concernsNames: boolean
  /** The names that the first to blame some, but not all of them, has blamed. */
  readonly badNames: readonly BadName[]
  /** Nobody was asked, as it would have been in vain. */
  readonly isForesight: boolean
  /** All CAs are out of order, and it is nothing about this certificate. */
  readonly isOutage: boolean
  /** Where a person must go before another try makes sense. */
  readonly unpauseUrl: string | undefined
  /** In the order in which they were asked. */
  readonly failures: readonly IssuerFailure[]

  constructor(failures: readonly IssuerFailure[], names: readonly string[]) {
    const reasons = failures.map(({ issuer, error }) => `${issuer}: ${describeError(error)}`)
    super('issuance-failed', [...reasons.slice(0, -1).map(asSentence), reasons.at(-1)].join(' '), {
      issuers: failures.map(({ issuer }) => issuer),
    })
    this.failures = failures
    const own = failures.filter(({ isOutage }) => !isOutage)
    this.isOutage = own.length === 0
    this.retryAfterMs = this.isOutage ? 0 : Math.min(...own.map(({ error }) => retryAfterOf(error)))
    const unpauseUrls = failures.map(({ error }) => unpauseUrlOf(error))
    this.unpauseUrl = unpauseUrls.every((url) => url !== undefined) ? unpauseUrls[0] : undefined
    this.concernsNames = own.every(({ error }) => says(error, 'concernsNames'))
    this.badNames = own.map(({ error }) => blamedBy(error, names)).find((blamed) => blamed.length > 0) ?? []
    this.isForesight = own.every(({ error }) => says(error, 'isForesight'))
  }
}

/** What an order is made in. */
export type Circumstances = {
  readonly held: StoredCertificate | undefined
  /** The CA is to be asked whatever a look before says. */
  readonly isInsistent: boolean
  /** What serves is good for long, and the first issuer has not failed often: it is given time. */
  readonly isPatient: boolean
  /** Where it is noted what an issuer spends. Throws LimitError if its CA would refuse an order now. */
  readonly openTab: (issuer: Issuer) => Tab
}

type Surroundings = {
  readonly clock: Clock
  readonly progress: Progress
  readonly watch: CaWatch
  readonly outages: Outages
}

/** One of a certificate's names for which there was none to be had, and why. */
export type BadName = { readonly name: string; readonly reason: string }

/**
 * Gets a certificate, to replace the one that is held if there is one, from the first issuer, in order of preference, that
 * gives one which can be served. Where there is time, what the first may well repair soon is waited for rather than passed on
 * to the next. Throws IssuanceError, or the signal's reason if that aborts it.
 */
export async function issueFromAny(
  wanted: WantedCertificate,
  { held, isInsistent, isPatient, openTab }: Circumstances,
  issuers: ReadonlyMap<string, Issuer>,
  { clock, progress, watch, outages }: Surroundings,
  signal: AbortSignal,
): Promise<StoredCertificate> {
  const { names, keyKind, mustStaple, site } = wanted
  const failures: IssuerFailure[] = []
  for (const [index, name] of wanted.issuers.entries()) {
    signal.throwIfAborted()
    const issuer = issuers.get(name)!
    let tab: Tab | undefined
    if (!outages.admit(name, wanted.id)) {
      failures.push({ issuer: name, error: describeOutage(outages.holding([name])!), isOutage: true })
      continue
    }
    try {
      tab = openTab(issuer)
      const predecessor = isFrom(issuer, held) ? unpackChain(held.packed)[0] : undefined
      const request = { names, keyKind, mustStaple, site, predecessor, isInsistent, spending: tab }
      const issued = await issuer.issue(request, signal)
      await tab.issued()
      const stored = acceptIssued(issued, wanted, issuer, clock.now())
      outages.answered(name, wanted.id)
      await watch.notice(stored, issued.said)
      return stored
    } catch (error) {
      signal.throwIfAborted()
      await tab?.failed(error)
      const isOutage = tab !== undefined && outages.failed(name, wanted.id, error)
      failures.push({ issuer: name, error, isOutage })
      if (says(error, 'refusesKey')) await watch.refused(issuer, keyKind)
      // A CA that is out of order is waited for by itself, and all know of it.
      if (isPatient && !isOutage && says(error, 'transient')) break
      const next = wanted.issuers[index + 1]
      if (next !== undefined) progress.passedOn(wanted, name, error, next)
    }
  }
  throw new IssuanceError(failures, names)
}

function unpauseUrlOf(error: unknown): string | undefined {
  const url = error instanceof Error && 'unpauseUrl' in error ? error.unpauseUrl : undefined
  return typeof url === 'string' ? url : undefined
}

/** Some of the names, but not all: without all of them there is nothing left to order. */
function blamedBy(error: unknown, names: readonly string[]): BadName[] {
  const blamed = error instanceof Error && 'badNames' in error ? (error.badNames as readonly BadName[]) : []
  const ours = blamed.filter(({ name }) => names.includes(name))
  return new Set(ours.map(({ name }) => name)).size < names.length ? ours : []
}

/** What an error says of itself; nothing, if it is of another kind. */
function says(error: unknown, property: 'concernsNames' | 'isForesight' | 'transient' | 'refusesKey'): boolean {
  return error instanceof Error && property in error && (error as Error & Record<string, unknown>)[property] === true
}

/** Whether a certificate came from this issuer, and from the same CA as it is now. */
export function isFrom(issuer: Issuer, held: StoredCertificate | undefined): held is StoredCertificate {
  return held !== undefined && held.issuer === issuer.name && held.authority === issuer.authority
}
