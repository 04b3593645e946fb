import type { Log } from '../../telemetry/log.ts'
import { wildcardOf } from '../router/router.ts'
import type { WaitingSnapshot } from '../snapshot.ts'

/** How often the log repeats that a name waits for its certificate. */
const REPEAT_MS = 10_000

type Waiting = { readonly reason: string; quietUntil: number }

/** Names that have a site and no certificate yet. What it keeps is bounded by the config, whatever clients ask for. */
export class WaitingNames {
  #byName = new Map<string, Waiting>()
  readonly #log: Log
  readonly #now: () => number

  /** `now` gives milliseconds from any start. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  /** Replaces them all. Those that were there already are not logged anew for it. */
  update(waiting: readonly WaitingSnapshot[]): void {
    const former = this.#byName
    this.#byName = new Map()
    for (const { names, reason } of waiting)
      for (const name of names)
        this.#byName.set(name, { reason, quietUntil: former.get(name)?.quietUntil ?? Number.NEGATIVE_INFINITY })
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /**
   * Whether a client that asks for this valid host name has come too early. The operator is told so, and why, but only so
   * often for each name of the config: names below a wildcard, which anybody can invent, count as one.
   */
  askedFor(name: string): boolean {
    const waiting = this.#byName.get(name) ?? this.#byName.get(wildcardOf(name))
    if (waiting === undefined) return false
    if (this.#now() >= waiting.quietUntil) {
      waiting.quietUntil = this.#now() + REPEAT_MS
      const message = `A client asks for ${name}, which has no certificate yet: ${waiting.reason}.`
      this.#log.warn('handshake-waiting', message, { name })
    }
    return true
  }
}
