import type { Socket } from 'node:net'

/** Both ends of a client's connection, as the client knows them. */
export type Endpoints = {
  /** Without brackets; IPv4 as such even on a dual-stack socket; empty on a Unix socket. */
  readonly clientAddress: string
  /** undefined on a Unix socket. */
  readonly clientPort: number | undefined
  readonly localAddress: string
  /** The port that the client connected to; undefined on a Unix socket. */
  readonly localPort: number | undefined
}

/** The ends of the connection itself: of a client that connects to us without a proxy in between. */
export function endpointsOf(socket: Socket): Endpoints {
  return new SocketEndpoints(socket)
}

/** Our own end is asked of the system only where it matters: that is a system call, and most requests need no answer. */
class SocketEndpoints implements Endpoints {
  readonly clientAddress: string
  readonly clientPort: number | undefined
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.clientAddress = plainAddress(socket.remoteAddress)
    this.clientPort = socket.remotePort
    this.#socket = socket
  }

  get localAddress(): string {
    return plainAddress(this.#socket.localAddress)
  }

  get localPort(): number | undefined {
    return this.#socket.localPort
  }
}

/** An address as people write it: an IPv4 address as such on a dual-stack socket too. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') ? address.slice(7) : address
}
