import type { TLSSocket } from 'node:tls'

/** How TLS was established with a client, for the access log. To ask OpenSSL takes some microseconds a connection. */
export class TlsFacts {
  /** `TLSv1.3`. */
  readonly version: string
  /** Its name in the IANA registry: `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string
  /** By a session ticket, without a signature. */
  readonly isResumed: boolean
  #handshakeMs: number | undefined

  /** `socket` is one whose handshake has just ended; `handshakeMs` is how long that took. */
  constructor(socket: Pick<TLSSocket, 'getProtocol' | 'getCipher' | 'isSessionReused'>, handshakeMs: number) {
    this.version = socket.getProtocol() ?? 'unknown'
    this.cipher = socket.getCipher().standardName
    this.isResumed = socket.isSessionReused()
    this.#handshakeMs = handshakeMs
  }

  /** How long the handshake took, given once: only one request of the connection had to wait for it. */
  takeHandshakeMs(): number | undefined {
    const handshakeMs = this.#handshakeMs
    this.#handshakeMs = undefined
    return handshakeMs
  }
}
