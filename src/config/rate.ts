import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const ALLOWED = 'allowed: a number of 1 or more in minutes, hours or days, such as "300 in 3h", of 30 days at most'
const MAX_COUNT = 10_000_000
const MAX_PERIOD_MS = 30 * UNITS.d

/** So many in so long, written `300 in 3h`. */
export const rateFormat: TextFormat<{ readonly count: number; readonly periodMs: number }> = {
  allowed: ALLOWED,
  schema: { pattern: '^[1-9]\\d* in [1-9]\\d*[mhd]$', examples: ['300 in 3h', '50 in 7d'] },
  read(text) {
    const [, count, length, unit] = /^([1-9]\d*) in ([1-9]\d*)([mhd])$/.exec(text) ?? []
    const rate = { count: Number(count), periodMs: Number(length) * UNITS[unit as keyof typeof UNITS] }
    if (unit === undefined || rate.count > MAX_COUNT || rate.periodMs > MAX_PERIOD_MS) return new Refusal(ALLOWED)
    return rate
  },
}
