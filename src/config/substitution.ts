import { Refusal } from './problem.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const ALLOWED = `allowed: \${NAME}, \${NAME:-default}, and $\${ for a \${ that is meant`

/**
 * Replaces `${NAME}` and `${NAME:-default}` by the environment's values; `$${` gives `${`. As in a shell, the default
 * stands for a variable that is unset or empty. A value is never searched again, so it cannot name other variables.
 */
export function substitute(text: string, env: Environment): string | Refusal {
  const refusals: Refusal[] = []
  const result = text.replace(/\$\$\{|\$\{([^}]*)(\}?)/g, (whole, reference: string | undefined, end: string) => {
    if (reference === undefined) return whole.slice(1)
    const value = end === '' ? new Refusal(ALLOWED, { fault: `which has a \${ without its }` }) : lookUp(reference, env)
    if (typeof value === 'string') return value
    refusals.push(value)
    return ''
  })
  return refusals[0] ?? result
}

function lookUp(reference: string, env: Environment): string | Refusal {
  const [, name, fallback] = /^([A-Za-z_]\w*)(?::-(.*))?$/s.exec(reference) ?? []
  if (name === undefined) return new Refusal(ALLOWED, { fault: 'which does not name an environment variable' })
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (fallback !== undefined) return value === undefined || value === '' ? fallback : value
  if (value !== undefined) return value
  const remedy = `set it, or give a default: \${${name}:-default}`
  return new Refusal(remedy, { fault: `but the environment variable ${name} is not set` })
}
