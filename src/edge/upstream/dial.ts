import { connect, isIP, type LookupFunction, type OnReadOpts, type Socket } from 'node:net'
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls'
import { CastellanError } from '../../errors.ts'
import type { UpstreamAddress, UpstreamSnapshot } from '../snapshot.ts'
import type { TrustContexts } from './trust.ts'

type HostAddress = Exclude<UpstreamAddress, { scheme: 'unix' }>

/**
 * Opens connections to one upstream. All addresses of a name are tried in turn, of both families, and
 * none is waited for longer than a moment while there are others (RFC 8305).
 * With TLS, the upstream must have a certificate of the right name that somebody trusted has signed.
 */
export class Dialer {
  readonly #upstream: UpstreamSnapshot
  readonly #trust: TrustContexts
  readonly #socketOptions: typeof SOCKET_OPTIONS & { readonly lookup: LookupFunction }
  /** TLS resumes where it left off, with one signature less (RFC 8446 §2.2). */
  #session: Buffer | undefined

  /** `lookup` resolves its name, for each connection anew. */
  constructor(upstream: UpstreamSnapshot, trust: TrustContexts, lookup: LookupFunction) {
    this.#upstream = upstream
    this.#trust = trust
    this.#socketOptions = { ...SOCKET_OPTIONS, lookup }
  }

  /** Begins to connect. What is read goes to `onread`, if it is given; the end of either side leaves the other open. */
  readonly connect = (onread?: OnReadOpts): Socket => {
    const { address } = this.#upstream
    const options = { ...this.#socketOptions, ...(onread && { onread }) }
    switch (address.scheme) {
      case 'http':
      case 'h2c':
        return connect({ host: address.host, port: address.port, ...options })
      case 'unix':
        return connect({ path: address.path, ...options })
      case 'https':
      case 'h2':
        return this.#connectTls(address, options)
      default:
        return address satisfies never
    }
  }

  #connectTls({ scheme, host, port }: HostAddress, socketOptions: object): Socket {
    const { tls } = this.#upstream
    const serverName = tls.serverName ?? host
    const options: ConnectionOptions = {
      ...socketOptions,
      host,
      port,
      // RFC 6066 §3: a server name is no address.
      ...(isIP(serverName) === 0 && { servername: serverName }),
      secureContext: this.#trust.get(tls.trust),
      rejectUnauthorized: tls.verify,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
      ...(this.#session !== undefined && { session: this.#session }),
      ALPNProtocols: [scheme === 'h2' ? 'h2' : 'http/1.1'],
    }
    const socket = connectTls(options)
    socket.setNoDelay(true)
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

/** TLS with the upstream works, and HTTP/2 is not spoken over it. */
export class Http2NotOfferedError extends CastellanError {
  constructor() {
    super('http2-not-offered', 'it does not offer HTTP/2')
  }
}

const SOCKET_OPTIONS = {
  noDelay: true,
  allowHalfOpen: true,
  autoSelectFamily: true,
  // RFC 8305 §8 recommends 250 ms, which connectMs has room for with some addresses.
  autoSelectFamilyAttemptTimeout: 250,
}
