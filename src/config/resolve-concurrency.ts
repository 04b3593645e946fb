import type { Concurrency } from './balancing.ts'
import { type ConcurrencySettings, concurrencyOf } from './balancing-schema.ts'
import type { Spot } from './document.ts'
import type { Findings } from './findings.ts'
import { Refusal } from './problem.ts'

/**
 * How many requests may be under way at a time, and how many more may wait. Those two are refused where nothing bounds the
 * first, since they would be of no effect.
 *
 * @param spot where `limits` stand.
 */
export function resolveConcurrency(
  own: ConcurrencySettings | undefined,
  others: ConcurrencySettings | undefined,
  spot: Spot,
  findings: Findings,
): Concurrency | undefined {
  const concurrency = concurrencyOf(own, others)
  if (concurrency !== undefined) return concurrency
  const needless = new Refusal('set that here, too', { fault: 'but nothing waits without a number for "concurrent"' })
  for (const key of ['queue', 'wait'] as const) if (own?.[key] !== undefined) findings.refuse(spot.at(key), needless)
  return undefined
}
