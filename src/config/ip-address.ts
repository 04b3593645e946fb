import { isIP, isIPv6 } from 'node:net'

/** An IP address, IPv6 with or without brackets, in its one canonical form (RFC 5952) and without them. */
export function canonicalIp(text: string): string | undefined {
  const bare = withoutBrackets(text)
  if (isIP(bare) === 0 || bare.includes('%')) return undefined
  if (isIPv6(bare)) return withoutBrackets(new URL(`http://[${bare}]`).hostname)
  return text === bare ? bare : undefined
}

/** `[::1]` → `::1`; everything else as it is. */
export function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
}
