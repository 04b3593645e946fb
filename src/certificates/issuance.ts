import { asSentence, CastellanError, describeError } from '../errors.ts'
import type { Issuer } from '../issuers/issuer.ts'
import type { Clock } from '../system/clock.ts'
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
  /** Nobody was asked, as it would have been in vain. */
  readonly isForesight: boolean
  /** All CAs are out of order, and it is nothing about this certificate. */
  readonly isOutage: boolean
  /** Where a person must go before another try makes sense. */
  readonly unpauseUrl: string | undefined
  /** In the order in which they were asked. */
  readonly failures: readonly IssuerFailure[]

  constructor(failures: readonly IssuerFailure[]) {
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
    this.isForesight = own.every(({ error }) => says(error, 'isForesight'))
  }
}

type Terms = {
  readonly held: StoredCertificate | undefined
  readonly isInsistent: boolean
  /** Where it is noted what an issuer spends. Throws LimitError if its CA would refuse an order now. */
  readonly openTab: (issuer: Issuer) => Tab
}

/**
 * Gets a certificate, to replace the one that is held if there is one, from the first issuer, in order of preference, that
 * gives one which can be served. Throws IssuanceError, or the signal's reason if that aborts it.
 */
export async function issueFromAny(
  wanted: WantedCertificate,
  { held, isInsistent, openTab }: Terms,
  issuers: ReadonlyMap<string, Issuer>,
  { clock, progress, outages }: { readonly clock: Clock; readonly progress: Progress; readonly outages: Outages },
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
      const accepted = acceptIssued(issued, wanted, issuer, clock.now())
      outages.answered(name, wanted.id)
      return accepted
    } catch (error) {
      signal.throwIfAborted()
      await tab?.failed(error)
      failures.push({ issuer: name, error, isOutage: tab !== undefined && outages.failed(name, wanted.id, error) })
      const next = wanted.issuers[index + 1]
      if (next !== undefined) progress.passedOn(wanted, name, error, next)
    }
  }
  throw new IssuanceError(failures)
}

function unpauseUrlOf(error: unknown): string | undefined {
  const url = error instanceof Error && 'unpauseUrl' in error ? error.unpauseUrl : undefined
  return typeof url === 'string' ? url : undefined
}

/** What an error says of itself; nothing, if it is of another kind. */
function says(error: unknown, property: 'concernsNames' | 'isForesight'): boolean {
  return error instanceof Error && property in error && (error as Error & Record<string, unknown>)[property] === true
}

/** Whether a certificate came from this issuer, and from the same CA as it is now. */
export function isFrom(issuer: Issuer, held: StoredCertificate | undefined): held is StoredCertificate {
  return held !== undefined && held.issuer === issuer.name && held.authority === issuer.authority
}
