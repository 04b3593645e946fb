import type { UpstreamAddress } from '../snapshot.ts'
import type { Sweep } from '../sweep.ts'
import { Dialer, formatUpstream } from './dial.ts'
import { UpstreamPool } from './pool.ts'

export type UpstreamConnectionsOptions = {
  readonly sweep: Sweep
  /** An error of the program on a connection, which is closed. */
  readonly onThrow: (error: unknown) => void
}

/** The connections of one worker to all its upstreams. */
export class UpstreamConnections {
  readonly #options: UpstreamConnectionsOptions
  readonly #byName = new Map<string, UpstreamPool>()
  /** The same pools, found without writing the name. */
  readonly #byAddress = new Map<UpstreamAddress, UpstreamPool>()
  #isClosed = false

  constructor(options: UpstreamConnectionsOptions) {
    this.#options = options
  }

  /** The pool of an upstream: the same for every site that has it. */
  to(upstream: UpstreamAddress): UpstreamPool {
    return this.#byAddress.get(upstream) ?? this.#find(upstream)
  }

  /** Closes what is idle and, once it is free, the rest. */
  close(): void {
    this.#isClosed = true
    for (const pool of this.#byName.values()) pool.close()
  }

  #find(upstream: UpstreamAddress): UpstreamPool {
    const name = formatUpstream(upstream)
    const pool = this.#byName.get(name) ?? this.#open(upstream)
    this.#byName.set(name, pool)
    this.#byAddress.set(upstream, pool)
    return pool
  }

  #open(upstream: UpstreamAddress): UpstreamPool {
    const pool = new UpstreamPool({ ...this.#options, connect: new Dialer(upstream).connect })
    if (this.#isClosed) pool.close()
    return pool
  }
}
