import { isIPv6 } from 'node:net'

const GROUPS = 8

/**
 * What one holder has of addresses: an IPv4 address, and of an IPv6 address its network of 64 bits (RFC 6177), written
 * `2001:db8:0:1::/64`. Anything else is given back as it is.
 */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const before = groupsOf(head)
  const after = tail === undefined ? [] : groupsOf(tail)
  const missing = tail === undefined ? 0 : Math.max(0, GROUPS - before.length - after.length)
  const groups = [...before, ...Array<string>(missing).fill('0'), ...after].slice(0, GROUPS / 2)
  const network = groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':')
  return `${network.replace(/(?:^|:)0(?::0)*$/, '')}::/64`
}

/** A dotted end stands for two groups; it lies beyond the network unless all before it is left out. */
function groupsOf(part: string): string[] {
  if (part === '') return []
  return part.split(':').flatMap((group) => (group.includes('.') ? ['0', '0'] : [group]))
}
