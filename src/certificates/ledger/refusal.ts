import type { LimitKind } from './limits.ts'

/** A CA's word that a limit was reached: which one, for what, and when it may be asked again (ms since 1970). */
export type Refusal = {
  readonly kind: LimitKind
  /** As the CA calls it; undefined where the kind says it all. */
  readonly subject: string | undefined
  readonly until: number
}

/** No limit is published that takes longer to fill again. What a CA says beyond is asked anew. */
const LONGEST_MS = 7 * 24 * 60 * 60 * 1000

/** Boulder's words (ratelimits/limiter.go), those of today and of former years. */
const WORDS: readonly (readonly [RegExp, LimitKind])[] = [
  [/^too many new orders\b/i, 'orders'],
  [/^too many certificates .*\bexact set of\b/i, 'sets'],
  [/^too many certificates .*?\bissued for:? "?(?<subject>[^"\s,]+)/i, 'certificates'],
  [/^too many failed authorizations(?:.*? for "?(?<subject>[^"\s,]+))?/i, 'failures'],
  [/^too many (?:new )?registrations\b/i, 'accounts'],
]

const RETRY_AFTER = /retry after (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d) ?(?:UTC|Z)/i

/**
 * What the `detail` of a `rateLimited` problem says (RFC 8555 §6.7). Words that nobody knows are taken for being about these
 * names alone; undefined if nothing tells until when.
 */
export function readRefusal(detail: string, retryAfterMs: number | undefined, now: number): Refusal | undefined {
  const until = untilOf(detail, retryAfterMs, now)
  if (until === undefined || until <= now) return undefined
  for (const [words, kind] of WORDS) {
    const found = words.exec(detail)
    if (found !== null) return { kind, subject: found.groups?.subject?.replace(/\/32$/, ''), until }
  }
  return { kind: 'sets', subject: undefined, until }
}

/** The time that is written out is the longer word: Retry-After is read up to a day. */
function untilOf(detail: string, retryAfterMs: number | undefined, now: number): number | undefined {
  const found = RETRY_AFTER.exec(detail)
  const written = found === null ? Number.NaN : Date.parse(`${found[1]}T${found[2]}Z`)
  if (!Number.isNaN(written) && written > now) return Math.min(written, now + LONGEST_MS)
  return retryAfterMs === undefined ? undefined : now + Math.min(retryAfterMs, LONGEST_MS)
}
