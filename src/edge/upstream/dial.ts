import { connect, isIP, type OnReadOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { UpstreamAddress } from '../snapshot.ts'

type TlsAddress = Extract<UpstreamAddress, { scheme: 'http' | 'https' }>

/**
 * Opens connections to one upstream. All addresses of a name are tried, the next ones while the first is slow (RFC 8305).
 * With TLS, the upstream must have a certificate of this name that the system trusts.
 */
export class Dialer {
  readonly #upstream: UpstreamAddress
  /** TLS resumes where it left off, with one signature less (RFC 8446 §2.2). */
  #session: Buffer | undefined

  constructor(upstream: UpstreamAddress) {
    this.#upstream = upstream
  }

  /** Begins to connect. What is read goes to `onread`; the end of either side leaves the other open. */
  readonly connect = (onread: OnReadOpts): Socket => {
    const upstream = this.#upstream
    switch (upstream.scheme) {
      case 'http':
        return connect({ host: upstream.host, port: upstream.port, onread, ...SOCKET_OPTIONS })
      case 'unix':
        return connect({ path: upstream.path, onread, ...SOCKET_OPTIONS })
      case 'https':
        return this.#connectTls(upstream, onread)
      default:
        return upstream satisfies never
    }
  }

  #connectTls({ host, port }: TlsAddress, onread: OnReadOpts): Socket {
    const options: ConnectionOptions & { onread: OnReadOpts } = {
      host,
      port,
      // RFC 6066 §3: a server name is no address.
      ...(isIP(host) === 0 && { servername: host }),
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

/** The upstream as the config writes it. */
export function formatUpstream(upstream: UpstreamAddress): string {
  if (upstream.scheme === 'unix') return `unix:${upstream.path}`
  const host = upstream.host.includes(':') ? `[${upstream.host}]` : upstream.host
  return `${upstream.scheme}://${host}:${upstream.port}`
}
