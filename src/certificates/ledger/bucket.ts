/**
 * So many in so long, as a bucket of tokens: it is full at first, each use takes one, and they come back evenly, one every
 * `periodMs / count`. So does Boulder count since 2025 (the generic cell rate algorithm), and a client that keeps to it keeps
 * to a sliding window of the same numbers within twice its length too.
 */
export type Limit = { readonly count: number; readonly periodMs: number }

// A bucket is known by one number: when it is full again. Whatever lies in the past is a full one. Times in ms since 1970.

/** Between two tokens that come back. */
export function intervalOf({ count, periodMs }: Limit): number {
  return periodMs / count
}

/** When there is a token again; the past if there is one. */
export function tokenAt(limit: Limit, fullAt: number): number {
  return fullAt - (limit.count - 1) * intervalOf(limit)
}

/** How many whole tokens there are. */
export function tokensLeft(limit: Limit, fullAt: number, now: number): number {
  const missing = Math.max(0, fullAt - now) / intervalOf(limit)
  // A millionth: what a division leaves of a whole number is not to cost a token.
  return Math.max(0, Math.floor(limit.count - missing + 1e-6))
}

/** When it is full again after one more use. An empty bucket does not get emptier. */
export function afterUse(limit: Limit, fullAt: number, now: number): number {
  return Math.min(Math.max(fullAt, now) + intervalOf(limit), now + limit.periodMs)
}

/** When it is full again, if it has its next token at this time. */
export function emptyUntil(limit: Limit, at: number): number {
  return at + (limit.count - 1) * intervalOf(limit)
}
