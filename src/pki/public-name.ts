import { BlockList, isIP } from 'node:net'

/**
 * Top-level names that no public CA certifies, because nobody can own a name below them: RFC 6761 and 6762, 8375,
 * ICANN's `.internal` (2024), and those that ICANN set aside for good because private networks use them.
 */
const PRIVATE_SUFFIXES = [
  'localhost',
  'test',
  'example',
  'invalid',
  'local',
  'internal',
  'home.arpa',
  'lan',
  'home',
  'corp',
  'mail',
  'intranet',
  'private',
]

/** IANA's special-purpose address registries, as far as they are not globally reachable (RFC 6890). */
const privateAddresses = new BlockList()
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  privateAddresses.addSubnet(address, prefix, 'ipv4')
for (const [address, prefix] of [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001:db8::', 32],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  privateAddresses.addSubnet(address, prefix, 'ipv6')

/**
 * Whether a public CA could certify this name at all (CA/Browser Forum Baseline Requirements §4.2.2: no internal names,
 * no reserved addresses). Takes a name in lower-case ASCII, with or without `*.`, or an IP address without brackets.
 */
export function isPublicName(name: string): boolean {
  const family = isIP(name)
  if (family !== 0) return !privateAddresses.check(name, family === 4 ? 'ipv4' : 'ipv6')
  const bare = name.startsWith('*.') ? name.slice(2) : name
  if (!bare.includes('.')) return false
  return !PRIVATE_SUFFIXES.some((suffix) => bare === suffix || bare.endsWith(`.${suffix}`))
}
