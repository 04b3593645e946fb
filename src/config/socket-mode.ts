import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const ALLOWED = 'allowed: an octal mode in quotes, such as "0660" (owner and group), "0600" (owner), "0666" (everybody)'

/** Whoever connects to a Unix socket must be allowed to write to it. */
const OWNER_MAY_WRITE = 0o200

/** Who may connect to a Unix socket: the mode of its file. */
export const socketModeFormat: TextFormat<number> = {
  allowed: ALLOWED,
  schema: { pattern: '^0?[0-7]{3}$', examples: ['0660', '0600', '0666'] },
  // YAML 1.2 reads 0660 as the number 660, and 0o660 as 432.
  otherwise: (value) =>
    typeof value === 'number' && /^[0-7]{3}$/.test(String(value)) ? `did you mean "0${value}"? ${ALLOWED}` : undefined,
  read(text) {
    if (!/^0?[0-7]{3}$/.test(text)) return new Refusal(ALLOWED)
    const mode = Number.parseInt(text, 8)
    return (mode & OWNER_MAY_WRITE) === 0 ? new Refusal(ALLOWED, { fault: 'which shuts even its owner out' }) : mode
  },
}
