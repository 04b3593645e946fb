import { createHash } from 'node:crypto'
import type { Fields, RequestHead } from '../exchange/exchange.ts'
import { fieldValue } from '../fields.ts'
import type { UpstreamLine } from './pool.ts'

const WEBSOCKET = 'websocket'

/** RFC 6455 §1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY_BYTES = 16

/** What a server answers to a key, to prove that it speaks of WebSockets and is no cache (RFC 6455 §4.2.2). */
export function acceptFor(key: string): string {
  return createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64')
}

/** Whether these are the fields of a server that has seen our key. */
export function isAccepted(fields: Fields, key: string): boolean {
  return fieldValue(fields, 'sec-websocket-accept') === acceptFor(key)
}

/** Asks by this key, whatever a client has sent that has no use for one. */
export function setKey(fields: string[], key: string): void {
  for (let at = fields.length - 2; at >= 0; at -= 2)
    if (fields[at]!.toLowerCase() === 'sec-websocket-key') fields.splice(at, 2)
  fields.push('Sec-WebSocket-Key', key)
}

/**
 * The handshake of a WebSocket whose two sides speak different versions of HTTP: over HTTP/1.1 it has a key and an answer
 * to it, over HTTP/2 neither (RFC 8441 §5), so we are the client or the server of that part.
 */
export type WebSocketHandshake =
  /** We ask by this key. */
  | { readonly towards: 'upstream'; readonly key: string }
  /** We answer with this, if the client had a key. */
  | { readonly towards: 'client'; readonly accept: string | undefined }

/** What of the handshake is ours to do; undefined if nothing is. */
export function handshakeOf(
  { version, upgrade, fields }: Pick<RequestHead, 'version' | 'upgrade' | 'fields'>,
  httpVersion: UpstreamLine['httpVersion'],
  randomBytes: (size: number) => Buffer,
): WebSocketHandshake | undefined {
  const isClientOf2 = version === '2'
  if (upgrade === undefined || isClientOf2 === (httpVersion === '2')) return undefined
  if (oneProtocol(upgrade) !== WEBSOCKET) return undefined
  if (isClientOf2) return { towards: 'upstream', key: randomBytes(KEY_BYTES).toString('base64') }
  const key = fieldValue(fields, 'sec-websocket-key')
  return { towards: 'client', accept: key === undefined ? undefined : acceptFor(key) }
}

/** HTTP/2 asks for one protocol (RFC 8441 §4) where HTTP/1.1 may offer several: WebSocket if it is among them. */
export function oneProtocol(offered: string): string {
  const protocols = offered.split(',').map((protocol) => protocol.trim())
  const found = protocols.find((protocol) => protocol.toLowerCase() === WEBSOCKET)
  return found === undefined ? protocols[0]! : WEBSOCKET
}
