import type { Http2Limits } from './limits.ts'
import { ProgressWatch } from './progress-watch.ts'

/**
 * Tells whether the content of a request comes too slowly: it pauses, or trickles on average. It is asked at each
 * sweep.
 */
export class ContentDeadline {
  readonly #limits: Http2Limits
  #pause = new ProgressWatch()
  /** Since when content has been waited for, and how much had come by then. */
  #since: number | undefined
  #receivedBefore = 0

  constructor(limits: Http2Limits) {
    this.#limits = limits
  }

  /** Content was not wanted for a while, which is nobody's fault. */
  restart(receivedBytes: number): void {
    this.#since = undefined
    this.#receivedBefore = receivedBytes
    this.#pause = new ProgressWatch()
  }

  /** Of content that is waited for. */
  isOverdue(now: number, receivedBytes: number): boolean {
    const { contentPauseMs, contentGraceMs, contentMinRate } = this.#limits
    this.#since ??= now
    if (this.#pause.isOverdue(now, true, receivedBytes, 1, contentPauseMs)) return true
    const measuredMs = now - this.#since - contentGraceMs
    return measuredMs > 0 && (receivedBytes - this.#receivedBefore) * 1000 < measuredMs * contentMinRate
  }
}
