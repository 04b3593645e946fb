import type { Server, Socket } from 'node:net'
import { describeError } from '../errors.ts'
import type { Clock } from '../system/clock.ts'
import type { AccessLog } from '../telemetry/access-log.ts'
import type { Log } from '../telemetry/log.ts'
import { Admission } from './admission.ts'
import { http1Bounds, http2Limits } from './bounds.ts'
import { type CounterReport, Counters } from './counters.ts'
import { Dispatch } from './dispatch.ts'
import type { Endpoints } from './endpoints.ts'
import type { ClientFacts, Exchange } from './exchange/exchange.ts'
import { HttpDate } from './http-date.ts'
import { Http1Server, type Http1ServerOptions } from './http1/server.ts'
import { errorCodeName } from './http2/error-code.ts'
import type { Http2Error } from './http2/http2-error.ts'
import { Http2Server } from './http2/server.ts'
import { type ListenerSpec, listen } from './listener.ts'
import { Http01Answers } from './middleware/http-01.ts'
import type { RateUse } from './middleware/rate-counts.ts'
import { Recorder } from './recorder.ts'
import { MemoryWatch, maxOpenFiles } from './resources.ts'
import { Router } from './router/router.ts'
import type {
  CertificateChange,
  ChallengeSnapshot,
  EdgeSnapshot,
  HstsChange,
  MaintenanceChange,
  UpstreamConditions,
} from './snapshot.ts'
import { Sweep } from './sweep.ts'
import { TlsAcceptor, type TlsConnection } from './tls/acceptor.ts'
import type { FetchMaterial } from './tls/material-cache.ts'
import { type AskForName, OnDemandNames } from './tls/on-demand-names.ts'
import type { TicketSecrets } from './tls/ticket-keys.ts'
import { TlsFacts } from './tls/tls-facts.ts'
import { reportTargets, type TargetReport } from './upstream/balance/target-report.ts'
import { UpstreamConnections } from './upstream/connections.ts'

export type EdgeOptions = {
  readonly snapshot: EdgeSnapshot
  readonly log: Log
  readonly accessLog: AccessLog
  readonly clock: Pick<Clock, 'now'>
  readonly ticketSecrets: TicketSecrets
  readonly fetchMaterial: FetchMaterial
  readonly askForName: AskForName
  /** Clients have lately come for these names, which are served on demand. */
  readonly tellSeen: (names: readonly string[]) => void
  /** Tells other workers what clients have used of their limits; none are told unless given. */
  readonly tellRates?: (uses: readonly RateUse[]) => void
  readonly randomBytes: (size: number) => Buffer
}

/**
 * The data plane of one worker, from the accepted connection to the upstream:
 * listener → ClientHello → TLS → HTTP/1.1 or HTTP/2 → exchange → dispatch → upstream.
 */
export class Edge {
  readonly #tls: TlsAcceptor
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #http01 = new Http01Answers()
  readonly #sweep = new Sweep()
  readonly #counters = new Counters()
  readonly #connections: UpstreamConnections
  readonly #dispatch: Dispatch
  readonly #listening: Server[] = []
  readonly #admission: Admission
  readonly #memory = new MemoryWatch()
  readonly #isLogged: boolean

