import type { Facts } from '../../errors.ts'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../telemetry/log.ts'

const QUIET_MS = 60_000

/** Says each kind of thing once a minute at most: what strangers are the cause of must not flood the log. */
export class SparseLog {
  readonly #log: Log
  readonly #clock: Pick<Clock, 'now'>
  readonly #saidAt = new Map<string, number>()

  constructor(log: Log, clock: Pick<Clock, 'now'>) {
    this.#log = log
    this.#clock = clock
  }

  /** `kind` is one of a few; the event itself unless given. */
  warn(event: string, message: string, facts: Facts, kind: string = event): void {
    const now = this.#clock.now()
    const saidAt = this.#saidAt.get(kind)
    if (saidAt !== undefined && now >= saidAt && now - saidAt < QUIET_MS) return
    this.#saidAt.set(kind, now)
    this.#log.warn(event, message, facts)
  }
}
