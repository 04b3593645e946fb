import type { RenewalInfo } from '../acme/renewal-info.ts'
import { jittered, type Random } from '../system/random.ts'

/** What a CA said of the renewal of one certificate (RFC 9773), and when it is asked again. Times in ms since 1970. */
export type Suggestion = {
  /** Of the certificate that it is about. */
  readonly fingerprint: string
  readonly askAt: number
  readonly window?: { readonly start: number; readonly end: number } | undefined
  /** The instant within the window that was drawn for us. */
  readonly renewAt?: number | undefined
  readonly explanationUrl?: string | undefined
}

const MINUTE_MS = 60 * 1000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** RFC 9773 §4.3.2: how often to ask is the CA's to say, within these. */
const MIN_INTERVAL_MS = MINUTE_MS
const MAX_INTERVAL_MS = DAY_MS
/** Without its word, or without an answer (RFC 9773 §4.3.3): so that a revocation is known within half a day. */
const INTERVAL_MS = 6 * HOUR_MS
/** Of each interval, up or down. */
const JITTER = 0.1

type Dice = { readonly now: number; readonly random: Random }

/** What is known after a CA's answer. An instant that was drawn stands while the window has it. */
export function answered(
  fingerprint: string,
  { windowStart, windowEnd, retryAfterMs, explanationUrl }: RenewalInfo,
  before: Suggestion | undefined,
  dice: Dice,
): Suggestion {
  const window = { start: windowStart, end: windowEnd }
  const renewAt = draw(window, before, dice)
  return { fingerprint, askAt: nextAskAt(retryAfterMs, dice), window, renewAt, explanationUrl }
}

/** What is known after a CA that says nothing of the kind. */
export function unsaid(fingerprint: string, dice: Dice): Suggestion {
  return { fingerprint, askAt: nextAskAt(undefined, dice) }
}

/** What is known after a CA that could not be asked: what was known before. */
export function unanswered(fingerprint: string, before: Suggestion | undefined, dice: Dice): Suggestion {
  return { fingerprint, ...before, askAt: nextAskAt(undefined, dice) }
}

/** When to ask for a certificate next; never for what has expired (RFC 9773 §4.3.4). */
export function askAtOf(suggestion: Suggestion | undefined, notAfter: number, now: number): number {
  if (notAfter <= now) return Number.POSITIVE_INFINITY
  const askAt = suggestion?.askAt ?? 0
  // The clock was set back meanwhile: no interval is longer.
  return askAt > now + MAX_INTERVAL_MS * (1 + JITTER) ? now : askAt
}

/** RFC 9773 §4.2: uniformly within the window, and once. */
function draw(
  { start, end }: { start: number; end: number },
  before: Suggestion | undefined,
  { random }: Dice,
): number {
  const { renewAt } = before ?? {}
  if (renewAt !== undefined && renewAt >= start && renewAt <= end) return renewAt
  return Math.round(start + random() * (end - start))
}

function nextAskAt(retryAfterMs: number | undefined, { now, random }: Dice): number {
  const interval = Math.min(Math.max(retryAfterMs ?? INTERVAL_MS, MIN_INTERVAL_MS), MAX_INTERVAL_MS)
  return Math.round(now + jittered(interval, JITTER, random))
}
