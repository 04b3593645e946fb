import { isIPv4, isIPv6 } from 'node:net'
import type { Endpoints } from '../endpoints.ts'

/** What a PROXY protocol header says (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt). */
export type ProxyHeader = {
  /** Bytes; what follows is the client's. */
  readonly length: number
  /** undefined where the proxy speaks for itself (a health check), or does not know. */
  readonly endpoints: Endpoints | undefined
}

export type ProxyHeaderReading = ProxyHeader | 'incomplete' | { readonly refused: string }

/** §2.1: the longest line of version 1, CRLF included. */
const MAX_V1_BYTES = 107
/** §2.2. No byte of it can begin a TLS record or an HTTP request. */
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED_BYTES = 16
/** Addresses, and what a proxy adds of the client's TLS: its certificate at most. The format itself has room for 64 KiB. */
const MAX_V2_BYTES = 8 * 1024
const V1_START = Buffer.from('PROXY ')

/** Reads a header of either version from the start of what has come. What can be no header is refused at its first byte. */
export function readProxyHeader(bytes: Buffer): ProxyHeaderReading {
  if (bytes.length === 0) return 'incomplete'
  if (beginsWith(bytes, V1_START)) return readV1(bytes)
  if (beginsWith(bytes, V2_SIGNATURE)) return readV2(bytes)
  return refused('there is none')
}

/** As far as both go. */
function beginsWith(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

function refused(reason: string): { refused: string } {
  return { refused: reason }
}

/** §2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443` and CRLF. */
function readV1(bytes: Buffer): ProxyHeaderReading {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf('\r\n')
  if (end < 0) return bytes.length < MAX_V1_BYTES ? 'incomplete' : refused('its line does not end')
  const length = end + 2
  const [, family, source, destination, sourcePort, destinationPort, ...more] = bytes
    .toString('latin1', 0, end)
    .split(' ')
  if (family === 'UNKNOWN') return { length, endpoints: undefined }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  if (isAddress === undefined) return refused('it is of an unknown protocol')
  if (more.length > 0 || !isAddress(source ?? '') || !isAddress(destination ?? ''))
    return refused('its addresses are none')
  const [clientPort, localPort] = [parsePort(sourcePort), parsePort(destinationPort)]
  if (clientPort === undefined || localPort === undefined) return refused('its ports are none')
  return { length, endpoints: { clientAddress: source!, clientPort, localAddress: destination!, localPort } }
}

/** Decimal, without leading zeros. */
function parsePort(digits: string | undefined): number | undefined {
  if (digits === undefined || !/^(0|[1-9]\d{0,4})$/.test(digits)) return undefined
  const port = Number(digits)
  return port <= 0xffff ? port : undefined
}

const Command = { local: 0x20, proxy: 0x21 } as const
/** Transport of §2.2, and the bytes of its two addresses and two ports. */
const Family = { unspecified: 0x00, tcp4: 0x11, tcp6: 0x21, unixStream: 0x31 } as const
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [Family.unspecified, 0],
  [Family.tcp4, 12],
  [Family.tcp6, 36],
  [Family.unixStream, 216],
])

/** §2.2: signature, version and command, family, length; addresses; type-length-values. */
function readV2(bytes: Buffer): ProxyHeaderReading {
  if (bytes.length < V2_FIXED_BYTES) return 'incomplete'
  const command = bytes[12]!
  const family = bytes[13]!
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14)
  if (command !== Command.local && command !== Command.proxy) return refused('its version or command is unknown')
  const addressBytes = ADDRESS_BYTES.get(family)
  // §2.2: LOCAL is to be taken whatever its family.
  if (addressBytes === undefined && command !== Command.local) return refused('it is of an unknown protocol')
  if (length > MAX_V2_BYTES) return refused(`it is longer than ${MAX_V2_BYTES} bytes`)
  if (bytes.length < length) return 'incomplete'
  if (command === Command.local) return { length, endpoints: undefined }
  const content = bytes.subarray(V2_FIXED_BYTES, length)
  if (content.length < addressBytes! || !areWhole(content.subarray(addressBytes)))
    return refused('a length does not fit')
  return { length, endpoints: addressesOf(content, family) }
}

/** §2.2.1 ff.: what they say is not asked for here, but one that reaches beyond the header is a header that lies. */
function areWhole(values: Buffer): boolean {
  let at = 0
  while (at + 3 <= values.length) at += 3 + values.readUInt16BE(at + 1)
  return at === values.length
}

function addressesOf(content: Buffer, family: number): Endpoints | undefined {
  if (family === Family.tcp4)
    return {
      clientAddress: content.subarray(0, 4).join('.'),
      clientPort: content.readUInt16BE(8),
      localAddress: content.subarray(4, 8).join('.'),
      localPort: content.readUInt16BE(10),
    }
  if (family === Family.tcp6)
    return {
      clientAddress: ipv6(content.subarray(0, 16)),
      clientPort: content.readUInt16BE(32),
      localAddress: ipv6(content.subarray(16, 32)),
      localPort: content.readUInt16BE(34),
    }
  return undefined
}

/** RFC 5952; an IPv4 address that is written as IPv6 as such. */
function ipv6(bytes: Buffer): string {
  if (bytes.readUIntBE(0, 6) === 0 && bytes.readUIntBE(6, 6) === 0xffff) return bytes.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
