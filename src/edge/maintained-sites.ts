import { HeldRequests, WaitingRoom } from './middleware/held-requests.ts'
import type { ToldMaintenance } from './middleware/maintenance.ts'
import type { MaintenanceSnapshot, SiteSnapshot } from './snapshot.ts'
import type { Sweeping } from './sweep.ts'

/** Of a worker: each keeps one read of its socket, and the socket two more, so that all of them are 200 MB at most. */
const MAX_WAITING = 1000

/** Which sites an operator has closed while this worker runs, and who waits for them. */
export class MaintainedSites {
  readonly #sweep: Sweeping
  readonly #startedAt: number
  readonly #room = new WaitingRoom(MAX_WAITING)
  readonly #held = new Map<SiteSnapshot, HeldRequests>()

  constructor(sweep: Sweeping) {
    this.#sweep = sweep
    this.#startedAt = sweep.now
  }

  of(site: SiteSnapshot): ToldMaintenance | undefined {
    const { maintenance } = site
    if (maintenance === undefined) return undefined
    return {
      ...maintenance,
      held: maintenance.holdMs === undefined ? undefined : this.#holding(site, this.#startedAt + maintenance.holdMs),
    }
  }

  /** Requests that come from now on are answered so; those that wait go on, wait on, or are refused. */
  change(site: SiteSnapshot, maintenance: MaintenanceSnapshot | undefined): void {
    site.maintenance = maintenance
    if (maintenance?.holdMs !== undefined) {
      const until = this.#sweep.now + maintenance.holdMs
      return this.#holding(site, until).extend(until)
    }
    const held = this.#held.get(site)
    this.#held.delete(site)
    if (maintenance === undefined) held?.release()
    else held?.refuse()
  }

  #holding(site: SiteSnapshot, until: number): HeldRequests {
    const known = this.#held.get(site)
    if (known !== undefined) return known
    const held = new HeldRequests(this.#room, this.#sweep, until)
    this.#held.set(site, held)
    return held
  }
}
