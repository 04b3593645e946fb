import type { Fields } from './exchange.ts'

/** RFC 9110 §7.6.1: about this connection only, so a proxy consumes them; Trailer stays, for it speaks of the message. */
const HOP_BY_HOP = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** What a Connection field may not take away, whatever it names: framing and routing rest on them. */
const NEVER_NOMINATED = new Set(['host', 'content-length'])

/** The value of the first field of this name, or undefined. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at]!.toLowerCase() === name) return fields[at + 1]
  return undefined
}

/** The fields without those that belong to the connection they came on, or that its Connection field nominates. */
export function endToEndFields(fields: Fields): string[] {
  const nominated = nominatedFields(fields)
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!.toLowerCase()
    if (HOP_BY_HOP.has(name) || nominated?.has(name)) continue
    kept.push(fields[at]!, fields[at + 1]!)
  }
  return kept
}

function nominatedFields(fields: Fields): Set<string> | undefined {
  let nominated: Set<string> | undefined
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at]!.toLowerCase() !== 'connection') continue
    for (const option of fields[at + 1]!.split(',')) {
      const name = option.trim().toLowerCase()
      if (name === '' || NEVER_NOMINATED.has(name)) continue
      nominated ??= new Set()
      nominated.add(name)
    }
  }
  return nominated
}

/**
 * Whether a field claims what only a proxy can know: Forwarded (RFC 7239), X-Forwarded-* and X-Real-IP, also in the
 * spellings that CGI-like applications fold into the same variable (`X_Forwarded_For`, `X.Forwarded.For`).
 */
export function isForwardingField(name: string): boolean {
  const folded = name.toLowerCase().replaceAll(/[_.]/g, '-')
  return folded === 'forwarded' || folded === 'x-real-ip' || folded.startsWith('x-forwarded-')
}

/** Those that we write ourselves. */
const OURS = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'])

/** Whether such a field is to be believed of a proxy that tells the truth, as we have nothing better to say. */
export function isBelievedOfProxy(name: string): boolean {
  return !/[_.]/.test(name) && !OURS.has(name.toLowerCase())
}
