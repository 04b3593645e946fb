import { isIP } from 'node:net'
import { Alert } from './alert.ts'
import { ByteCursor, TruncatedError } from './byte-cursor.ts'

/** RFC 8446 §4.2.1. */
export const TLS_1_3 = 0x0304
/** RFC 5246 §7.4.1.2. */
export const TLS_1_2 = 0x0303

/** What a client asks for and can do (RFC 8446 §4.1.2), as far as it decides which certificate it gets. */
export type ClientHello = {
  /** Lower case, without trailing dot; undefined if the client names no server. */
  readonly serverName: string | undefined
  /** The versions it speaks, TLS_1_3 and TLS_1_2 among them or not. */
  readonly versions: readonly number[]
  readonly cipherSuites: readonly number[]
  /** undefined: it did not say. */
  readonly signatureAlgorithms: readonly number[] | undefined
  /** undefined: it did not say. */
  readonly supportedGroups: readonly number[] | undefined
  /** The protocols that it offers by ALPN (RFC 7301); empty if it offers none. */
  readonly protocols: readonly string[]
  /** It wants to see the certificate's OCSP response (RFC 6066 §8). */
  readonly wantsStaple: boolean
  /** The session ticket with which it would resume: of TLS 1.3 the first of its identities (RFC 8446 §4.2.11). */
  readonly ticket: Buffer | undefined
}

/** A ClientHello that is none: what the client is told, and why, in words for the log. */
export type HelloRefusal = { readonly alert: Alert; readonly reason: string }

class RefusedError extends Error {
  readonly alert: Alert
  constructor(alert: Alert, reason: string) {
    super(reason)
    this.alert = alert
  }
}

/** IANA's TLS ExtensionType values. */
const Extension = {
  serverName: 0,
  statusRequest: 5,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  applicationProtocols: 16,
  sessionTicket: 35,
  preSharedKey: 41,
  supportedVersions: 43,
} as const

/** Reads the body of a ClientHello message, without its type and length. */
export function parseClientHello(body: Buffer): ClientHello | HelloRefusal {
  try {
    return readHello(new ByteCursor(body))
  } catch (error) {
    if (error instanceof TruncatedError) return { alert: Alert.decodeError, reason: 'a length in it does not fit' }
    if (error instanceof RefusedError) return { alert: error.alert, reason: error.message }
    throw error
  }
}

export function isRefusal(result: ClientHello | HelloRefusal): result is HelloRefusal {
  return 'alert' in result
}

function readHello(cursor: ByteCursor): ClientHello {
  const legacyVersion = cursor.uint16()
  cursor.bytes(32)
  if (cursor.bytes(cursor.uint8()).length > 32) throw new RefusedError(Alert.decodeError, 'its session id is too long')
  const cipherSuites = cursor.vector16().uint16s()
  if (cipherSuites.length === 0) throw new RefusedError(Alert.decodeError, 'it offers no cipher suite')
  if (cursor.vector8().isAtEnd) throw new RefusedError(Alert.decodeError, 'it offers no compression method')
  const extensions = cursor.isAtEnd ? new Map<number, ByteCursor>() : readExtensions(cursor.vector16())
  cursor.expectEnd()
  return {
    serverName: readServerName(extensions.get(Extension.serverName)),
    versions: readVersions(extensions.get(Extension.supportedVersions), legacyVersion),
    cipherSuites,
    signatureAlgorithms: readUint16List(extensions.get(Extension.signatureAlgorithms)),
    supportedGroups: readUint16List(extensions.get(Extension.supportedGroups)),
    protocols: readProtocols(extensions.get(Extension.applicationProtocols)),
    wantsStaple: readStatusRequest(extensions.get(Extension.statusRequest)),
    ticket: readIdentity(extensions.get(Extension.preSharedKey)) ?? readTicket(extensions.get(Extension.sessionTicket)),
  }
}

