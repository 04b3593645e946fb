import { connect, isIP, type LookupFunction, type OnReadOpts, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { CastellanError } from '../../errors.ts'
import { tls } from '../../system/tls.ts'
import type { PeerSnapshot, UpstreamAddress } from '../snapshot.ts'
import type { TrustContexts } from './trust.ts'

type HostAddress = Exclude<UpstreamAddress, { scheme: 'unix' }>

/**
 * Without a word from the upstream, its system is asked whether it still knows the connection. A reset is sent once and may
 * be lost, and so may a machine: who only reads would not learn of it before `timeouts.idle` ends, of a tunnel not for an
 * hour. As in Go.
 */
const KEEP_ALIVE_MS = 15_000

const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_MS,
  allowHalfOpen: true,
  autoSelectFamily: true,
  // RFC 8305 §8 recommends 250 ms, which connectMs has room for with some addresses.
  autoSelectFamilyAttemptTimeout: 250,
}

/** How a connection is opened besides what the upstream's settings say. */
export type DialOptions = {
  /** Where to read to; by `data` events unless given. */
  readonly onread?: OnReadOpts | undefined
  /** A PROXY protocol header, which goes before everything else. */
  readonly header?: Buffer | undefined
}

/** TLS with the upstream works, and HTTP/2 is not spoken over it. */
export class Http2NotOfferedError extends CastellanError {
  constructor() {
    super('http2-not-offered', 'it does not offer HTTP/2')
  }
}

/**
 * Opens connections to one upstream. All addresses of a name are tried in turn, of both families, and none is waited for
 * longer than a moment while there are others (RFC 8305). With TLS, the upstream must have a certificate of the right name
 * that somebody trusted has signed.
 */
export class Dialer {
  readonly #upstream: PeerSnapshot
  readonly #trust: TrustContexts
  readonly #lookup: LookupFunction
  /** TLS resumes where it left off, with one signature less (RFC 8446 §2.2). */
  #session: Buffer | undefined

  /** `lookup` resolves its name, for each connection anew. */
  constructor(upstream: PeerSnapshot, trust: TrustContexts, lookup: LookupFunction) {
    this.#upstream = upstream
    this.#trust = trust
    this.#lookup = lookup
  }

  /** Begins to connect. The end of either side leaves the other open. */
  readonly dial = ({ onread, header }: DialOptions): Socket => {
    const { address } = this.#upstream
    if (address.scheme === 'https' || address.scheme === 'h2')
      return header === undefined
        ? this.#connectTls(address, { ...this.#tcp(address), ...(onread && { onread }) })
        : this.#connectTlsAfter(header, address, onread)
    const options = { ...SOCKET_OPTIONS, ...(onread && { onread }) }
    const socket =
      address.scheme === 'unix'
        ? connect({ path: address.path, ...options })
        : connect({ ...this.#tcp(address), ...options })
    // It waits for the connection, and whatever is written later waits behind it.
    if (header !== undefined) socket.write(header)
    return socket
  }

  #tcp({ host, port }: HostAddress): TcpNetConnectOpts {
    return { host, port, lookup: this.#lookup, ...SOCKET_OPTIONS }
  }

  /** The header goes in clear text, in front of the handshake. */
  #connectTlsAfter(header: Buffer, address: HostAddress, onread: OnReadOpts | undefined): Socket {
    const carrier = connect(this.#tcp(address))
    carrier.write(header)
    const socket = this.#connectTls(address, { socket: carrier })
    carrier.on('error', (error) => socket.destroy(error))
    if (onread !== undefined) readInto(socket, onread)
    return socket
  }

  #connectTls({ scheme, host }: HostAddress, connection: object): Socket {
    const { trust, serverName: name, verify } = this.#upstream.tls
    const serverName = name ?? host
    const options: ConnectionOptions = {
      ...connection,
      // RFC 6066 §3: a server name is no address.
      ...(isIP(serverName) === 0 && { servername: serverName }),
      secureContext: this.#trust.get(trust),
      rejectUnauthorized: verify,
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(serverName, certificate),
      ...(this.#session !== undefined && { session: this.#session }),
      ALPNProtocols: [scheme === 'h2' ? 'h2' : 'http/1.1'],
    }
    const socket = tls.connect(options)
    socket.setNoDelay(true)
    // Node has forgotten the time by then if it is told before.
    socket.once('connect', () => socket.setKeepAlive(true, KEEP_ALIVE_MS))
    socket.on('session', (session) => {
      this.#session = session
    })
    socket.once('error', () => {
      this.#session = undefined
    })
    // RFC 9113 §3.2. Most servers that lack it do not answer to ALPN at all.
    if (scheme === 'h2')
      socket.once('secureConnect', () => {
        if (socket.alpnProtocol !== 'h2') socket.destroy(new Http2NotOfferedError())
      })
    return socket
  }
}

/** What Node does itself for `onread`, but not for TLS on a socket that was there before. */
function readInto(socket: Socket, { buffer, callback }: OnReadOpts): void {
  socket.on('data', (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) {
      const room = typeof buffer === 'function' ? buffer() : buffer
      const length = Math.min(room.length, bytes.length - at)
      room.set(bytes.subarray(at, at + length))
      at += length
      if (!callback(length, room)) socket.pause()
    }
  })
}
