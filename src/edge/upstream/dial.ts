import { connect, isIP, type OnReadOpts, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls'
import type { UpstreamAddress, UpstreamSnapshot } from '../snapshot.ts'
import type { TrustContexts } from './trust.ts'

type HostAddress = Exclude<UpstreamAddress, { scheme: 'unix' }>

/**
 * Opens connections to one upstream. All addresses of a name are tried, the next ones while the first is slow (RFC 8305).
 * With TLS, the upstream must have a certificate of the right name that somebody trusted has signed.
 */
export class Dialer {
  readonly #upstream: UpstreamSnapshot
  readonly #trust: TrustContexts
  /** TLS resumes where it left off, with one signature less (RFC 8446 §2.2). */
  #session: Buffer | undefined

  constructor(upstream: UpstreamSnapshot, trust: TrustContexts) {
    this.#upstream = upstream
    this.#trust = trust
  }

  /** Begins to connect. What is read goes to `onread`; the end of either side leaves the other open. */
  readonly connect = (onread: OnReadOpts): Socket => {
    const { address } = this.#upstream
    switch (address.scheme) {
      case 'http':
        return connect({ host: address.host, port: address.port, onread, ...SOCKET_OPTIONS })
      case 'unix':
        return connect({ path: address.path, onread, ...SOCKET_OPTIONS })
      case 'https':
        return this.#connectTls(address, onread)
      default:
        return address satisfies never
    }
  }

  #connectTls({ host, port }: HostAddress, onread: OnReadOpts): Socket {
    const { tls } = this.#upstream
    const serverName = tls.serverName ?? host
    const options: ConnectionOptions & { onread: OnReadOpts } = {
      host,
      port,
      // RFC 6066 §3: a server name is no address.
      ...(isIP(serverName) === 0 && { servername: serverName }),
      secureContext: this.#trust.get(tls.trust),
      rejectUnauthorized: tls.verify,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
      ...(this.#session !== undefined && { session: this.#session }),
      ALPNProtocols: ['http/1.1'],
      onread,
      ...SOCKET_OPTIONS,
    }
    const socket = connectTls(options)
    socket.setNoDelay(true)
    socket.on('session', (session) => {
      this.#session = session
    })
    socket.once('error', () => {
      this.#session = undefined
    })
    return socket
  }
}

const SOCKET_OPTIONS = { noDelay: true, allowHalfOpen: true }
