import { z } from 'zod'
import { Refusal } from './problem.ts'
import { text } from './schema-elements.ts'
import type { TextFormat } from './text-format.ts'

/** The last branches of a union whose value may be `off`, for whoever does not want what the place around it has. */
export function off(otherwise: string) {
  const allowed = `allowed: off, or ${otherwise}`
  const format: TextFormat<false> = {
    allowed,
    schema: { enum: ['off'] },
    read: (written) => (written === 'off' ? false : new Refusal(allowed)),
  }
  return [text(format), z.literal(false, { error: () => allowed })] as const
}
