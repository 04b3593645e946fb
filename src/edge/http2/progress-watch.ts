/** Tells whether something that is waited for has made too little progress for too long. It is asked at each sweep. */
export class ProgressWatch {
  #since: number | undefined
  #done = 0

  /**
   * `done` is a count that only rises. True when it has risen by less than `minStep` in `limitMs`, all of which was
   * spent waiting.
   */
  isOverdue(now: number, isWaiting: boolean, done: number, minStep: number, limitMs: number): boolean {
    if (!isWaiting) {
      this.#since = undefined
      return false
    }
    if (this.#since === undefined || done - this.#done >= minStep) {
      this.#since = now
      this.#done = done
    }
    return now - this.#since >= limitMs
  }
}
