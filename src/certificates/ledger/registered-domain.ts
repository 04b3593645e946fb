import { isIP } from 'node:net'
import { getDomain } from 'tldts'

/** As Boulder reads the public suffix list: with the suffixes that private owners gave to it, such as github.io. */
const READING = { allowPrivateDomains: true, extractHostname: false, validateHostname: false, detectIp: false }

/**
 * What a CA counts certificates of a name under: the part that was registered, by the public suffix list; a public suffix
 * itself; an IPv4 address; of an IPv6 address, its network of 64 bits. Takes a name in lower-case ASCII, with or without
 * `*.`, or an IP address without brackets.
 */
export function registeredDomain(name: string): string {
  switch (isIP(name)) {
    case 4:
      return name
    case 6:
      return networkOf(name)
    default: {
      const bare = name.startsWith('*.') ? name.slice(2) : name
      return getDomain(bare, READING) ?? bare
    }
  }
}

const GROUPS = 8

/** `2001:db8:0:1::/64` */
function networkOf(address: string): string {
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
