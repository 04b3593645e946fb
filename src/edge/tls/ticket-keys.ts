import { createHash, hkdfSync } from 'node:crypto'

/**
 * What all workers derive the keys of session tickets from, the newest first: 32 random bytes each, in base64. Tickets are
 * issued with the first and still taken with the others.
 */
export type TicketSecrets = readonly [newest: string, ...former: string[]]

const NAME_BYTES = 16
/** As node:tls takes them: a name by which a ticket says which keys it was made with, an HMAC key and an AES key. */
const KEYS_BYTES = 48

/**
 * The keys for the tickets of a set of names (RFC 8446 §4.6.1, RFC 5077 §4). Each set has its own, and so has what is asked
 * of clients besides, so that what one site has let in is let into no other: there a ticket is of unknown keys, and the
 * handshake is a full one.
 */
export function deriveTicketKeys(secret: string, names: readonly string[], policy = ''): Buffer {
  const salt = createHash('sha256').update(names.join()).digest()
  return Buffer.from(
    hkdfSync('sha256', Buffer.from(secret, 'base64'), salt, `castellan session tickets${policy}`, KEYS_BYTES),
  )
}

/** The name of keys, in hex, which every ticket begins with. */
export function ticketKeyName(keys: Buffer): string {
  return keys.toString('hex', 0, NAME_BYTES)
}

/** The name of the keys that a ticket was made with, in hex; undefined for one that is too short to be ours. */
export function keyNameOfTicket(ticket: Buffer): string | undefined {
  return ticket.length < NAME_BYTES ? undefined : ticket.toString('hex', 0, NAME_BYTES)
}
