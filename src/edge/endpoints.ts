import type { Socket } from 'node:net'

/** Both ends of a client's connection, as the client knows them. */
export type Endpoints = {
  /** Without brackets; IPv4 as such even on a dual-stack socket; empty on a Unix socket. */
  readonly clientAddress: string
  readonly localAddress: string
  /** The port that the client connected to; undefined on a Unix socket. */
  readonly localPort: number | undefined
}

/** The ends of the connection itself: of a client that connects to us without a proxy in between. */
export function endpointsOf({ remoteAddress, localAddress, localPort }: Socket): Endpoints {
  return { clientAddress: plainAddress(remoteAddress), localAddress: plainAddress(localAddress), localPort }
}

/** An address as people write it: an IPv4 address as such on a dual-stack socket too. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
