import { waitAfter } from '../certificates/attempt.ts'
import { type HeldFacts, planStep, timeOf } from '../certificates/plan.ts'
import type { WantedCertificate } from '../certificates/wanted.ts'

/** A time in which these CAs answer nobody: from `from` up to `to`, in ms since 1970. */
export type Outage = {
  readonly from: number
  readonly to: number
  readonly isDown: (issuer: string) => boolean
}

/** What the storage has of one certificate. */
export type Rehearsed = {
  readonly wanted: WantedCertificate
  readonly held: HeldFacts | undefined
  /** Until when a former certificate serves the names, if there is none; undefined if nothing does. */
  readonly standInUntil: number | undefined
  /** Until when its staple is good, of one that clients refuse without (RFC 7633); `until` is undefined if there is none. */
  readonly staple?: { readonly until: number | undefined } | undefined
  /** No try before this, after one that failed. */
  readonly notBefore: number | undefined
  /** Which CA an issuer is now. */
  readonly authorityOf: (issuer: string) => string | undefined
}

/** How one certificate would fare. Times in ms since 1970. */
export type Fate = {
  readonly wanted: WantedCertificate
  /** Until when its names are served with something good as it stands; undefined if there is nothing. */
  readonly goodUntil: number | undefined
  /** Orders that would fail. */
  readonly failures: number
  /** When a new one comes: within the outage from a CA that is up, or after it. Undefined if none is due by then. */
  readonly renewedAt: number | undefined
  /** How long clients are refused, up to then. */
  readonly without: Period | undefined
  /** The part of it in which a must-staple certificate lacks its staple, as its CA's responder is down too. */
  readonly unstapled?: Period
}

type Period = { readonly from: number; readonly to: number }

/** After the outage the next try comes within a day, and its jitter. */
const AFTERWARDS_MS = 2 * 24 * 60 * 60 * 1000
/** Of the dice: a wait without its jitter. */
const MIDDLE = (): number => 0.5

/**
 * Lets one certificate live through an outage, step by step of the plan that the program itself follows, with every order
 * failing while none of its CAs is up. Asks nobody and changes nothing.
 */
export function rehearse(rehearsed: Rehearsed, outage: Outage): Fate {
  const { wanted, held, standInUntil, authorityOf } = rehearsed
  const { failures, renewedAt } = orders(rehearsed, outage, authorityOf)
  const goodUntil = held?.notAfter ?? standInUntil
  const from = Math.max(goodUntil ?? outage.from, outage.from)
  // What is not due yet when all is over does not end before that.
  const isMissed = renewedAt !== undefined && from < renewedAt
  const expired = isMissed ? { from, to: renewedAt } : undefined
  const unstapled = withoutStaple(rehearsed, outage, Math.min(renewedAt ?? outage.to, outage.to))
  const without = unstapled === undefined ? expired : spanOf(unstapled, expired)
  return { wanted, goodUntil, failures, renewedAt, without, ...(unstapled && { unstapled }) }
}

/** Up to when the responder answers again, or another certificate has come. */
function withoutStaple({ held, staple }: Rehearsed, outage: Outage, to: number): Period | undefined {
  if (held === undefined || staple === undefined || !outage.isDown(held.issuer)) return undefined
  const from = Math.max(staple.until ?? outage.from, outage.from)
  // What has ended is refused for that.
  return from < Math.min(to, held.notAfter) ? { from, to: Math.min(to, held.notAfter) } : undefined
}

function spanOf(one: Period, other: Period = one): Period {
  return { from: Math.min(one.from, other.from), to: Math.max(one.to, other.to) }
}

function orders(
  { wanted, held, notBefore }: Rehearsed,
  { from, to, isDown }: Outage,
  authorityOf: Rehearsed['authorityOf'],
): Pick<Fate, 'failures' | 'renewedAt'> {
  const isOut = wanted.issuers.every(isDown)
  let now = from
  let allowed = notBefore
  for (let failures = 0; ; ) {
    const step = planStep(wanted, held, authorityOf, allowed, now)
    const at = Math.max(timeOf(step), now)
    if (at > to + AFTERWARDS_MS) return { failures, renewedAt: undefined }
    if (step.type === 'keep' || at > now) {
      now = at
      continue
    }
    if (!isOut || now >= to) return { failures, renewedAt: now }
    failures++
    allowed = now + waitAfter(failures, MIDDLE)
  }
}
