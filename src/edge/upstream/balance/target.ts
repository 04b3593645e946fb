import type { PeerSnapshot } from '../../snapshot.ts'
import type { UpstreamPool } from '../pool.ts'
import { formatUpstream } from '../upstream-name.ts'
import { FailureMarks } from './failure-marks.ts'

export type TargetOptions = {
  readonly peer: PeerSnapshot
  readonly weight: number
  readonly pool: UpstreamPool
  /** Requests at a time; undefined for any number. */
  readonly maxUnderWay: number | undefined
}

/** One address of an upstream, as a worker sees it. */
export class Target {
  readonly peer: PeerSnapshot
  /** As the config writes it. */
  readonly url: string
  readonly weight: number
  readonly pool: UpstreamPool
  readonly marks = new FailureMarks()
  maxUnderWay: number
  /** What a sticky cookie names it by. */
  cookie = ''
  /** It gets no requests whatever else: its checks have failed, or it is being drained. */
  isDown = false
  isDrained = false
  /** Since when, on the clock of the restart line, if it is so. */
  outSince = 0
  underWay = 0
  /** Since this worker has known it. */
  requests = 0
  failures = 0

  constructor({ peer, weight, pool, maxUnderWay = Number.POSITIVE_INFINITY }: TargetOptions) {
    this.peer = peer
    this.url = formatUpstream(peer.address)
    this.weight = weight
    this.pool = pool
    this.maxUnderWay = maxUnderWay
  }

  get isOut(): boolean {
    return this.isDown || this.isDrained
  }

  get isFull(): boolean {
    return this.underWay >= this.maxUnderWay
  }

  /** A request goes there. */
  take(): void {
    this.underWay++
    this.requests++
  }

  /** How much of the requests it should get now. */
  share(now: number): number {
    return this.weight * this.marks.share(now)
  }
}
