import type { LookupFunction } from 'node:net'
import type { Endpoints } from '../../edge/endpoints.ts'
import type {
  ExchangeFailure,
  ResponseHead,
  ResponseReceiver,
  UpstreamExchange,
  UpstreamRequest,
} from '../../edge/exchange/exchange.ts'
import type { HealthSnapshot, PeerSnapshot } from '../../edge/snapshot.ts'
import { Sweep } from '../../edge/sweep.ts'
import { openPool } from '../../edge/upstream/connections.ts'
import type { Borrower, Lease, UpstreamLine } from '../../edge/upstream/pool.ts'
import { TrustContexts } from '../../edge/upstream/trust.ts'
import { failureError, unreachableError } from '../../edge/upstream/upstream-error.ts'
import { describeError } from '../../errors.ts'
import type { Clock } from '../../system/clock.ts'
import { abortable, withDeadline } from '../../system/deadline.ts'

/** Asks a target whether it is well. Gives why it is not, in a sentence; undefined if it is. Never rejects. */
export type CheckHealth = (
  peer: PeerSnapshot,
  health: HealthSnapshot,
  signal: AbortSignal,
) => Promise<string | undefined>

/** Asks in the way in which requests go there, TLS, PROXY header and all, on a connection of its own each time. */
export function createHealthCheck(clock: Clock, lookup?: LookupFunction): CheckHealth {
  const trust = new TrustContexts()
  const sweep = new Sweep()
  return async (peer, health, signal) => {
    const { timeoutMs } = health
    let thrown: unknown
    const onThrow = (error: unknown): void => {
      thrown = error
    }
    const pool = openPool(peer, trust, { sweep, onThrow, ...(lookup && { lookup }) })
    const visit = new Visit(peer, health)
    try {
      const expired = (): Error => new Error(`It did not answer within ${timeoutMs / 1000} s.`)
      return await withDeadline({ clock, ms: timeoutMs, signal, expired }, (inTime) => {
        visit.begin(pool.lease(visit, true))
        return abortable(visit.found.promise, inTime)
      })
    } catch (error) {
      return describeError(thrown ?? error)
    } finally {
      visit.end()
      pool.close()
    }
  }
}

const NOBODY: Endpoints = { clientAddress: '', clientPort: undefined, localAddress: '', localPort: undefined }

/** One request, up to the head of its response. */
class Visit implements Borrower, ResponseReceiver {
  readonly client = NOBODY
  readonly found = Promise.withResolvers<string | undefined>()
  readonly #peer: PeerSnapshot
  readonly #health: HealthSnapshot
  #lease: Lease | undefined
  #exchange: UpstreamExchange | undefined

  constructor(peer: PeerSnapshot, health: HealthSnapshot) {
    this.#peer = peer
    this.#health = health
  }

  begin(lease: Lease | undefined): void {
    this.#lease = lease
  }

  end(): void {
    if (this.#exchange === undefined) this.#lease?.cancel()
    else this.#exchange.abort()
  }

  onConnection(line: UpstreamLine): void {
    this.#exchange = line.send(this.#request(), this)
    this.#exchange.end()
  }

  onUnreachable(cause: unknown): void {
    this.found.resolve(unreachableError(this.#peer, cause).message)
  }

  onInform(): void {}

  onResponse({ status }: ResponseHead): void {
    const { status: wanted, path } = this.#health
    const isWell = wanted === undefined ? status >= 200 && status < 400 : status === wanted
    this.found.resolve(isWell ? undefined : `It answered ${status} to ${path}.`)
  }

  onContent(): boolean {
    return true
  }

  onContentEnd(): void {}

  onDrain(): void {}

  onFailure(failure: ExchangeFailure): void {
    this.found.resolve(failureError(this.#peer, failure, true).message)
  }

  #request(): UpstreamRequest {
    const { address } = this.#peer
    const { path, host } = this.#health
    const isSecure = address.scheme === 'https' || address.scheme === 'h2'
    return {
      method: 'GET',
      scheme: isSecure ? 'https' : 'http',
      authority: host ?? authorityOf(address),
      target: path,
      fields: ['User-Agent', 'Castellan health check', 'Accept', '*/*'],
      contentLength: 0,
      upgrade: undefined,
      takesTrailers: false,
    }
  }
}

function authorityOf(address: PeerSnapshot['address']): string {
  if (address.scheme === 'unix') return 'localhost'
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`
}
