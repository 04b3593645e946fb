import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, createServer, type LookupFunction, type Socket } from 'node:net'
import { Counters } from '../../src/edge/counters.ts'
import { Dispatch } from '../../src/edge/dispatch.ts'
import type { ClientFacts, Exchange } from '../../src/edge/exchange/exchange.ts'
import type { RefusedRequest } from '../../src/edge/exchange/refused-request.ts'
import { HttpDate } from '../../src/edge/http-date.ts'
import type { Refusal } from '../../src/edge/http1/refusal.ts'
import { Http1Server } from '../../src/edge/http1/server.ts'
import { Http2Server } from '../../src/edge/http2/server.ts'
import { Http01Answers } from '../../src/edge/middleware/http-01.ts'
import { Recorder } from '../../src/edge/recorder.ts'
import { Router } from '../../src/edge/router/router.ts'
import type {
  BalancingSnapshot,
  EdgeSnapshot,
  PeerSnapshot,
  SiteSnapshot,
  UpstreamAddress,
  UpstreamSnapshot,
} from '../../src/edge/snapshot.ts'
import { Sweep } from '../../src/edge/sweep.ts'
import { UpstreamConnections } from '../../src/edge/upstream/connections.ts'
import type { Guards } from '../../src/guards.ts'
import type { Policy } from '../../src/policy.ts'
import type { AccessEntry } from '../../src/telemetry/access-log.ts'
import { RecordingLog } from '../fakes/recording-log.ts'
import { serveTls, type TestCertificate } from './tls/served.ts'

export type Served = {
  readonly port: number
  readonly log: RecordingLog
  readonly accesses: AccessEntry[]
  readonly http01: Http01Answers
  /** The rules that requests were refused by. */
  readonly refusals: readonly string[]
  changeMaintenance: Dispatch['changeMaintenance']
  drain(): void
  close(): Promise<void>
}

/** Asks nothing of anybody. */
export const plainGuards: Guards = { addresses: undefined, rateLimit: undefined, cors: undefined, auth: undefined }

/** Nothing besides. */
export const plainPolicy: Policy = { maxBodyBytes: undefined, headers: undefined, guards: undefined }

/** Of a config that says no more than it must. */
export const plainSnapshot: EdgeSnapshot = {
  sites: [],
  fallback: undefined,
  accessLog: true,
  onDemand: undefined,
  httpsPort: 8443,
  proxyProtocolFrom: [],
  trustedProxies: [],
  limits: {
    connections: 1000,
    connectionsPerAddress: 1000,
    handshakes: 100,
    requestLine: 8 * 1024,
    header: 32 * 1024,
    headerFields: 100,
    streams: 100,
    requestsPerConnection: 10_000,
    bodyRate: 240,
  },
  timeouts: {
    helloMs: 5_000,
    handshakeMs: 10_000,
    headerMs: 10_000,
    bodyMs: 30_000,
    idleMs: 75_000,
    writeMs: 60_000,
  },
}

/** The id of the first request that comes without one; the others follow. */
export const FIRST_REQUEST_ID = `${'ab'.repeat(12)}00000000`

