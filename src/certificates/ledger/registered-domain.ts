import { isIP } from 'node:net'
import { getDomain } from 'tldts'
import { networkOf } from './address-network.ts'

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
    case 6:
      return networkOf(name)
    default: {
      const bare = name.startsWith('*.') ? name.slice(2) : name
      return getDomain(bare, READING) ?? bare
    }
  }
}
