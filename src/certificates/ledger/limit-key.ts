import { createHash } from 'node:crypto'
import type { LimitKind } from './limits.ts'

// What is counted, as one text: `certificates example.com`. Names and accounts have no space in them.

export function keyOf(kind: LimitKind, subject: string, account: string): string {
  return kind === 'failures' ? `failures ${subject} ${account}` : `${kind} ${subject}`
}

export function readKey(key: string): { readonly kind: LimitKind; readonly subject: string; readonly account: string } {
  const space = key.indexOf(' ')
  const kind = key.slice(0, space) as LimitKind
  const rest = key.slice(space + 1)
  if (kind !== 'failures') return { kind, subject: rest, account: kind === 'orders' ? rest : '' }
  const end = rest.indexOf(' ')
  return { kind, subject: rest.slice(0, end), account: rest.slice(end + 1) }
}

/** An exact set of names: the name, or the first and a hash of all. */
export function setOf(names: readonly string[]): string {
  if (names.length === 1) return names[0]!
  const sorted = [...names].sort()
  const hash = createHash('sha256').update(sorted.join()).digest('hex').slice(0, 12)
  return `${sorted[0]} and ${names.length - 1} more (${hash})`
}

/** A wildcard is authorized by the name that it stands below. */
export function bare(name: string): string {
  return name.startsWith('*.') ? name.slice(2) : name
}
