import { performance } from 'node:perf_hooks'
import type { CastellanError } from '../../errors.ts'
import type { Log } from '../../telemetry/log.ts'

/** Long enough that an outage under load does not fill a disk, short enough to see whether it goes on. */
const QUIET_MS = 10_000

/** Says each kind of failure of a site at once, and while it goes on only now and then, with a count. */
export class QuietLog {
  readonly #log: Log
  /** Bounded by sites × codes × upstreams: attackers have no say in any. */
  readonly #last = new Map<string, { at: number; unsaid: number }>()

  constructor(log: Log) {
    this.#log = log
  }

  /** `requestId` is of the one that is said. */
  warn(site: string, error: CastellanError, requestId: string): void {
    const kind = `${error.code} ${site} ${error.facts.upstream}`
    const last = this.#last.get(kind)
    const now = performance.now()
    if (last !== undefined && now - last.at < QUIET_MS) {
      last.unsaid++
      return
    }
    const again = last === undefined || last.unsaid === 0 ? {} : { timesSinceLastLine: last.unsaid }
    this.#last.set(kind, { at: now, unsaid: 0 })
    this.#log.warn(error.code, `${site}: ${error.message}`, { site, requestId, ...error.facts, ...again })
  }
}
