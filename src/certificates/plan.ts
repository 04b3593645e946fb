import type { KeyKind } from '../pki/key-kind.ts'
import type { Wait } from './ledger/order-facts.ts'
import { spokenTime } from './spoken-time.ts'
import type { WantedCertificate } from './wanted.ts'

/** What the plan needs to know of a certificate that we have. */
export type HeldFacts = {
  /** Those that it was asked for, not those that the CA put into it: else what the CA adds would be ordered away for ever. */
  readonly names: readonly string[]
  readonly keyKind: KeyKind | undefined
  /** Why its key must not be used any longer. */
  readonly keyFault?: string | undefined
  readonly issuer: string
  /** Which CA the issuer was then. */
  readonly authority: string
  readonly notBefore: number
  readonly notAfter: number
  /** When we got it. */
  readonly obtainedAt: number
  /** When its CA would like it to be renewed (RFC 9773); undefined if that does not say. */
  readonly suggestedAt?: number | undefined
  /** When it is to be renewed although that is early, as too many others are due with it; undefined if it is not. */
  readonly spreadAt?: number | undefined
  /** When its CA revoked it and why, as `at …`; undefined if it did not, as far as we know. */
  readonly revoked?: string | undefined
  /** It took the place of one that was revoked. */
  readonly replacesRevoked?: boolean
  /** As it was asked for: a CA may leave it out. */
  readonly mustStaple: boolean
  /** SHA-256 of it, in hex. */
  readonly fingerprint: string
}

/** What is to be done about one certificate that should exist, from when on, and why in words. Times in ms since 1970. */
export type Step =
  | { readonly type: 'keep'; readonly renewAt: number; readonly because: string }
  | { readonly type: 'issue'; readonly at: number; readonly because: string; readonly limit?: Wait }
  | { readonly type: 'renew'; readonly at: number; readonly because: string; readonly limit?: Wait }
  /** It is due, and its CA takes no order for it until somebody has been at that page; then an operator says so here. */
  | { readonly type: 'paused'; readonly unpauseUrl: string; readonly because: string }

/** What to order now or later. */
export type Order = Extract<Step, { type: 'issue' | 'renew' }>

/** What all is decided from. */
export type Circumstances = {
  readonly wanted: WantedCertificate
  /** What we have in its place, if anything. */
  readonly held: HeldFacts | undefined
  /** Which CA an issuer is now. */
  readonly authorityOf: (issuer: string) => string | undefined
  /** When the next try is allowed after a failure, if one failed. */
  readonly notBefore: number | undefined
  /** Where somebody must go before the next try, if the CA has paused it. */
  readonly unpauseUrl?: string | undefined
  /** When a name that it does without is asked for again, if there is one. */
  readonly backAt?: number | undefined
  /** When an operator has asked for it to be renewed although it is not due, if one has. */
  readonly askedAt?: number | undefined
  /** Which rate limit its CA would refuse it for now, if any. Only asked of what is due. */
  readonly limit?: ((step: Step) => Wait | undefined) | undefined
  /** Which others have to go first, if any: `limit` says it whole. Only asked of what is due. */
  readonly trial?: (() => Wait | undefined) | undefined
}

/** What to do about a certificate: the plan. Depends on nothing but what it is given. */
export function planNext(circumstances: Circumstances, now: number): Step {
  const { wanted, held, authorityOf, notBefore, backAt, unpauseUrl, askedAt, limit, trial } = circumstances
  const own = planEarlier(planStep(wanted, held, authorityOf, notBefore, now), backAt, notBefore)
  const step = planPaused(own, unpauseUrl)
  const asked = askedAt === undefined ? step : planAsked(step, askedAt)
  const limited = limit === undefined ? asked : planLimited(asked, limit, now)
  return trial === undefined ? limited : planAfterOthers(limited, trial, now)
}

