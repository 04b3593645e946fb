import { jittered, type Random } from '../system/random.ts'

/** What is remembered of a certificate's tries, until one succeeds. Times in ms since 1970. */
export type Attempt = {
  /** In a row, ended by the CA or by us. */
  readonly failures: number
  /** Begun in a row without an end: the process ended first. */
  readonly unfinished: number
  /** Looks in a row after which nobody was asked. */
  readonly looks: number
  readonly lastAt: number
  /** No try before this. */
  readonly nextAt: number
  /** The last failure, in words. */
  readonly reason: string
  /** The CA takes no more orders for it until somebody has been there, and no more tries are made by themselves. */
  readonly unpauseUrl?: string | undefined
  /** Who was asked, and as what: with other issuers or settings, the tries begin anew. */
  readonly circumstances: string
}

const MINUTE_MS = 60 * 1000
const DAY_MS = 24 * 60 * MINUTE_MS
/** Let's Encrypt's Integration Guide: after 1, 10 and 100 minutes, and then daily. */
const LADDER_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS, DAY_MS]
/** What costs the CA nothing is looked at again soon: somebody may be at work on it. */
const LOOK_AGAIN_MS = 5 * MINUTE_MS
/** An hour of looking. What this machine sees is not what a CA sees everywhere: after that it is asked all the same. */
const MAX_LOOKS = 12
/** Of each wait, up or down: what failed together does not come back together. */
const JITTER = 0.1
/** A CA's own word is waited for up to this; beyond it, it is asked again. */
const MAX_WAIT_MS = DAY_MS * (1 + JITTER)

export type Failure = {
  /** In words. */
  readonly reason: string
  readonly retryAfterMs: number
  readonly longestMs?: number | undefined
}

/** Who waits for a day would let a certificate of hours end: six tries fit into any lifetime. */
const PART_OF_LIFETIME = 1 / 6

/** How long the next try may wait at most for a certificate of such a lifetime, in ms. */
export function longestWait({
  notBefore,
  notAfter,
}: {
  readonly notBefore: number
  readonly notAfter: number
}): number {
  return Math.max(MINUTE_MS, (notAfter - notBefore) * PART_OF_LIFETIME)
}

/** Of a certificate that nothing was tried for under these circumstances. */
export function noAttempt(circumstances: string): Attempt {
  return { failures: 0, unfinished: 0, looks: 0, lastAt: 0, nextAt: 0, reason: '', circumstances }
}

/** One more begins. */
export function begun(before: Attempt, now: number): Attempt {
  return { ...before, unfinished: before.unfinished + 1, lastAt: now }
}

/**
 * It has failed. `retryAfterMs` is the CA's own word, which wins if it is longer; `longestMs` what we wait at most of our own
 * accord, where a day would be too long.
 */
export function failed(
  before: Attempt,
  { reason, retryAfterMs, longestMs = DAY_MS }: Failure,
  now: number,
  random: Random,
): Attempt {
  const { unpauseUrl: _, ...unpaused } = before
  const failures = before.failures + 1
  const wait = Math.min(Math.max(Math.min(waitAfter(failures, random), longestMs), retryAfterMs), MAX_WAIT_MS)
  return { ...unpaused, failures, unfinished: 0, lastAt: now, nextAt: Math.round(now + wait), reason }
}

/** The CA takes no more orders for it: nothing but the operator is waited for. */
export function paused(before: Attempt, reason: string, unpauseUrl: string, now: number): Attempt {
  return { ...before, failures: before.failures + 1, unfinished: 0, lastAt: now, nextAt: 0, reason, unpauseUrl }
}

/** It was not tried, as that was plainly in vain: no failure is counted. */
export function postponed(before: Attempt, reason: string, now: number, random: Random): Attempt {
  const nextAt = Math.round(now + jittered(LOOK_AGAIN_MS, JITTER, random))
  return { ...before, unfinished: 0, looks: before.looks + 1, lastAt: now, nextAt, reason }
}

/** It must not wait any longer. What was counted stays: if the next try fails too, the wait after it is the longer one. */
export function hurried(before: Attempt): Attempt {
  const { unpauseUrl: _, ...unpaused } = before
  return { ...unpaused, unfinished: 0, nextAt: 0 }
}

/** The CA should be asked whatever a look before it says: that has been said often enough. */
export function isInsistent({ looks }: Attempt): boolean {
  return looks >= MAX_LOOKS
}

/** As it counts after a restart: a clock that was once far ahead left times that never come. */
export function recalled(attempt: Attempt, now: number, random: Random): Attempt {
  const lastAt = Math.min(attempt.lastAt, now)
  const cutShort = attempt.unfinished > 1 ? lastAt + waitAfter(attempt.unfinished - 1, random) : 0
  const nextAt = Math.min(Math.max(attempt.nextAt, cutShort), latestTryAt(now))
  return { ...attempt, lastAt, nextAt }
}

/** Nothing is waited for beyond this: whatever is, was written by a clock that has been set back. */
export function latestTryAt(now: number): number {
  return now + MAX_WAIT_MS
}

/** Of the guide's ladder, in ms: after so many failures. */
export function waitAfter(failures: number, random: Random): number {
  const step = LADDER_MS[Math.min(failures, LADDER_MS.length) - 1]!
  return jittered(step, JITTER, random)
}
