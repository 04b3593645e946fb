import { formatProxyHeader, type ProxyHeaderVersion } from '../proxy-protocol/header-writer.ts'
import type { Borrower, Lease, UpstreamPool } from './pool.ts'

/** Opens a pool whose connections begin with this header; `onEmpty` is told when the last of them has closed. */
export type OpenClientPool = (header: Buffer, onEmpty: () => void) => UpstreamPool

/** A client comes back for the next request soon, or not at all; and nobody else can use its connections. */
export const CLIENT_IDLE_MS = 10_000

/**
 * The connections to an upstream that is told of each connection whom it is for (PROXY protocol). What one client's requests
 * went over is used for that client alone: the upstream takes all that comes on it for that client's.
 */
export class ClientPools implements UpstreamPool {
  hasAnswered = false
  readonly #version: ProxyHeaderVersion
  readonly #open: OpenClientPool
  /** By header: its addresses and ports are one client's, as long as its connection lives. */
  readonly #byHeader = new Map<string, UpstreamPool>()
  #strangers = 0
  #isClosed = false

  constructor(version: ProxyHeaderVersion, open: OpenClientPool) {
    this.#version = version
    this.#open = open
  }

  lease(borrower: Borrower, mustBeFresh: boolean): Lease | undefined {
    const { client } = borrower
    const header = formatProxyHeader(this.#version, client)
    // Those without an address cannot be told apart, so that each request has a connection of its own.
    const key = client.clientAddress === '' ? `${this.#strangers++}` : header.toString('latin1')
    const pool = this.#byHeader.get(key) ?? this.#add(key, header)
    return pool.lease(borrower, mustBeFresh)
  }

  close(): void {
    this.#isClosed = true
    for (const pool of this.#byHeader.values()) pool.close()
  }

  /** How many clients have connections. */
  get size(): number {
    return this.#byHeader.size
  }

  #add(key: string, header: Buffer): UpstreamPool {
    const pool = this.#open(header, () => this.#byHeader.delete(key))
    this.#byHeader.set(key, pool)
    if (this.#isClosed) pool.close()
    return pool
  }
}