const DAY_MS = 24 * 60 * 60 * 1000
/** Let's Encrypt's Integration Guide: at a third of the lifetime left, or at half if the whole is under 10 days. */
const SHORT_LIFETIME_MS = 10 * DAY_MS
/** Of what was left when we got it: a CA whose certificates are due as soon as they come is not asked without end. */
const LEAST_USE = 1 / 4
/** Nor one whose certificates expire as soon as they come. */
const LEAST_USE_MS = 10 * 1000
/** Of its lifetime: what must be left when a CA's suggestion is followed, for the tries that may fail. */
const LATEST_LEFT = 1 / 10
/** A CA whose suggestions are always past is asked no more often than this. */
const LEAST_SUGGESTED_USE_MS = 60 * 60 * 1000
/** Nor one that revokes what it has just given in the place of what it revoked. */
const LEAST_REVOKED_USE_MS = 60 * 60 * 1000
/** How far a certificate's times may lie ahead of a clock that is right: clocks of machines and CAs differ. */
const CLOCK_TOLERANCE_MS = 60 * 60 * 1000
/** The part of a lifetime over which certificates issued together are renewed: apart from each other, and early. */
const SPREAD = 1 / 20

/**
 * What to do about a certificate, whatever its CA's limits are.
 *
 * @param held what we have in its place, if anything.
 * @param authorityOf which CA an issuer is now.
 * @param notBefore when the next try is allowed after a failure, if one failed.
 */
export function planStep(
  wanted: WantedCertificate,
  held: HeldFacts | undefined,
  authorityOf: (issuer: string) => string | undefined,
  notBefore: number | undefined,
  now: number,
): Exclude<Step, { type: 'paused' }> {
  const allowed = notBefore ?? 0
  if (held === undefined) return { type: 'issue', at: allowed, because: 'there is none yet' }
  const unfit = whyUnfit(wanted, held, authorityOf) ?? whyFromTheFuture(held, now)
  if (unfit !== undefined) return { type: 'issue', at: allowed, because: unfit }
  const obtainedAt = Math.min(held.obtainedAt, now)
  if (held.revoked !== undefined) {
    const at = held.replacesRevoked ? Math.max(allowed, obtainedAt + LEAST_REVOKED_USE_MS) : allowed
    return { type: 'issue', at, because: `it was revoked ${held.revoked}` }
  }
  const due = renewal({ ...held, obtainedAt })
  const at = Math.max(due.at, allowed)
  if (at > now) return { type: 'keep', renewAt: at, because: allowed > due.at ? AFTER_A_TRY : due.because }
  if (held.notAfter < now) return { type: 'renew', at, because: 'it has expired' }
  return { type: 'renew', at, because: held.suggestedAt === undefined ? 'its time has come' : 'its CA suggests it' }
}

/** Why it is not renewed before then, although it is due. */
const AFTER_A_TRY = 'the try before it failed or was cut short, and it waits until then'

/** The same, unless that is not due yet: an operator has asked for it now. */
export function planAsked(step: Step, askedAt: number): Step {
  return step.type === 'keep' ? { type: 'renew', at: askedAt, because: 'it was asked for by hand' } : step
}

/** The same, unless it is due and its CA would refuse it: then it waits for the limit. */
function planLimited(step: Step, limit: (step: Step) => Wait | undefined, now: number): Step {
  if (!isDue(step, now)) return step
  const wait = limit(step)
  if (wait === undefined) return step
  const because = `waits for a rate limit: ${wait.limit}; next at ${spokenTime(wait.at)}`
  return { type: step.type, at: wait.at, because, limit: wait }
}

/** The same, unless it is due and others have to go first. */
function planAfterOthers(step: Step, trial: () => Wait | undefined, now: number): Step {
  if (!isDue(step, now)) return step
  const wait = trial()
  if (wait === undefined) return step
  return { type: step.type, at: wait.at, because: wait.limit, limit: wait }
}

/** What is kept is ordered anew when a name that it does without is asked for again. */
function planEarlier(step: Step, backAt: number | undefined, notBefore: number | undefined): Step {
  if (step.type !== 'keep' || backAt === undefined || backAt >= step.renewAt) return step
  const because = 'a name that it does without is asked for again'
  return { type: 'keep', renewAt: Math.max(backAt, notBefore ?? 0), because }
}

/** The same, where the CA has paused it: nothing that is due is done. */
function planPaused(step: Step, unpauseUrl: string | undefined): Step {
  if (unpauseUrl === undefined || step.type === 'keep') return step
  return { type: 'paused', unpauseUrl, because: 'its CA has paused it, until somebody has been at its page' }
}

export function isOrder(step: Step): step is Order {
  return step.type === 'issue' || step.type === 'renew'
}

export function isDue(step: Step, now: number): step is Order {
  return isOrder(step) && step.at <= now
}

