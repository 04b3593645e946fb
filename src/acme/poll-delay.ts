import type { Random } from '../system/random.ts'

/** Most validations are done within a second. */
const FIRST_MS = 500

/** What a person who watches still bears, and no CA's rate limit minds. */
const LAST_MS = 10_000

/** Between 75 % and 125 % of the delay, so that orders placed together do not stay in step. */
const SPREAD = 0.5

/**
 * How long to wait before reading a resource again: what the server asked for, else half a second, then always twice as
 * long, up to ten seconds. Make one for each resource that is polled. Milliseconds.
 */
export function pollDelays(random: Random): (retryAfterMs: number | undefined) => number {
  let delay = FIRST_MS
  return (retryAfterMs) => {
    const own = delay * (1 - SPREAD / 2 + SPREAD * random())
    delay = Math.min(delay * 2, LAST_MS)
    return retryAfterMs ?? own
  }
}
