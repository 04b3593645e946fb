import { randomBytes } from 'node:crypto'
import type { Fields } from '../exchange/exchange.ts'
import { fieldValue } from '../fields.ts'

/** RFC 6455 §4.1. */
const KEY_BYTES = 16

/**
 * The field that a handshake for WebSocket lacks in HTTP/1.1 when its client spoke HTTP/2, where nothing stands in its place
 * (RFC 8441 §5); empty for any other upgrade, and for a client that sent its own.
 */
export function missingHandshakeField(fields: Fields, upgrade: string): string {
  if (upgrade.toLowerCase() !== 'websocket' || fieldValue(fields, 'sec-websocket-key') !== undefined) return ''
  return `Sec-WebSocket-Key: ${randomBytes(KEY_BYTES).toString('base64')}\r\n`
}
