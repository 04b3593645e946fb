import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { describeError } from '../../errors.ts'
import type { ClientTls } from '../../guards.ts'
import type { Log } from '../../telemetry/log.ts'
import { Alert } from '../client-hello/alert.ts'
import { type ClientHello, TLS_1_3 } from '../client-hello/client-hello.ts'
import type { Counters } from '../counters.ts'
import type { Endpoints } from '../endpoints.ts'
import type { CertificateChange, CertificateMaterial, CertificateSnapshot, NameAnswer } from '../snapshot.ts'
import { speaksOurVersions } from './certificate-kind.ts'
import { CertificateTable, type TableEntry } from './certificate-table.ts'
import { type ClientProof, proofOf } from './client-certificate.ts'
import { ContextCache } from './context.ts'
import { type Decision, Handshake, type Waiting } from './handshake.ts'
import { closeLingering } from './lingering-close.ts'
import { type FetchMaterial, MaterialCache } from './material-cache.ts'
import type { OnDemandNames } from './on-demand-names.ts'
import type { TicketSecrets } from './ticket-keys.ts'
import { ACME_TLS, type TlsAlpnChallenge, TlsAlpnChallenges } from './tls-alpn-challenges.ts'
import { WaitingNames } from './waiting-names.ts'

/** A client with whom TLS is established. */
export type TlsConnection = {
  readonly socket: TLSSocket
  readonly endpoints: Endpoints
  /** As the client named it; undefined if it named none. */
  readonly serverName: string | undefined
  /** The one that it was shown. */
  readonly certificate: Pick<CertificateSnapshot, 'id' | 'names'>
  readonly protocol: 'h2' | 'http/1.1'
  /** What was asked of the client beyond the usual, and what it has shown; undefined where nothing was. */
  readonly proof: ClientProof | undefined
  /** From the moment at which the connection came, and the client could begin with its hello. */
  readonly handshakeMs: number
}

export type TlsAcceptorOptions = {
  readonly log: Log
  readonly fetchMaterial: FetchMaterial
  /** Whose certificate a client gets that names no server. */
  readonly fallback: string | undefined
  /** How names are met that no site lists; undefined: they are unknown. */
  readonly onDemand?: OnDemandNames | undefined
  /** The same in all workers, so that a client can resume with whichever it gets. */
  readonly ticketSecrets: TicketSecrets
  /** What the site of a name asks of its clients in TLS; undefined: the usual. */
  readonly tlsOf?: (name: string) => ClientTls | undefined
  readonly counters: Pick<Counters, 'handshake' | 'failedHandshakes'>
  /** If it throws, the connection is closed and the error is logged. */
  readonly onConnection: (connection: TlsConnection) => void
  /** For the whole ClientHello, from the first moment; 5 s unless given. */
  readonly helloTimeoutMs?: number
  /** For the whole handshake, the ClientHello included; 10 s unless given. */
  readonly handshakeTimeoutMs?: number
  /** Unfinished at a time; beyond these the oldest makes room. 1024 unless given. */
  readonly maxHandshakes?: number
}

/** Most clients of HTTP/1.0 know no ALPN, but `curl --http1.0` and others name it, and it is served as without TLS. */
const OUR_PROTOCOLS = ['h2', 'http/1.1', 'http/1.0']
/** An honest client sends its hello at once; the rest is for segments that are lost and sent again. */
const HELLO_TIMEOUT_MS = 5_000
/** One or two flights more (RFC 8446 §2, RFC 5246 §7.3). nginx allows 60 s. */
const HANDSHAKE_TIMEOUT_MS = 10_000
/** Half-open handshakes are cheap to cause. */
const MAX_HANDSHAKES = 1024

/** Who asks for what, and how long it may wait. */
type Client = { readonly hello: ClientHello; readonly endpoints: Endpoints; readonly handshake: Waiting }

