const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** From the first limit that a duration stays below. */
const UNITS: readonly [belowMs: number, unitMs: number, name: string][] = [
  [45_000, 1_000, 'second'],
  [90 * MINUTE_MS, MINUTE_MS, 'minute'],
  [36 * HOUR_MS, HOUR_MS, 'hour'],
  [Number.POSITIVE_INFINITY, DAY_MS, 'day'],
]

/** `10 minutes`: a duration as a person says it, rounded. */
export function spokenDuration(ms: number): string {
  const [, unitMs, name] = UNITS.find(([belowMs]) => ms < belowMs)!
  const count = Math.max(0, Math.round(ms / unitMs))
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

/** `2026-11-24T12:00:03Z`: to the second, which is all that a person needs. */
export function spokenTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
