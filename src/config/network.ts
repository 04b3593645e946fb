import { isIPv6 } from 'node:net'
import { canonicalIp } from './ip-address.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const ALLOWED = 'allowed: a network or an address, such as "10.0.0.0/8", "::1", or unix for peers on Unix sockets'

const SCHEMA = {
  pattern: '^(unix|[0-9a-fA-F:.]+(/\\d{1,3})?)$',
  examples: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', 'unix'],
}

/** Networks of peers that are believed. */
export const networkFormat = networkFormatBut('which is everybody: anyone could claim to be anyone')

/** Networks of clients that are served or not. */
export const clientNetworkFormat = networkFormatBut(
  'which is everybody: say off instead',
  ALLOWED.replace('allowed:', 'allowed: off,'),
)

/**
 * A network (RFC 4632 §3.1, RFC 4291 §2.3), an address, or `unix`. Read as the canonical address and its length; `everybody`
 * is what is wrong with a length of 0.
 */
function networkFormatBut(everybody: string, allowed = ALLOWED): TextFormat<string> {
  return { allowed, schema: SCHEMA, read: (text) => readNetwork(text, everybody) }
}

function readNetwork(text: string, everybody: string): string | Refusal {
  if (text === 'unix') return text
  const [, addressText, digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = addressText === undefined ? undefined : canonicalIp(addressText)
  if (address === undefined) return new Refusal(ALLOWED)
  if (digits === undefined) return address
  const bits = isIPv6(address) ? 128 : 32
  const length = Number(digits)
  if (length > bits) return new Refusal(ALLOWED, { fault: `whose length is above ${bits}` })
  if (length === 0) return new Refusal(ALLOWED, { fault: everybody })
  return `${address}/${length}`
}