/** Brings connections through TLS, each with the certificate that its client can verify, and answers tls-alpn-01. */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #table: CertificateTable
  readonly #materials: MaterialCache
  readonly #contexts: ContextCache
  readonly #challenges: TlsAlpnChallenges
  readonly #waiting: WaitingNames
  readonly #handshakes = new Set<Handshake>()
  #hasNotedNameless = false

  constructor(options: TlsAcceptorOptions) {
    this.#options = options
    this.#materials = new MaterialCache(options.fetchMaterial)
    this.#contexts = new ContextCache(options.ticketSecrets)
    this.#table = new CertificateTable(options.log)
    this.#challenges = new TlsAlpnChallenges(options.log)
    this.#waiting = new WaitingNames(options.log)
  }

  /** Takes over what is to be served from now on. Connections that exist keep what they have. */
  change({ put, remove, staples, waiting }: CertificateChange): void {
    for (const certificate of put) this.#table.put(certificate)
    for (const id of remove) {
      this.#table.remove(id)
      this.#materials.drop(id)
      this.#contexts.drop(id)
    }
    for (const staple of staples) this.#materials.changeStaple(staple)
    if (waiting !== undefined) this.#waiting.update(waiting)
  }

  /** From now on session tickets are issued with the first of these, and taken with all. */
  useTicketSecrets(secrets: TicketSecrets): void {
    this.#contexts.useSecrets(secrets)
  }

  publishChallenge(challenge: TlsAlpnChallenge): void {
    this.#challenges.publish(challenge)
  }

  withdrawChallenge(challenge: TlsAlpnChallenge): void {
    this.#challenges.withdraw(challenge)
  }

  /** Takes a connection that has just been accepted, and nothing of which has been read. */
  accept(socket: Socket, endpoints: Endpoints): void {
    const { log, helloTimeoutMs = HELLO_TIMEOUT_MS, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS } = this.#options
    const client = endpoints.clientAddress
    const handshake = new Handshake(socket, {
      helloTimeoutMs,
      handshakeTimeoutMs,
      decide: (hello, waiting) => this.#decide({ hello, endpoints, handshake: waiting }),
      onOver: (failure) => {
        this.#handshakes.delete(handshake)
        if (failure !== undefined) this.#options.counters.failedHandshakes++
        if (failure !== undefined) log.debug('handshake-failed', `A TLS handshake failed: ${failure}.`, { client })
      },
      onThrow: (error) => {
        const message =
          `The connection of ${client} was closed because of an error in Castellan: ${describeError(error)}. ` +
          'Others are not affected. Report it with the stack.'
        log.error('connection-exception', message, { client, stack: error instanceof Error ? error.stack : undefined })
      },
    })
    this.#handshakes.add(handshake)
    if (this.#handshakes.size > (this.#options.maxHandshakes ?? MAX_HANDSHAKES)) {
      const [oldest] = this.#handshakes
      oldest?.abort('it made room for newer ones')
    }
  }

  /** Ends the handshakes that are not finished. */
  close(): void {
    for (const handshake of this.#handshakes) handshake.abort('the program stops')
  }

  #decide(client: Client): Decision | Promise<Decision> {
    const { hello, endpoints } = client
    if (!speaksOurVersions(hello)) return refuse(Alert.protocolVersion, 'the client speaks neither TLS 1.2 nor 1.3')
    const { serverName, protocols } = hello
    const answer = protocols.includes(ACME_TLS) && this.#challenges.context(serverName ?? '')
    // After a validation there is nothing more to say (RFC 8737 §3).
    if (answer)
      return {
        type: 'serve',
        context: answer,
        protocols: [ACME_TLS],
        staple: undefined,
        asksClient: false,
        onSecure: (socket) => closeLingering(socket),
      }
    if (protocols.length > 0 && !protocols.some((protocol) => OUR_PROTOCOLS.includes(protocol)))
      return refuse(Alert.noApplicationProtocol, 'the client offers no protocol of ours')
    const name = serverName ?? this.#nameForAddress(endpoints)
    if (name === undefined) this.#noteNameless(endpoints)
    if (name === undefined)
      return refuse(Alert.unrecognizedName, 'the client names no server, and there is no fallback')
    return this.#decideByName(name, client)
  }

  /** Waits only for a certificate that nobody has lately asked for, and for names that may be issued on demand. */
  #decideByName(name: string, client: Client): Decision | Promise<Decision> {
    const { hello } = client
    const policy = this.#options.tlsOf?.(name)
    if (policy?.minVersion === '1.3' && !hello.versions.includes(TLS_1_3))
      return refuse(Alert.protocolVersion, `${name} is served by TLS 1.3 only, which the client does not speak`)
    for (;;) {
      const choice = this.#table.choose(name, hello)
      switch (choice.type) {
        case 'certificate': {
          this.#options.onDemand?.seen(name)
          const material = this.#materials.get(choice.certificate.id)
          if (material === undefined) return this.#decideOnceFetched(choice.certificate, name, policy, client)
          const context = this.#contextOf(choice.certificate, material, policy, hello)
          if (context === undefined) continue
          return this.#serve(context, choice.certificate, material, policy, client)
        }
        case 'unverifiable':
          return refuse(Alert.handshakeFailure, `the client can verify no certificate of ${name}`)
        case 'unknown-name':
          return this.#decideUnknown(name, client)
        default:
          return choice satisfies never
      }
    }
  }

  async #decideOnceFetched(
    certificate: TableEntry,
    name: string,
    policy: ClientTls | undefined,
    client: Client,
  ): Promise<Decision> {
    const material = await this.#materials.fetch(certificate.id)
    const context = material && this.#contextOf(certificate, material, policy, client.hello)
    if (context !== undefined) return this.#serve(context, certificate, material!, policy, client)
    // It is not served any more, of which the table was told before; if it is of no use, the table has been told just now.
    if (material === undefined) this.#table.remove(certificate.id)
    return this.#decideByName(name, client)
  }

  #decideUnknown(name: string, client: Client): Decision | Promise<Decision> {
    const { onDemand } = this.#options
    if (this.#waiting.askedFor(name)) return refuse(Alert.internalError, `${name} has no certificate yet`)
    if (onDemand?.isOne(name) === true) return this.#decideOnDemand(name, client, onDemand)
    return refuse(Alert.unrecognizedName, `there is no site of the name ${name}`)
  }

  #decideOnDemand(name: string, client: Client, onDemand: OnDemandNames): Decision | Promise<Decision> {
    const question = onDemand.ask(name, client.endpoints.clientAddress)
    if ('type' in question) return refuseName(name, question)
    client.handshake.prolong(onDemand.waitMs)
    client.handshake.whenOver(question.leave)
    return question.answer.then((answer) => {
      question.leave()
      if (answer.type !== 'served') return refuseName(name, answer)
      const isThere = this.#table.choose(name, client.hello).type !== 'unknown-name'
      if (isThere) return this.#decideByName(name, client)
      return refuse(Alert.internalError, `the certificate of ${name} is of no use`)
    })
  }

  #serve(
    context: SecureContext,
    { id, names }: TableEntry,
    { staple }: CertificateMaterial,
    policy: ClientTls | undefined,
    { hello: { serverName, wantsStaple }, endpoints }: Client,
  ): Decision {
    const onSecure = (socket: TLSSocket, handshakeMs: number): void => {
      this.#options.counters.handshake(socket.isSessionReused(), handshakeMs)
      const protocol = socket.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'
      const proof = policy && this.#proofOf(socket, policy, endpoints)
      const certificate = { id, names }
      this.#options.onConnection({ serverName, endpoints, socket, certificate, protocol, proof, handshakeMs })
    }
    const wanted = wantsStaple && staple !== undefined ? Buffer.from(staple, 'base64') : undefined
    const asksClient = policy?.clientAuth !== undefined
    return { type: 'serve', context, protocols: OUR_PROTOCOLS, staple: wanted, asksClient, onSecure }
  }

  /** Why a certificate is refused is for who looks for it: the client is told that it is. */
  #proofOf(socket: TLSSocket, policy: ClientTls, { clientAddress: client }: Endpoints): ClientProof {
    const proof = proofOf(socket, policy)
    const fault = proof.certificate?.fault
    const message = `The certificate of a client at ${client || 'a Unix socket'} is not believed: ${fault}.`
    if (fault !== undefined) this.#options.log.debug('client-certificate-invalid', message, { client, fault })
    return proof
  }

  /** Once: it is the first thing that who tries an address meets, and the daily bread of scanners. */
  #noteNameless({ clientAddress }: Endpoints): void {
    if (this.#hasNotedNameless) return
    this.#hasNotedNameless = true
    const message =
      `A client at ${clientAddress || 'a Unix socket'} named no server and was refused, as all such clients are. ` +
      'To give them a certificate, make the address a site or name one in "fallback".'
    this.#options.log.info('client-nameless', message, { client: clientAddress })
  }

  /** undefined where OpenSSL does not take it; the table then offers it no more. */
  #contextOf(
    certificate: TableEntry,
    material: CertificateMaterial,
    policy: ClientTls | undefined,
    { ticket }: ClientHello,
  ): SecureContext | undefined {
    try {
      return this.#contexts.get(certificate, material, policy, ticket)
    } catch (error) {
      this.#table.markUnusable(certificate.id, describeError(error))
      return undefined
    }
  }

  /** Who connects to an address names no server (RFC 6066 §3): the address itself may be a site. */
  #nameForAddress({ localAddress: address }: Endpoints): string | undefined {
    return this.#table.has(address) || this.#waiting.has(address) ? address : this.#options.fallback
  }
}

function refuse(alert: Alert, reason: string): Decision {
  return { type: 'refuse', alert, reason }
}

/** To a client, a name that may never have a certificate is an unknown one; the rest may be better soon. */
function refuseName(name: string, answer: Exclude<NameAnswer, { type: 'served' }>): Decision {
  const alert = answer.type === 'denied' ? Alert.unrecognizedName : Alert.internalError
  return refuse(alert, `${name} has no certificate on demand: ${answer.reason}`)
}
