import { isIPv4 } from 'node:net'

const GROUPS = 8

/**
 * The name under which the DNS keeps an IP address (RFC 1035 §3.5, RFC 3596 §2.5), without a trailing dot. Takes an IPv4
 * address, or an IPv6 address in canonical form (RFC 5952).
 */
export function reverseName(address: string): string {
  if (isIPv4(address)) return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  const [head = [], tail = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''))
  const zeros = Array.from({ length: GROUPS - head.length - tail.length }, () => '0')
  const nibbles = [...head, ...zeros, ...tail].map((group) => group.padStart(4, '0')).join('')
  return `${[...nibbles].reverse().join('.')}.ip6.arpa`
}
