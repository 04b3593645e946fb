import type { LookupFunction } from 'node:net'
import { UPSTREAM_DEADLINES } from '../http1/deadlines.ts'
import type { UpstreamSnapshot } from '../snapshot.ts'
import type { Sweep } from '../sweep.ts'
import { CLIENT_IDLE_MS, ClientPools } from './client-pools.ts'
import { Dialer } from './dial.ts'
import { Http1Pool } from './http1-pool.ts'
import { Http2Pool } from './http2-pool.ts'
import { lookupUpstream } from './names.ts'
import type { UpstreamPool } from './pool.ts'
import { TrustContexts } from './trust.ts'

export type UpstreamConnectionsOptions = {
  readonly sweep: Sweep
  /** An error of the program on a connection, which is closed. */
  readonly onThrow: (error: unknown) => void
  /** Resolves the names of upstreams; as the system does unless given. */
  readonly lookup?: LookupFunction
}

/** What makes a pool one client's. */
type ClientPoolOptions = { readonly header?: Buffer; readonly idleMs?: number; readonly onEmpty?: () => void }

/** The connections of one worker to all its upstreams. */
export class UpstreamConnections {
  readonly #options: UpstreamConnectionsOptions
  readonly #trust = new TrustContexts()
  readonly #bySettings = new Map<string, UpstreamPool>()
  /** The same pools, found without writing the settings. */
  readonly #bySnapshot = new Map<UpstreamSnapshot, UpstreamPool>()
  #isClosed = false

  constructor(options: UpstreamConnectionsOptions) {
    this.#options = options
  }

  /** The pool of an upstream: the same for every site that has it, with the same settings. */
  to(upstream: UpstreamSnapshot): UpstreamPool {
    return this.#bySnapshot.get(upstream) ?? this.#find(upstream)
  }

  /** Closes what is idle and, once it is free, the rest. */
  close(): void {
    this.#isClosed = true
    for (const pool of this.#bySettings.values()) pool.close()
  }

  #find(upstream: UpstreamSnapshot): UpstreamPool {
    const settings = JSON.stringify(upstream)
    const pool = this.#bySettings.get(settings) ?? this.#open(upstream)
    this.#bySettings.set(settings, pool)
    this.#bySnapshot.set(upstream, pool)
    return pool
  }

  #open(upstream: UpstreamSnapshot): UpstreamPool {
    const { lookup = lookupUpstream } = this.#options
    const dialer = new Dialer(upstream, this.#trust, lookup)
    const { proxyProtocol } = upstream
    const pool =
      proxyProtocol === undefined
        ? this.#openPool(upstream, dialer, {})
        : new ClientPools(proxyProtocol, (header, onEmpty) =>
            this.#openPool(upstream, dialer, { header, onEmpty, idleMs: CLIENT_IDLE_MS }),
          )
    if (this.#isClosed) pool.close()
    return pool
  }

  #openPool({ address, timeouts }: UpstreamSnapshot, { dial }: Dialer, client: ClientPoolOptions): UpstreamPool {
    const { connectMs, firstByteMs: headMs, idleMs: contentPauseMs } = timeouts
    const { header, idleMs, ...rest } = client
    const options = { ...this.#options, ...rest }
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
}
