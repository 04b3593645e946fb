import type { HealthSnapshot } from '../../edge/snapshot.ts'

/** Whether a target is up, by what its checks have found: it takes several in a row to change that. */
export class HealthState {
  readonly #settings: Pick<HealthSnapshot, 'healthyAfter' | 'unhealthyAfter'>
  isUp: boolean
  /** Checks in a row that found otherwise. */
  #contrary = 0

  constructor(settings: Pick<HealthSnapshot, 'healthyAfter' | 'unhealthyAfter'>, isUp = true) {
    this.#settings = settings
    this.isUp = isUp
  }

  /** Takes what a check has found; gives true if that changes whether it is up. */
  note(isWell: boolean): boolean {
    if (isWell === this.isUp) {
      this.#contrary = 0
      return false
    }
    const { healthyAfter, unhealthyAfter } = this.#settings
    if (++this.#contrary < (this.isUp ? unhealthyAfter : healthyAfter)) return false
    this.isUp = isWell
    this.#contrary = 0
    return true
  }
}
