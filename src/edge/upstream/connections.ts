import type { LookupFunction } from 'node:net'
import { type Random, systemRandom } from '../../system/random.ts'
import type { Log } from '../../telemetry/log.ts'
import { UPSTREAM_DEADLINES } from '../http1/deadlines.ts'
import type { ConcurrencySnapshot, PeerSnapshot, UpstreamConditions, UpstreamSnapshot } from '../snapshot.ts'
import type { Sweep } from '../sweep.ts'
import { Gate } from './balance/gate.ts'
import { type RestartClock, systemRestartClock } from './balance/restart-line.ts'
import { TargetGroup } from './balance/target-group.ts'
import { CLIENT_IDLE_MS, ClientPools } from './client-pools.ts'
import { Dialer } from './dial.ts'
import { Http1Pool } from './http1-pool.ts'
import { Http2Pool } from './http2-pool.ts'
import { lookupUpstream } from './names.ts'
import type { UpstreamPool } from './pool.ts'
import { TrustContexts } from './trust.ts'

export type UpstreamConnectionsOptions = PoolOptions & {
  /** For what an operator should know of targets. */
  readonly log?: Pick<Log, 'warn' | 'info'>
  readonly random?: Random
  readonly restartClock?: RestartClock
}

export type PoolOptions = {
  readonly sweep: Sweep
  /** An error of the program on a connection, which is closed. */
  readonly onThrow: (error: unknown) => void
  /** Resolves the names of upstreams; as the system does unless given. */
  readonly lookup?: LookupFunction
}

/** What makes a pool one client's. */
type ClientPoolOptions = { readonly header?: Buffer; readonly idleMs?: number; readonly onEmpty?: () => void }

/** What is known where nobody looks after upstreams. */
const NO_CONDITIONS: UpstreamConditions = { workers: 1, cookieKey: '', down: [], drained: [], addresses: {} }

/** The upstreams of one worker, and its connections to them. */
export class UpstreamConnections {
  readonly #options: UpstreamConnectionsOptions
  readonly #trust = new TrustContexts()
  readonly #pools = new Map<string, { readonly pool: UpstreamPool; users: number }>()
  readonly #bySettings = new Map<string, TargetGroup>()
  /** The same groups, found without writing the settings. */
  readonly #bySnapshot = new Map<UpstreamSnapshot, TargetGroup>()
  /** Of services that are one address each. */
  readonly #byPeer = new Map<PeerSnapshot, UpstreamPool>()
  readonly #gates: Gate[] = []
  #conditions = NO_CONDITIONS
  #isClosed = false

  constructor(options: UpstreamConnectionsOptions) {
    this.#options = options
  }

  /** The targets of an upstream: the same for every site that has it, with the same settings. */
  to(upstream: UpstreamSnapshot): TargetGroup {
    return this.#bySnapshot.get(upstream) ?? this.#find(upstream)
  }

  /** The connections to one address that is no target, such as a service that is asked about requests. */
  toPeer(peer: PeerSnapshot): UpstreamPool {
    const known = this.#byPeer.get(peer)
    if (known !== undefined) return known
    const pool = this.#acquire(peer)
    this.#byPeer.set(peer, pool)
    return pool
  }

  /** What bounds requests that have something in common, whichever upstream they go to. */
  openGate(concurrency: ConcurrencySnapshot): Gate {
    const gate = new Gate(concurrency, this.#conditions.workers, this.#options.sweep)
    this.#gates.push(gate)
    return gate
  }

  /** All that have had a request. */
  get groups(): Iterable<TargetGroup> {
    return this.#bySettings.values()
  }

  /** Takes over what is known of upstreams from now on. */
  change(conditions: UpstreamConditions): void {
    this.#conditions = conditions
    for (const group of this.#bySettings.values()) group.change(conditions)
    for (const gate of this.#gates) gate.shareWith(conditions.workers)
  }

  /** Closes what is idle and, once it is free, the rest. */
  close(): void {
    this.#isClosed = true
    for (const { pool } of this.#pools.values()) pool.close()
  }

  #find(upstream: UpstreamSnapshot): TargetGroup {
    const settings = JSON.stringify(upstream)
    const group = this.#bySettings.get(settings) ?? this.#open(upstream)
    this.#bySettings.set(settings, group)
    this.#bySnapshot.set(upstream, group)
    return group
  }

  #open(upstream: UpstreamSnapshot): TargetGroup {
    const { sweep, random = systemRandom, restartClock = systemRestartClock, log } = this.#options
    const pools = {
      acquire: (peer: PeerSnapshot): UpstreamPool => this.#acquire(peer),
      release: (peer: PeerSnapshot): void => this.#release(peer),
    }
    return new TargetGroup({ upstream, conditions: this.#conditions, pools, sweep, random, restartClock, log })
  }

  /** The pool of a peer: the same for every upstream that has it, with the same settings. */
  #acquire(peer: PeerSnapshot): UpstreamPool {
    const settings = JSON.stringify(peer)
    const known = this.#pools.get(settings)
    if (known !== undefined) {
      known.users++
      return known.pool
    }
    const pool = openPool(peer, this.#trust, this.#options)
    if (this.#isClosed) pool.close()
    this.#pools.set(settings, { pool, users: 1 })
    return pool
  }

  #release(peer: PeerSnapshot): void {
    const settings = JSON.stringify(peer)
    const known = this.#pools.get(settings)
    if (known === undefined || --known.users > 0) return
    this.#pools.delete(settings)
    known.pool.close()
  }
}

/** A pool of connections to a peer, by whichever version of HTTP. */
export function openPool(peer: PeerSnapshot, trust: TrustContexts, options: PoolOptions): UpstreamPool {
  const { lookup = lookupUpstream } = options
  const dialer = new Dialer(peer, trust, lookup)
  const { proxyProtocol } = peer
  if (proxyProtocol === undefined) return openPlainPool(peer, dialer, options, {})
  return new ClientPools(proxyProtocol, (header, onEmpty) =>
    openPlainPool(peer, dialer, options, { header, onEmpty, idleMs: CLIENT_IDLE_MS }),
  )
}

function openPlainPool(
  { address, timeouts }: PeerSnapshot,
  { dial }: Dialer,
  { sweep, onThrow }: PoolOptions,
  { header, idleMs, ...rest }: ClientPoolOptions,
): UpstreamPool {
  const { connectMs, firstByteMs: headMs, idleMs: contentPauseMs } = timeouts
  const options = { sweep, onThrow, ...rest }
  if (address.scheme === 'h2' || address.scheme === 'h2c') {
    const deadlines = { headMs, contentPauseMs }
    return new Http2Pool({
      ...options,
      connect: () => dial({ header }),
      connectMs,
      deadlines,
      ...(idleMs !== undefined && { idleMs }),
    })
  }
  const freeMs = idleMs ?? UPSTREAM_DEADLINES.freeMs
  const deadlines = { connectMs, headMs, contentPauseMs, freeMs }
  return new Http1Pool({ ...options, connect: (onread) => dial({ onread, header }), deadlines })
}
