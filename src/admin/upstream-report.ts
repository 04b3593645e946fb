import { CastellanError } from '../errors.ts'

/** How it stands with one address of an upstream, over all workers. */
export type UpstreamReport = {
  /** As the config writes it. */
  readonly url: string
  /** Whose requests it gets, by their first names. */
  readonly sites: readonly string[]
  readonly weight: number
  /**
   * `unchecked` has no health checks; `left-out` is for a while, in some workers, as it fails again and again; `draining` gets
   * no more requests and still has some, `drained` has none.
   */
  readonly state: 'up' | 'down' | 'unchecked' | 'left-out' | 'draining' | 'drained'
  /** In ms since 1970; undefined: since the start, or nobody knows. */
  readonly since: number | undefined
  readonly why: string | undefined
  readonly underWay: number
  /** Of the workers that run now. */
  readonly requests: number
  readonly failures: number
}

/** What an operator can ask about upstreams. */
export interface OperatedUpstreams {
  report(): Promise<UpstreamReport[]>
  /** Gives how it stands then. Throws UpstreamUnknownError. */
  drain(url: string): Promise<UpstreamReport[]>
  undrain(url: string): Promise<UpstreamReport[]>
}

/** No upstream has this address. */
export class UpstreamUnknownError extends CastellanError {
  declare readonly code: 'upstream-unknown'

  constructor(url: string, known: readonly string[]) {
    const there = known.length === 0 ? 'there is none' : `there are ${known.slice(0, 10).join(', ')}`
    super('upstream-unknown', `No upstream is called ${JSON.stringify(url)}: ${there}.`)
  }
}
