import type { Fields } from '../exchange/exchange.ts'
import { type FieldRole, fieldRole, keepFields } from '../fields.ts'

/** The fields of a response that the client gets: all but those that are about the connection and the framing. */
export function responseFields(fields: Fields): string[] {
  return keepFields(fields, isPassedOn)
}

function isPassedOn(role: FieldRole): boolean {
  return (
    role === 'end-to-end' ||
    role === 'date' ||
    role === 'forwarding' ||
    role === 'expect' ||
    role === 'host' ||
    role === 'request-id'
  )
}

/** RFC 9110 §6.6.1: who passes a response on that has no date gives it one. */
export function isDated(fields: Fields): boolean {
  for (let at = 0; at < fields.length; at += 2) if (fieldRole(fields[at]!) === 'date') return true
  return false
}

/** What a 426 would serve, which only HTTP/1.1 has a field for (RFC 9110 §15.5.22). */
export function upgradeFields(fields: Fields): Fields {
  return fields.filter((_, at) => fieldRole(fields[at - (at % 2)]!) === 'upgrade')
}

/** The one protocol that a 101 chose of those that were offered; undefined if it named another (RFC 9110 §7.8). */
export function chosenProtocol(fields: Fields, offered: string): string | undefined {
  const offers = offered.split(',').map((protocol) => protocol.trim().toLowerCase())
  const named = fields.filter((_, at) => at % 2 === 1 && fieldRole(fields[at - 1]!) === 'upgrade')
  const [chosen] = named
  return named.length === 1 && offers.includes(chosen!.toLowerCase()) ? chosen : undefined
}
