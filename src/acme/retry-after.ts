const SECOND = 1000
const DAY = 24 * 60 * 60 * SECOND

/** Nobody needs to be asked more often than every second, whatever they say. */
const MIN_RETRY_AFTER_MS = SECOND

/** RFC 9773 §4.3.2 has clients clamp to a day; a CA that says 99999999 would otherwise stop renewal for three years. */
const MAX_RETRY_AFTER_MS = DAY

/**
 * How long to wait, in milliseconds between one second and one day, from a Retry-After field (RFC 9110 §10.2.3): a number
 * of seconds or an HTTP date, of which the past counts as now. Undefined if there is none or it is neither.
 */
export function parseRetryAfter(field: string | undefined, now: number): number | undefined {
  if (field === undefined) return undefined
  const text = field.trim()
  const wait = /^\d+$/.test(text) ? Number(text) * SECOND : httpDate(text) - now
  if (Number.isNaN(wait)) return undefined
  return Math.min(Math.max(wait, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS)
}

/** RFC 9110 §5.6.7: each of the three forms starts with a day's name; the asctime form alone leaves out that it is GMT. */
function httpDate(text: string): number {
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return Number.NaN
  return Date.parse(text.endsWith(' GMT') ? text : `${text} GMT`)
}