/** The data plane without TLS, but with what TLS would have found out, so that HTTP can be looked at byte by byte. */
export async function serve(
  sites: readonly SiteSnapshot[],
  options: {
    protocol?: 'http/1.1' | 'h2'
    client?: Partial<ClientFacts> | ((socket: Socket) => Partial<ClientFacts>)
    fallback?: string
    trustedProxies?: string[]
    sweep?: Sweep
    lookup?: LookupFunction
    /** The texts of error pages. */
    pages?: Readonly<Record<string, string>>
    /** With TLS in front, and this certificate. */
    certificate?: TestCertificate
  } = {},
): Promise<Served> {
  const log = new RecordingLog()
  const accesses: AccessEntry[] = []
  const http01 = new Http01Answers()
  const sweep = options.sweep ?? new Sweep()
  const refusals: string[] = []
  const onThrow = (error: unknown): void => {
    throw error
  }
  const { lookup } = options
  const connections = new UpstreamConnections({ sweep, onThrow, ...(lookup && { lookup }) })
  const recorder = new Recorder({ counters: new Counters(), accessLog: (entry) => accesses.push(entry), log })
  const date = new HttpDate({ now: () => Date.now() })
  const dispatch = new Dispatch({
    snapshot: {
      ...plainSnapshot,
      sites,
      fallback: options.fallback,
      trustedProxies: options.trustedProxies ?? [],
      pages: options.pages,
    },
    router: new Router(sites),
    http01,
    connections,
    date,
    randomBytes: (size) => Buffer.alloc(size, 0xab),
    recorder,
    sweep,
  })
  const onExchange = (exchange: Exchange): void => dispatch.handle(exchange)
  const onRefusal = ({ code }: Refusal, client: ClientFacts, request: RefusedRequest | undefined): void => {
    refusals.push(code)
    if (request !== undefined) recorder.refused(request, client)
  }
  const codec =
    options.protocol === 'h2'
      ? new Http2Server({
          sweep,
          date,
          onExchange,
          onRefusal: (...refused) => recorder.refused(...refused),
          onError: () => {},
        })
      : new Http1Server({ sweep, date, onExchange, onRefusal, onThrow })
  const accept = (socket: Socket, certificateNames?: readonly string[]): void =>
    codec.accept(socket, {
      address: '192.0.2.1',
      port: 50_000,
      localAddress: '192.0.2.254',
      localPort: 8080,
      certificateNames,
      usesFallback: false,
      tls: undefined,
      ...(typeof options.client === 'function' ? options.client(socket) : options.client),
    })
  const { certificate } = options
  const front =
    certificate === undefined
      ? await serveClear(accept)
      : await serveTls([certificate], ({ socket }) => accept(socket, certificate.names))
  return {
    port: front.port,
    log,
    accesses,
    http01,
    refusals,
    changeMaintenance: (changes) => dispatch.changeMaintenance(changes),
    drain: () => codec.drain(),
    close: async () => {
      codec.drain()
      connections.close()
      await front.close()
    },
  }
}

/** A port in clear text. */
async function serveClear(accept: (socket: Socket) => void): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    accept(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

export type Upstream = { readonly address: UpstreamAddress; readonly server: Server; close(): Promise<void> }

/** An application behind the proxy. */
export async function startUpstream(listener: RequestListener): Promise<Upstream> {
  const server = createHttpServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: { scheme: 'http', host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** How an upstream is balanced of which the config says no more. */
export const plainBalancing: BalancingSnapshot = {
  balance: { by: 'leastRequests' },
  sticky: undefined,
  everyAddress: false,
  health: undefined,
  retries: 1,
  concurrency: undefined,
}

/** An address that is spoken to as the config has it by default. */
export function peerOf(address: UpstreamAddress): PeerSnapshot {
  const { timeouts, tls, proxyProtocol } = upstreamOf(address)
  return { address, timeouts, tls, proxyProtocol }
}

/** An upstream that is spoken to as the config has it by default. */
export function upstreamOf(address: UpstreamAddress, overrides: Partial<UpstreamSnapshot> = {}): UpstreamSnapshot {
  return {
    targets: [{ address, weight: 1 }],
    balancing: plainBalancing,
    timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 300_000 },
    tls: { trust: undefined, serverName: undefined, verify: true },
    proxyProtocol: undefined,
    ...overrides,
  }
}

/** A site of the name `a.test` that is proxied on both ports, unless said otherwise. */
export function siteOf(
  upstream: UpstreamAddress | UpstreamSnapshot,
  overrides: Partial<SiteSnapshot> = {},
): SiteSnapshot {
  return {
    name: 'a.test',
    names: ['a.test'],
    action: { type: 'proxy', upstream: 'targets' in upstream ? upstream : upstreamOf(upstream) },
    redirectToHttps: false,
    hsts: undefined,
    policy: plainPolicy,
    routes: [],
    isCanonical: false,
    concurrency: undefined,
    forwarded: false,
    via: false,
    tls: undefined,
    ...overrides,
  }
}

/** Sends bytes and resolves with everything that comes back until the connection closes. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    let received = ''
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      received += text
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(received))
  })
}
