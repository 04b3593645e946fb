import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const UNITS = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

/** Sizes from `atLeast` to `atMost`, written `64KiB`, `10MiB`; read as bytes. */
export function sizeFormat({ atLeast, atMost }: { atLeast: string; atMost: string }): TextFormat<number> {
  const [least, most] = [bytesOf(atLeast), bytesOf(atMost)]
  const allowed = `allowed: a number and B, KiB, MiB or GiB, such as "64KiB", from ${atLeast} to ${atMost}`
  const isAllowed = (size: number): boolean => size >= least && size <= most
  return {
    allowed,
    schema: { pattern: '^\\d+(B|KiB|MiB|GiB)$', examples: ['64KiB', '10MiB'] },
    otherwise: (value) =>
      typeof value === 'number' && isAllowed(bytesOf(`${value}B`)) ? `did you mean "${value}B"? ${allowed}` : undefined,
    read(text) {
      const size = bytesOf(text)
      if (Number.isNaN(size)) return new Refusal(allowed, { hint: correction(text) })
      if (size < least) return new Refusal(allowed, { fault: 'which is too small' })
      if (size > most) return new Refusal(allowed, { fault: 'which is too large' })
      return size
    },
  }
}

/** NaN for anything but a number and a unit. */
function bytesOf(text: string): number {
  const [, count, unit] = /^(\d{1,12})(B|KiB|MiB|GiB)$/.exec(text) ?? []
  return unit === undefined ? Number.NaN : Number(count) * UNITS[unit as keyof typeof UNITS]
}

/** Other servers write `10m` or `10MB` for it. */
function correction(text: string): string | undefined {
  const [, count, letter] = /^(\d+)\s*([kmg])i?b?$/i.exec(text) ?? []
  return letter === undefined ? undefined : `did you mean "${count}${letter.toUpperCase()}iB"?`
}
