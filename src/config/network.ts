import { isIPv6 } from 'node:net'
import { canonicalIp } from './ip-address.ts'
import { Refusal } from './problem.ts'
import type { TextFormat } from './text-format.ts'

const ALLOWED = 'allowed: a network or an address, such as "10.0.0.0/8", "::1", or unix for peers on Unix sockets'

/** A network of peers (RFC 4632 §3.1, RFC 4291 §2.3), an address, or `unix`. Read as the canonical address and its length. */
export const networkFormat: TextFormat<string> = {
  allowed: ALLOWED,
  schema: { pattern: '^(unix|[0-9a-fA-F:.]+(/\\d{1,3})?)$', examples: ['10.0.0.0/8', '192.0.2.7', 'fd00::/8', 'unix'] },
  read(text) {
    if (text === 'unix') return text
    const [, addressText, digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
    const address = addressText === undefined ? undefined : canonicalIp(addressText)
    if (address === undefined) return new Refusal(ALLOWED)
    if (digits === undefined) return address
    const bits = isIPv6(address) ? 128 : 32
    const length = Number(digits)
    if (length > bits) return new Refusal(ALLOWED, { fault: `whose length is above ${bits}` })
    if (length === 0) return new Refusal(ALLOWED, { fault: 'which is everybody: anyone could claim to be anyone' })
    return `${address}/${length}`
  },
}