/** RFC 8446 §4.2: no type twice. */
function readExtensions(cursor: ByteCursor): Map<number, ByteCursor> {
  const extensions = new Map<number, ByteCursor>()
  while (!cursor.isAtEnd) {
    const type = cursor.uint16()
    if (extensions.has(type)) throw new RefusedError(Alert.illegalParameter, `extension ${type} is there twice`)
    extensions.set(type, cursor.vector16())
  }
  return extensions
}

const HOST_NAME = 0
/** RFC 1035 §2.3.4, and one for a trailing dot. */
const MAX_NAME_BYTES = 254
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/

/** RFC 6066 §3: a list with one host_name, and neither an address nor anything else that is no DNS name in ASCII. */
function readServerName(cursor: ByteCursor | undefined): string | undefined {
  if (cursor === undefined) return undefined
  const list = cursor.vector16()
  cursor.expectEnd()
  const type = list.uint8()
  const bytes = list.bytes(list.uint16())
  if (type !== HOST_NAME) throw new RefusedError(Alert.illegalParameter, 'its server name is of an unknown type')
  if (!list.isAtEnd) throw new RefusedError(Alert.illegalParameter, 'it names more than one server')
  if (bytes.length > MAX_NAME_BYTES) throw new RefusedError(Alert.illegalParameter, 'its server name is too long')
  const name = bytes.toString('latin1').toLowerCase().replace(/\.$/, '')
  if (!DNS_NAME.test(name) || isIP(name) !== 0)
    throw new RefusedError(Alert.illegalParameter, 'its server name is no DNS name')
  return name
}

/** RFC 8446 §4.2.1: without the extension, the legacy version is the highest it speaks, and never above TLS 1.2. */
function readVersions(cursor: ByteCursor | undefined, legacyVersion: number): number[] {
  if (cursor === undefined) return [Math.min(legacyVersion, TLS_1_2)]
  return readNumbers(cursor, cursor.vector8())
}

function readUint16List(cursor: ByteCursor | undefined): number[] | undefined {
  return cursor && readNumbers(cursor, cursor.vector16())
}

/** An extension that is one list of numbers; none of these lists may be empty. */
function readNumbers(extension: ByteCursor, list: ByteCursor): number[] {
  extension.expectEnd()
  const numbers = list.uint16s()
  if (numbers.length === 0) throw new RefusedError(Alert.decodeError, 'a list in it is empty')
  return numbers
}

function readProtocols(cursor: ByteCursor | undefined): string[] {
  if (cursor === undefined) return []
  const list = cursor.vector16()
  cursor.expectEnd()
  const protocols: string[] = []
  while (!list.isAtEnd) {
    const protocol = list.bytes(list.uint8())
    if (protocol.length === 0) throw new RefusedError(Alert.decodeError, 'it offers a protocol without a name')
    protocols.push(protocol.toString('latin1'))
  }
  if (protocols.length === 0) throw new RefusedError(Alert.decodeError, 'its list of protocols is empty')
  return protocols
}

const OCSP = 1

/** RFC 6066 §8: whose responses it trusts and further wishes follow, and may be empty. */
function readStatusRequest(cursor: ByteCursor | undefined): boolean {
  if (cursor === undefined || cursor.uint8() !== OCSP) return false
  cursor.vector16()
  cursor.vector16()
  cursor.expectEnd()
  return true
}

/** RFC 8446 §4.2.11: identities with their ages, then as many binders, which OpenSSL looks at. */
function readIdentity(cursor: ByteCursor | undefined): Buffer | undefined {
  if (cursor === undefined) return undefined
  const identities = cursor.vector16()
  return Buffer.from(identities.bytes(identities.uint16()))
}

/** RFC 5077 §3.2: empty where the client has none yet. */
function readTicket(cursor: ByteCursor | undefined): Buffer | undefined {
  const ticket = cursor?.rest()
  return ticket === undefined || ticket.length === 0 ? undefined : Buffer.from(ticket)
}
