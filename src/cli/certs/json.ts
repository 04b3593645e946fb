import { formatJson } from '../../telemetry/line-log.ts'

/** Those of a report's fields that are times, in ms since 1970. */
const TIMES: ReadonlySet<string> = new Set([
  'at',
  'renewAt',
  'notBefore',
  'notAfter',
  'obtainedAt',
  'orderedSince',
  'lastAt',
  'nextAt',
  'since',
  'probeAt',
  'start',
  'end',
  'moreAt',
  'from',
  'to',
  'goodUntil',
  'renewedAt',
  'keptUntil',
])

/** One line of JSON for programs: times as ISO 8601, and null for `at once`. */
export function printJson(value: object): void {
  process.stdout.write(formatJson(JSON.parse(JSON.stringify(value, spokenTimes))))
}

function spokenTimes(key: string, value: unknown): unknown {
  if (!TIMES.has(key) || typeof value !== 'number') return value
  return value === 0 ? null : new Date(value).toISOString()
}
