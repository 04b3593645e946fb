import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'
import { describeError } from '../../errors.ts'
import type { Log } from '../../telemetry/log.ts'
import { Alert } from '../client-hello/alert.ts'
import type { ClientHello } from '../client-hello/client-hello.ts'
import { plainAddress } from '../listener.ts'
import { wildcardOf } from '../router.ts'
import type { CertificateSnapshot, ChallengeSnapshot, WaitingSnapshot } from '../snapshot.ts'
import { speaksOurVersions } from './certificate-kind.ts'
import { CertificateTable } from './certificate-table.ts'
import { ContextCache, createContext } from './context.ts'
import { type Decision, Handshake } from './handshake.ts'

/** A client with whom TLS is established. */
export type TlsConnection = {
  readonly socket: TLSSocket
  /** As the client named it; undefined if it named none. */
  readonly serverName: string | undefined
  /** The one that it was shown. */
  readonly certificate: Pick<CertificateSnapshot, 'id' | 'names'>
  readonly protocol: 'h2' | 'http/1.1'
}

export type TlsAcceptorOptions = {
  readonly log: Log
  readonly onConnection: (connection: TlsConnection) => void
  /** For the whole ClientHello, from the first moment; 5 s unless given. */
  readonly helloTimeoutMs?: number
  /** For the handshake after it; 10 s unless given. nginx allows 60 s. */
  readonly handshakeTimeoutMs?: number
}

export type TlsState = {
  readonly certificates: readonly CertificateSnapshot[]
  readonly waiting: readonly WaitingSnapshot[]
  /** Whose certificate a client gets that names no server. */
  readonly fallback: string | undefined
}

/** What a certificate is to a connection while it lasts. */
type Serving = { readonly decision: Decision; readonly certificate?: CertificateSnapshot }

/** RFC 8737 §3. */
const ACME_TLS = 'acme-tls/1'
const OUR_PROTOCOLS = ['h2', 'http/1.1']
/** Half-open handshakes are cheap to cause: beyond these the oldest makes room. */
const MAX_HANDSHAKES = 1024
/** How often the log repeats that a name waits for its certificate. */
const WAITING_LOG_MS = 10_000
const MAX_WAITING_NAMES = 1_000