  constructor(options: EdgeOptions) {
    const { snapshot, log, accessLog, clock, ticketSecrets, fetchMaterial, randomBytes } = options
    this.#isLogged = snapshot.accessLog
    const onThrow = (error: unknown): void => logThrown(log, error)
    this.#connections = new UpstreamConnections({ sweep: this.#sweep, onThrow, log })
    const recorder = new Recorder({
      counters: this.#counters,
      accessLog: snapshot.accessLog ? accessLog : undefined,
      log,
    })
    const date = new HttpDate(clock)
    const router = new Router(snapshot.sites)
    this.#dispatch = new Dispatch({
      snapshot,
      router,
      http01: this.#http01,
      connections: this.#connections,
      date,
      randomBytes,
      recorder,
      tellRates: options.tellRates,
      sweep: this.#sweep,
    })
    const onExchange = (exchange: Exchange): void => this.#dispatch.handle(exchange)
    const onRefusal: Http1ServerOptions['onRefusal'] = ({ code, message, status }, client, request) => {
      const { address } = client
      log.debug('request-refused', `A request of ${address} ${message}.`, { client: address, rule: code, status })
      if (request !== undefined) recorder.refused(request, client)
    }
    this.#http1 = new Http1Server({
      ...http1Bounds(snapshot),
      sweep: this.#sweep,
      date,
      onExchange,
      onRefusal,
      onThrow,
    })
    this.#http2 = new Http2Server({
      limits: http2Limits(snapshot),
      sweep: this.#sweep,
      date,
      onExchange,
      onRefusal: (request, client) => recorder.refused(request, client),
      onError: (error, client) => this.#onHttp2Error(error, client, log),
    })
    this.#sweep.add(this.#memory)
    const { limits, timeouts, proxyProtocolFrom, trustedProxies } = snapshot
    this.#tls = new TlsAcceptor({
      log,
      fetchMaterial,
      fallback: snapshot.fallback,
      onDemand: this.#onDemandNames(options, router),
      ticketSecrets,
      tlsOf: (name) => router.site(name)?.tls,
      counters: this.#counters,
      helloTimeoutMs: timeouts.helloMs,
      handshakeTimeoutMs: timeouts.handshakeMs,
      maxHandshakes: limits.handshakes,
      onConnection: (connection) => this.#serveTls(connection),
    })
    this.#admission = new Admission({
      limits,
      proxyProtocolFrom,
      trustedProxies,
      headerTimeoutMs: timeouts.helloMs,
      memory: this.#memory,
      counters: this.#counters,
      openFiles: maxOpenFiles(),
      log,
    })
  }

  /** Begins to accept. Rejects with ListenError for the first socket on which it cannot. */
  async listen(specs: readonly ListenerSpec[]): Promise<void> {
    for (const spec of specs) this.#listening.push(await listen(spec, (socket) => this.#accept(socket, spec)))
  }

  /** Takes over which certificates there are, and what names without one are told to wait for. */
  changeCertificates(change: CertificateChange): void {
    this.#tls.change(change)
  }

  changeHsts(changes: readonly HstsChange[]): void {
    this.#dispatch.changeHsts(changes)
  }

  /** What clients have used of their limits with other workers. */
  addRates(uses: readonly RateUse[]): void {
    this.#dispatch.addRates(uses)
  }

  changeMaintenance(changes: readonly MaintenanceChange[]): void {
    this.#dispatch.changeMaintenance(changes)
  }

  /** Takes over what is known of upstreams. */
  changeUpstreams(conditions: UpstreamConditions): void {
    this.#connections.change(conditions)
  }

  /** How it stands with the targets of upstreams. */
  get targets(): TargetReport[] {
    return reportTargets(this.#connections.groups, this.#sweep.now)
  }

  /** What has been counted since the start. */
  get counters(): CounterReport {
    return this.#counters.report(this.#admission.open.size)
  }

  useTicketSecrets(secrets: TicketSecrets): void {
    this.#tls.useTicketSecrets(secrets)
  }

  publishChallenge(challenge: ChallengeSnapshot): void {
    if (challenge.type === 'http-01') this.#http01.publish(challenge.token, challenge.keyAuthorization)
    else this.#tls.publishChallenge(challenge)
  }

  withdrawChallenge(challenge: ChallengeSnapshot): void {
    if (challenge.type === 'http-01') this.#http01.withdraw(challenge.token)
    else this.#tls.withdrawChallenge(challenge)
  }

  /**
   * Stops accepting, closes idle connections, and lets requests under way finish. Resolves when the last connection has
   * closed; those that are still open after `withinMs` milliseconds are cut. Where somebody else accepts already there is no
   * hurry (`gently`): handshakes finish too, and idle connections have time for the request that may be on its way.
   */
  async drain(withinMs: number, { gently = false } = {}): Promise<void> {
    for (const server of this.#listening) server.close()
    if (!gently) this.#tls.close()
    this.#http1.drain({ sparesIdle: gently })
    this.#http2.drain()
    await this.#admission.idleWithin(withinMs)
    for (const socket of this.#admission.open) socket.destroy()
    this.#connections.close()
  }

  #onDemandNames({ snapshot, askForName, tellSeen }: EdgeOptions, router: Router): OnDemandNames | undefined {
    if (snapshot.onDemand === undefined) return undefined
    const isListed = (name: string): boolean => router.listed(name) !== undefined
    const names = new OnDemandNames({ settings: snapshot.onDemand, isListed, askForName, tellSeen })
    this.#sweep.add(names)
    return names
  }

  #accept(socket: Socket, { protocol }: ListenerSpec): void {
    this.#admission.admit(socket, (endpoints) => {
      if (protocol === 'https') this.#tls.accept(socket, endpoints)
      else this.#http1.accept(socket, clientFacts(endpoints, undefined, undefined))
    })
  }

  #serveTls(connection: TlsConnection): void {
    const server = connection.protocol === 'h2' ? this.#http2 : this.#http1
    const facts = this.#isLogged ? new TlsFacts(connection.socket, connection.handshakeMs) : undefined
    server.accept(connection.socket, clientFacts(connection.endpoints, connection, facts))
  }

  #onHttp2Error({ scope, code, errorCode, message }: Http2Error, { address }: ClientFacts, log: Log): void {
    // A connection that breaks is nobody's fault.
    if (code !== 'socket-failed') this.#counters.http2Error(scope, errorCodeName(errorCode), code)
    log.debug('http2-error', `An HTTP/2 ${scope} of ${address} ended: ${message}`, { client: address, rule: code })
  }
}

function clientFacts(endpoints: Endpoints, tls: TlsConnection | undefined, facts: TlsFacts | undefined): ClientFacts {
  return {
    address: endpoints.clientAddress,
    port: endpoints.clientPort,
    get localAddress() {
      return endpoints.localAddress
    },
    get localPort() {
      return endpoints.localPort
    },
    certificateNames: tls?.certificate.names,
    proof: tls?.proof,
    usesFallback: tls !== undefined && tls.serverName === undefined,
    tls: facts,
  }
}

/** An error of our own, which costs the connection that it happened on. */
function logThrown(log: Log, error: unknown): void {
  const message =
    `A connection was closed because of an error in Castellan: ${describeError(error)}. ` +
    'Others are not affected. Report it with the stack.'
  log.error('connection-exception', message, { stack: error instanceof Error ? error.stack : undefined })
}
