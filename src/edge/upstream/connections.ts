import type { LookupFunction } from 'node:net'
import { UPSTREAM_DEADLINES } from '../http1/deadlines.ts'
import type { UpstreamSnapshot } from '../snapshot.ts'
import type { Sweep } from '../sweep.ts'
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
    const { connectMs, firstByteMs: headMs, idleMs: contentPauseMs } = upstream.timeouts
    const { scheme } = upstream.address
    const { lookup = lookupUpstream } = this.#options
    const { connect } = new Dialer(upstream, this.#trust, lookup)
    const pool =
      scheme === 'h2' || scheme === 'h2c'
        ? new Http2Pool({ ...this.#options, connect, connectMs, deadlines: { headMs, contentPauseMs } })
        : new Http1Pool({
            ...this.#options,
            connect,
            deadlines: { ...UPSTREAM_DEADLINES, connectMs, headMs, contentPauseMs },
          })
    if (this.#isClosed) pool.close()
    return pool
  }
}