/** Brings connections through TLS, each with the certificate that its client can verify, and answers tls-alpn-01. */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #table: CertificateTable
  readonly #contexts = new ContextCache()
  readonly #challenges = new Map<string, SecureContext>()
  readonly #handshakes = new Set<Handshake>()
  readonly #saidWaiting = new LRUCache<string, true>({ max: MAX_WAITING_NAMES, ttl: WAITING_LOG_MS })
  #waiting = new Map<string, string>()
  #fallback: string | undefined

  constructor(options: TlsAcceptorOptions) {
    this.#options = options
    this.#table = new CertificateTable(options.log)
  }

  /** Takes over what is to be served from now on. Connections that exist keep what they have. */
  update({ certificates, waiting, fallback }: TlsState): void {
    for (const id of this.#table.update(certificates)) this.#contexts.drop(id)
    this.#waiting = new Map(waiting.flatMap(({ names, reason }) => names.map((name) => [name, reason])))
    this.#fallback = fallback
  }

  publishChallenge({ serverName, certificate, privateKey }: TlsAlpnChallenge): void {
    this.#challenges.set(serverName, createContext({ chain: certificate, privateKey }))
  }

  withdrawChallenge({ serverName }: TlsAlpnChallenge): void {
    this.#challenges.delete(serverName)
  }

  /** Takes a connection that has just been accepted. */
  accept(socket: Socket): void {
    const { log, helloTimeoutMs = 5_000, handshakeTimeoutMs = 10_000 } = this.#options
    let serving: Serving | undefined
    const handshake = new Handshake(socket, {
      helloTimeoutMs,
      handshakeTimeoutMs,
      decide: (hello) => {
        serving = this.#decide(hello, socket)
        return serving.decision
      },
      onSecure: (tlsSocket, { serverName }) => {
        this.#handshakes.delete(handshake)
        this.#established(tlsSocket, serverName, serving?.certificate)
      },
      onFailure: (reason) => {
        this.#handshakes.delete(handshake)
        log.debug('handshake-failed', `A TLS handshake failed: ${reason}.`, {
          client: plainAddress(socket.remoteAddress),
        })
      },
    })
    this.#handshakes.add(handshake)
    if (this.#handshakes.size > MAX_HANDSHAKES) {
      const [oldest] = this.#handshakes
      oldest?.abort('it made room for newer ones')
    }
  }

  /** Ends the handshakes that are not finished. */
  close(): void {
    for (const handshake of this.#handshakes) handshake.abort('the program stops')
  }

  #established(socket: TLSSocket, serverName: string | undefined, certificate: CertificateSnapshot | undefined): void {
    // After a validation there is nothing more to say (RFC 8737 §3).
    if (certificate === undefined) {
      socket.end()
      return
    }
    const protocol = socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'
    this.#options.onConnection({ socket, serverName, certificate, protocol })
  }

  #decide(hello: ClientHello, socket: Socket): Serving {
    if (!speaksOurVersions(hello)) return refuse(Alert.protocolVersion, 'the client speaks neither TLS 1.2 nor 1.3')
    if (hello.protocols.includes(ACME_TLS)) {
      const context = this.#challenges.get(hello.serverName ?? '')
      if (context !== undefined) return { decision: { type: 'serve', context, protocols: [ACME_TLS] } }
    }
    if (hello.protocols.length > 0 && !hello.protocols.some((protocol) => OUR_PROTOCOLS.includes(protocol)))
      return refuse(Alert.noApplicationProtocol, `the client offers no protocol of ours`)
    const name = hello.serverName ?? this.#nameForAddress(socket)
    if (name === undefined)
      return refuse(Alert.unrecognizedName, 'the client names no server, and there is no fallback')
    return this.#decideByName(name, hello)
  }

  #decideByName(name: string, hello: ClientHello): Serving {
    for (;;) {
      const choice = this.#table.choose(name, hello)
      switch (choice.type) {
        case 'certificate': {
          const context = this.#contextOf(choice.certificate)
          if (context === undefined) continue
          const { certificate } = choice
          return { decision: { type: 'serve', context, protocols: OUR_PROTOCOLS }, certificate }
        }
        case 'unverifiable':
          return refuse(Alert.handshakeFailure, `the client can verify no certificate of ${name}`)
        case 'unknown-name':
          return this.#refuseUnknown(name)
        default:
          return choice satisfies never
      }
    }
  }

  /** undefined where OpenSSL does not take it; the table then offers it no more. */
  #contextOf(certificate: CertificateSnapshot): SecureContext | undefined {
    try {
      return this.#contexts.get(certificate)
    } catch (error) {
      this.#table.markUnusable(certificate.id, describeError(error))
      return undefined
    }
  }

  /** Who connects to an address names no server (RFC 6066 §3): the address itself may be a site. */
  #nameForAddress(socket: Socket): string | undefined {
    const address = plainAddress(socket.localAddress)
    return this.#table.has(address) || this.#waiting.has(address) ? address : this.#fallback
  }

  #refuseUnknown(name: string): Serving {
    const reason = this.#waiting.get(name) ?? this.#waiting.get(wildcardOf(name))
    if (reason === undefined) return refuse(Alert.unrecognizedName, `there is no site of the name ${name}`)
    if (!this.#saidWaiting.has(name)) {
      this.#saidWaiting.set(name, true)
      this.#options.log.warn(
        'handshake-waiting',
        `A client asks for ${name}, which has no certificate yet: ${reason}.`,
        {
          name,
        },
      )
    }
    return refuse(Alert.internalError, `${name} has no certificate yet`)
  }
}

type TlsAlpnChallenge = Extract<ChallengeSnapshot, { type: 'tls-alpn-01' }>

function refuse(alert: Alert, reason: string): Serving {
  return { decision: { type: 'refuse', alert, reason } }
}
