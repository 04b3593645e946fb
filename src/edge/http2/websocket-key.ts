import { randomBytes } from 'node:crypto'

/** RFC 6455 §4.1. */
const KEY_BYTES = 16

/**
 * What a handshake for WebSocket has in HTTP/1.1, and a client of HTTP/2 has no use for (RFC 8441 §5): the exchange speaks of
 * the request as HTTP/1.1 would, and who writes HTTP/2 again leaves it out.
 */
export function addWebSocketKey(fields: string[]): void {
  for (let at = 0; at < fields.length; at += 2) if (fields[at] === 'sec-websocket-key') return
  fields.push('sec-websocket-key', randomBytes(KEY_BYTES).toString('base64'))
}
