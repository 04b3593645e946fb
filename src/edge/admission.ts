import type { Socket } from 'node:net'
import type { Log } from '../telemetry/log.ts'
import { AddressSet } from './address-set.ts'
import type { Counters } from './counters.ts'
import { type Endpoints, endpointsOf } from './endpoints.ts'
import { takeProxyHeader } from './proxy-protocol/reader.ts'
import { connectionsThatFit, type MemoryWatch } from './resources.ts'

export type AdmissionLimits = {
  /** Open at a time, in this process. */
  readonly connections: number
  /** Of one client, by its address. Proxies that are trusted have no such limit, as they carry many. */
  readonly connectionsPerAddress: number
}

export type AdmissionOptions = {
  readonly limits: AdmissionLimits
  /** Peers who begin each connection with a PROXY protocol header, and those whose word on the client is taken. */
  readonly proxyProtocolFrom: readonly string[]
  readonly trustedProxies: readonly string[]
  readonly headerTimeoutMs: number
  readonly memory: Pick<MemoryWatch, 'isShort'>
  /** Open files that this process may have; undefined where that is not known. */
  readonly openFiles: number | undefined
  readonly counters: Pick<Counters, 'accepted' | 'refused'>
  readonly log: Log
}

/** One line a minute at most for refusals: whoever causes them decides how many there are. */
const QUIET_MS = 60_000

/**
 * What is settled of a connection before a byte of the client's is looked at: whether there is room for it, and who is at
 * the other end. A connection too many, or when memory or descriptors run short, is reset at once, so that a load balancer tries another machine and a client does not
 * wait; those that are open go on.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #proxies: AddressSet
  readonly #trusted: AddressSet
  readonly #maxConnections: number
  readonly #open = new Set<Socket>()
  readonly #byAddress = new Map<string, number>()
  #refused = 0
  #quietUntil = 0
  #onIdle: (() => void) | undefined

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#maxConnections = connectionsThatFit(options.limits.connections, options.openFiles)
    this.#proxies = new AddressSet(options.proxyProtocolFrom)
    this.#trusted = new AddressSet(options.trustedProxies)
  }

  /** Connections that are open. */
  get open(): ReadonlySet<Socket> {
    return this.#open
  }

  /** Calls `serve` if the connection may stay, at once or when its PROXY header has come. */
  admit(socket: Socket, serve: (endpoints: Endpoints) => void): void {
    const fault = this.#whyFull()
    if (fault !== undefined) return this.#refuse(socket, endpointsOf(socket), fault)
    this.#options.counters.accepted++
    this.#open.add(socket)
    socket.once('close', () => {
      this.#open.delete(socket)
      if (this.#open.size === 0) this.#onIdle?.()
    })
    const peer = endpointsOf(socket)
    if (!this.#proxies.has(peer.clientAddress)) return this.#count(socket, peer, serve)
    takeProxyHeader(socket, {
      timeoutMs: this.#options.headerTimeoutMs,
      onHeader: (endpoints) => (endpoints === undefined ? serve(peer) : this.#count(socket, endpoints, serve)),
      onRefused: (reason) => this.#warn(`The PROXY header from ${peer.clientAddress || 'a Unix socket'} ${reason}.`),
    })
  }

  /** Resolves when none is open, or after `ms` milliseconds. */
  idleWithin(ms: number): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#onIdle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  #count(socket: Socket, endpoints: Endpoints, serve: (endpoints: Endpoints) => void): void {
    const { clientAddress } = endpoints
    if (clientAddress === '' || this.#trusted.has(clientAddress)) return serve(endpoints)
    const before = this.#byAddress.get(clientAddress) ?? 0
    if (before >= this.#options.limits.connectionsPerAddress)
      return this.#refuse(
        socket,
        endpoints,
        `limits.connectionsPerAddress is ${this.#options.limits.connectionsPerAddress}`,
      )
    this.#byAddress.set(clientAddress, before + 1)
    socket.once('close', () => {
      const count = this.#byAddress.get(clientAddress)!
      if (count === 1) this.#byAddress.delete(clientAddress)
      else this.#byAddress.set(clientAddress, count - 1)
    })
    serve(endpoints)
  }

  /** undefined while there is room for one more. */
  #whyFull(): string | undefined {
    const { limits, memory, openFiles } = this.#options
    if (memory.isShort) return 'memory is short'
    if (this.#open.size < this.#maxConnections) return undefined
    if (this.#maxConnections === limits.connections) return `limits.connections is ${limits.connections}`
    return `this process may have ${openFiles} files open, which is enough for ${this.#maxConnections} connections (ulimit -n, or systemd's LimitNOFILE)`
  }

  #refuse(socket: Socket, { clientAddress }: Endpoints, reason: string): void {
    this.#options.counters.refused++
    socket.resetAndDestroy()
    this.#warn(`A connection from ${clientAddress || 'a Unix socket'} was reset: ${reason}.`)
  }

  #warn(message: string): void {
    this.#refused++
    const now = performance.now()
    if (now < this.#quietUntil) return
    const times = this.#refused === 1 ? '' : ` ${this.#refused} were refused since the last such line.`
    this.#refused = 0
    this.#quietUntil = now + QUIET_MS
    this.#options.log.warn('connection-refused', message + times)
  }
}
