import type { Fields } from './exchange/exchange.ts'

/**
 * What a field is to a proxy. `hop-by-hop` and those with a name of their own, but for the last three, are about one
 * connection only, so a proxy consumes them (RFC 9110 §7.6.1); `forwarding` claims what only a proxy can know, and
 * `request-id` names the request.
 */
export type FieldRole =
  | 'end-to-end'
  | 'host'
  | 'content-length'
  | 'transfer-encoding'
  | 'connection'
  | 'te'
  | 'upgrade'
  | 'hop-by-hop'
  | 'forwarding'
  | 'expect'
  | 'date'
  | 'request-id'

/** Trailer is not among them, for it speaks of the message. */
const ROLES = new Map<string, FieldRole>([
  ['host', 'host'],
  ['content-length', 'content-length'],
  ['transfer-encoding', 'transfer-encoding'],
  ['connection', 'connection'],
  ['te', 'te'],
  ['upgrade', 'upgrade'],
  ['keep-alive', 'hop-by-hop'],
  ['proxy-connection', 'hop-by-hop'],
  ['http2-settings', 'hop-by-hop'],
  ['expect', 'expect'],
  ['date', 'date'],
  ['x-request-id', 'request-id'],
])

/** Names are few and come again and again; but clients invent them too, so that what is remembered is bounded. */
const MAX_REMEMBERED_NAMES = 1000
const MAX_REMEMBERED_LENGTH = 64
const remembered = new Map<string, FieldRole>()

/** The role of a field of this name, whatever its case. */
export function fieldRole(name: string): FieldRole {
  return mayConcernUs(name) ? (remembered.get(name) ?? learnRole(name)) : 'end-to-end'
}

/**
 * False for most of the names that are no concern of a proxy's, by how they begin and how long they are. A part of a head is
 * a string that no map has seen, so that looking it up means hashing it: 50 ns a field, and each is asked for three times.
 */
function mayConcernUs(name: string): boolean {
  const { length } = name
  // In lower case, if it is a letter.
  switch (name.charCodeAt(0) | 0x20) {
    case 0x63: // Connection, Content-Length, Client-Cert, Client-Cert-Chain
      return length === 10 || length === 14 || length === 11 || length === 17
    case 0x64: // Date
      return length === 4
    case 0x65: // Expect
      return length === 6
    case 0x66: // Forwarded
      return length === 9
    case 0x68: // Host, HTTP2-Settings
      return length === 4 || length === 14
    case 0x6b: // Keep-Alive
      return length === 10
    case 0x70: // Proxy-Connection
      return length === 16
    case 0x74: // TE, Transfer-Encoding
      return length === 2 || length === 17
    case 0x75: // Upgrade
      return length === 7
    case 0x78: // X-Real-IP, X-Request-Id, X-Forwarded-*
      return length === 9 || length >= 12
    default:
      return false
  }
}

function learnRole(name: string): FieldRole {
  const role = ROLES.get(name.toLowerCase()) ?? foldedRole(name)
  if (remembered.size < MAX_REMEMBERED_NAMES && name.length <= MAX_REMEMBERED_LENGTH)
    remembered.set(ownCopy(name), role)
  return role
}

/** CGI-like applications fold the spellings of a name into the same variable. */
function foldedRole(name: string): FieldRole {
  if (isForwardingField(name)) return 'forwarding'
  return foldedName(name) === 'x-request-id' ? 'request-id' : 'end-to-end'
}

/**
 * As CGI-like applications fold the spellings of a name into the same variable: all of them `-` and `_`, PHP the dot, lighttpd
 * and others whatever is no letter or digit (`X+Remote~User`).
 */
export function foldedName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-')
}

/** A part of a string holds on to all of it, and this one may be part of a head of 32 KiB. */
export function ownCopy(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}

/** Those by which a proxy tells of a client's certificate (RFC 9440 §2), folded. */
export const CERTIFICATE_FIELDS: ReadonlySet<string> = new Set(['client-cert', 'client-cert-chain'])

/**
 * Whether a field claims what only a proxy can know: Forwarded (RFC 7239), X-Forwarded-*, X-Real-IP and Client-Cert (RFC
 * 9440), also in the
 * spellings that CGI-like applications fold into the same variable (`X_Forwarded_For`, `X.Forwarded.For`).
 */
export function isForwardingField(name: string): boolean {
  const folded = foldedName(name)
  return (
    folded === 'forwarded' ||
    folded === 'x-real-ip' ||
    folded.startsWith('x-forwarded-') ||
    CERTIFICATE_FIELDS.has(folded)
  )
}

/** Those that we write ourselves. */
const OURS = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-prefix'])

/** Whether such a field is to be believed of a proxy that tells the truth, as we have nothing better to say. */
export function isBelievedOfProxy(name: string): boolean {
  return /^[A-Za-z0-9-]+$/.test(name) && !OURS.has(name.toLowerCase())
}

/** The value of the first field of this name, which is in lower case, or undefined. */
export function fieldValue(fields: Fields, name: string): string | undefined {
  for (let at = 0; at < fields.length; at += 2) if (fields[at]!.toLowerCase() === name) return fields[at + 1]
  return undefined
}

/** The values of all fields of this name, which is in lower case. */
export function fieldValues(fields: Fields, name: string): string[] {
  const values: string[] = []
  for (let at = 0; at < fields.length; at += 2) if (fields[at]!.toLowerCase() === name) values.push(fields[at + 1]!)
  return values
}

/** Whether there is a field of this name, which is in lower case. Looks at lengths first, for the codecs ask it of every message. */
export function hasField(fields: Fields, name: string): boolean {
  for (let at = 0; at < fields.length; at += 2)
    if (fields[at]!.length === name.length && fields[at]!.toLowerCase() === name) return true
  return false
}

/** The fields whose role is to be kept, without those that a Connection field nominates (RFC 9110 §7.6.1). */
export function keepFields(fields: Fields, isKept: (role: FieldRole, name: string) => boolean): string[] {
  const kept: string[] = []
  let nominated: Set<string> | undefined
  for (let at = 0; at < fields.length; at += 2) {
    const role = fieldRole(fields[at]!)
    if (isKept(role, fields[at]!)) kept.push(fields[at]!, fields[at + 1]!)
    else if (role === 'connection') nominated = nominate(nominated, fields[at + 1]!)
  }
  return nominated === undefined ? kept : withoutNames(kept, nominated)
}

/** What nearly every Connection field says, and nominates nothing that could be kept. */
const PLAIN_OPTIONS = new Set(['keep-alive', 'close', 'Keep-Alive', 'Close', 'Upgrade', 'upgrade'])

function nominate(former: Set<string> | undefined, value: string): Set<string> | undefined {
  if (PLAIN_OPTIONS.has(value)) return former
  const nominated = former ?? new Set()
  for (const option of value.split(',')) nominated.add(option.trim().toLowerCase())
  return nominated
}

/** The trailers of a message without those that a Connection field of its head nominates (RFC 9110 §7.6.1). */
export function withoutNominated(trailers: Fields, head: Fields): Fields {
  if (trailers.length === 0) return trailers
  let nominated: Set<string> | undefined
  for (let at = 0; at < head.length; at += 2)
    if (fieldRole(head[at]!) === 'connection') nominated = nominate(nominated, head[at + 1]!)
  return nominated === undefined ? trailers : withoutNames(trailers, nominated)
}

/** The fields without those of these names, which are in lower case. */
export function withoutNames(fields: Fields, names: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let at = 0; at < fields.length; at += 2)
    if (!names.has(fields[at]!.toLowerCase())) kept.push(fields[at]!, fields[at + 1]!)
  return kept
}
