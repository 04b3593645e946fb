import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export const SECOND_MS = UNITS.s
export const DAY_MS = UNITS.d

/** Durations from `atLeast` to `atMost`, written `90s`, `10m`, `60d`; read as milliseconds. */
export function durationFormat({ atLeast, atMost }: { atLeast: string; atMost: string }): TextFormat<number> {
  const [least, most] = [milliseconds(atLeast), milliseconds(atMost)]
  const allowed = `allowed: a number and ms, s, m, h or d, such as "90s", from ${atLeast} to ${atMost}`
  const isAllowed = (duration: number): boolean => duration >= least && duration <= most
  return {
    allowed,
    schema: { pattern: '^\\d+(ms|s|m|h|d)$', examples: ['90s', '10m', '60d'] },
    otherwise: (value) =>
      typeof value === 'number' && isAllowed(milliseconds(`${value}s`))
        ? `did you mean "${value}s"? ${allowed}`
        : undefined,
    read(text) {
      const duration = milliseconds(text)
      if (Number.isNaN(duration)) return new Refusal(allowed)
      if (duration < least) return new Refusal(allowed, { fault: 'which is too short' })
      if (duration > most) return new Refusal(allowed, { fault: 'which is too long' })
      return duration
    },
  }
}

/** NaN for anything but a number and a unit. */
function milliseconds(text: string): number {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  return unit === undefined ? Number.NaN : Number(count) * UNITS[unit as keyof typeof UNITS]
}

/** `60d`, for people: the largest unit that divides it. */
export function formatDuration(ms: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}
