import { isIP, isIPv4 } from 'node:net'
import type { Endpoints } from '../endpoints.ts'

/** The forms of the header (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, §2.1 and §2.2). */
export type ProxyHeaderVersion = 'v1' | 'v2'

const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_PROXY = 0x21
const Family = { unspecified: 0x00, tcp4: 0x11, tcp6: 0x21 } as const

/** What goes in front of everything else on a connection that is made for this client: who it is, as far as is known. */
export function formatProxyHeader(version: ProxyHeaderVersion, endpoints: Endpoints): Buffer {
  const ends = endsOf(endpoints)
  return version === 'v1' ? formatV1(ends) : formatV2(ends)
}

/** Both ends in one family; `family` 0 where one is unknown, as on a Unix socket. */
type Ends = {
  readonly family: 0 | 4 | 6
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly destinationPort: number
}

function endsOf({ clientAddress, clientPort = 0, localAddress, localPort = 0 }: Endpoints): Ends {
  // Zones mean nothing on another machine.
  const [source, destination] = [clientAddress, localAddress].map((address) => address.replace(/%.*$/, '')) as [
    string,
    string,
  ]
  const ports = { sourcePort: clientPort, destinationPort: localPort }
  const [one, other] = [isIP(source), isIP(destination)]
  if (one === 0 || other === 0) return { family: 0, source, destination, ...ports }
  if (one === 4 && other === 4) return { family: 4, source, destination, ...ports }
  return { family: 6, source: asIpv6(source), destination: asIpv6(destination), ...ports }
}

/** RFC 4291 §2.5.5.2. Both have one family, but a client that a trusted proxy names need not have that of the connection. */
function asIpv6(address: string): string {
  return isIPv4(address) ? `::ffff:${address}` : address
}

function formatV1({ family, source, destination, sourcePort, destinationPort }: Ends): Buffer {
  if (family === 0) return Buffer.from('PROXY UNKNOWN\r\n')
  return Buffer.from(`PROXY TCP${family} ${source} ${destination} ${sourcePort} ${destinationPort}\r\n`)
}

function formatV2({ family, source, destination, sourcePort, destinationPort }: Ends): Buffer {
  if (family === 0) return Buffer.concat([V2_SIGNATURE, Buffer.from([V2_PROXY, Family.unspecified, 0, 0])])
  const octets = family === 4 ? ipv4Octets : ipv6Octets
  const addresses = [...octets(source), ...octets(destination)]
  const head = [V2_PROXY, family === 4 ? Family.tcp4 : Family.tcp6, 0, addresses.length + 4]
  return Buffer.concat([
    V2_SIGNATURE,
    Buffer.from([...head, ...addresses, ...uint16(sourcePort), ...uint16(destinationPort)]),
  ])
}

function ipv4Octets(address: string): number[] {
  return address.split('.').map(Number)
}

/** Out of any form (RFC 4291 §2.2): a URL has it in groups alone. */
function ipv6Octets(address: string): number[] {
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [before = '', after] = canonical.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  return [...head, ...zeros, ...tail].flatMap((group) => uint16(Number.parseInt(group, 16)))
}

function uint16(value: number): [number, number] {
  return [value >> 8, value & 0xff]
}