/** When something is to be done; Infinity for what waits for a person. */
export function timeOf(step: Step): number {
  if (step.type === 'paused') return Number.POSITIVE_INFINITY
  return step.type === 'keep' ? step.renewAt : step.at
}

/** When a certificate is due. */
export function renewalTime(held: HeldFacts): number {
  return renewal(held).at
}

/**
 * When one is expected to be due that has just been obtained, if its CA suggests such things: as it is not asked before the
 * certificate is there, by the rule that CAs suggest by.
 */
export function expectedRenewal(held: HeldFacts, isSuggesting: boolean): number {
  return renewalTime(isSuggesting ? { ...held, fingerprint: NO_PHASE } : held)
}

const NO_PHASE = '00000000'

/** When a certificate is due, and why then: when its CA suggests, which knows what it can bear and what it will revoke. */
function renewal(held: HeldFacts): { readonly at: number; readonly because: string } {
  const due = held.suggestedAt === undefined ? renewalByAge(held) : renewalBySuggestion(held, held.suggestedAt)
  if (held.spreadAt === undefined || held.spreadAt >= due.at) return due
  return { at: held.spreadAt, because: 'it is spread out, away from others that would be due with it' }
}

function renewalBySuggestion({ notBefore, notAfter, obtainedAt }: HeldFacts, suggestedAt: number) {
  const lifetime = notAfter - notBefore
  const latest = notAfter - lifetime * LATEST_LEFT
  const earliest = obtainedAt + Math.min(LEAST_SUGGESTED_USE_MS, lifetime * LEAST_USE)
  const at = Math.floor(Math.max(Math.min(suggestedAt, latest), earliest))
  if (suggestedAt < earliest) return { at, because: 'its CA suggests it earlier, too soon after it came' }
  if (suggestedAt > latest) return { at, because: 'its CA suggests it later, too late for tries that may fail' }
  return { at, because: 'its CA suggests it' }
}

/**
 * From its own lifetime, whatever that is; a while earlier by its fingerprint, so that many that were issued together are not
 * renewed together.
 */
function renewalByAge({ notBefore, notAfter, obtainedAt, fingerprint }: HeldFacts) {
  const lifetime = notAfter - notBefore
  const isShort = lifetime < SHORT_LIFETIME_MS
  const left = isShort ? lifetime / 2 : lifetime / 3
  const phase = Number.parseInt(fingerprint.slice(0, 8), 16) / 2 ** 32
  const due = notAfter - left - phase * lifetime * SPREAD
  const leastUse = obtainedAt + Math.max((notAfter - obtainedAt) * LEAST_USE, LEAST_USE_MS)
  const at = Math.floor(Math.max(due, leastUse))
  if (leastUse > due) return { at, because: 'it came late in its lifetime, and is used for a while first' }
  return { at, because: `about ${isShort ? 'half' : 'a third'} of its lifetime is left` }
}

function whyUnfit(
  wanted: WantedCertificate,
  held: HeldFacts,
  authorityOf: (issuer: string) => string | undefined,
): string | undefined {
  if (held.keyFault !== undefined) return held.keyFault
  if (wanted.keyKind !== held.keyKind) return `it should have a key of kind ${wanted.keyKind}`
  if (!wanted.issuers.includes(held.issuer)) return `${held.issuer} is not to issue it any more`
  if (authorityOf(held.issuer) !== held.authority) return `${held.issuer} was another CA then: ${held.authority}`
  if (wanted.mustStaple !== held.mustStaple)
    return wanted.mustStaple ? 'it is to be must-staple now' : 'it is not to be must-staple any more'
  const missing = wanted.names.filter((name) => !held.names.includes(name))
  if (missing.length > 0) return `it lacks ${missing.join(', ')}`
  if (held.names.length > wanted.names.length) return 'it has names that are not wanted any more'
  return undefined
}

/**
 * No client takes it before its time. Either this machine's clock was ahead when its own CA made it, or it is behind now: then
 * a new one of our own does no harm, and an ACME CA is not asked for one, as its clock is looked at first.
 */
function whyFromTheFuture({ notBefore, obtainedAt }: HeldFacts, now: number): string | undefined {
  const isFromTheFuture = notBefore > now + CLOCK_TOLERANCE_MS && obtainedAt > now + CLOCK_TOLERANCE_MS
  return isFromTheFuture ? `it begins in the future, at ${spokenTime(notBefore)}: the clock was ahead then` : undefined
}
