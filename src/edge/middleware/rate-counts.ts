import { LRUCache } from 'lru-cache'
import type { RateLimit } from '../../guards.ts'

/** Some 10 MB at most, in each worker: of more clients than these, those that have been away for longest start anew. */
const MAX_CLIENTS = 65_536

/** How much of a limit was used, in milliseconds that it takes to come back. */
export type RateUse = readonly [client: string, ms: number]

/** How long what is used is gathered before other workers are told of it. */
const TELLING_MS = 50
/** One message should not keep anybody for long. */
const MAX_TOLD = 1000
/** Of what may come at once: less than this part is not worth telling, unless half of it is used, as most clients never do. */
const UNTOLD_PART = 32

export type RateCountsOptions = {
  readonly maxClients?: number
  /** Gives milliseconds from any start. */
  readonly clock?: () => number
  /** Tells the other workers. */
  readonly tell?: ((uses: readonly RateUse[]) => void) | undefined
}

/**
 * The generic cell rate algorithm (GCRA, ITU-T I.371): of each client there is one number, the time at which all that it has
 * used will have come back. A request moves it on by the time that one takes to come back, and is refused if it would then
 * be further ahead than what may come at once.
 *
 * Each worker counts for itself, at once, and hears within some 50 ms what was used with others, so that the limit holds
 * over all of them: what a client gains by being quicker than that, it has to wait for afterwards.
 */
export class RateCounts {
  readonly #clock: () => number
  readonly #tell: RateCountsOptions['tell']
  readonly #maxClients: number
  /** Made when the first limit is met: it has room for all from the start. */
  #backAt: LRUCache<string, number> | undefined
  #untold = new Map<string, { ms: number; worthMs: number }>()
  #timer: NodeJS.Timeout | undefined

  constructor({ clock = () => performance.now(), maxClients = MAX_CLIENTS, tell }: RateCountsOptions = {}) {
    this.#maxClients = maxClients
    this.#clock = clock
    this.#tell = tell
  }

  /** How many clients are known. */
  get size(): number {
    return this.#backAt?.size ?? 0
  }

  /** Counts a request: 0 if it is within the limit, else in how many milliseconds one would be. */
  take(client: string, { requests, periodMs, burst }: RateLimit): number {
    const now = this.#clock()
    const intervalMs = periodMs / requests
    const toleranceMs = intervalMs * burst
    const backAt = this.#advance(client, intervalMs, now, toleranceMs)
    if (backAt > now + toleranceMs) return backAt - now - toleranceMs
    this.#note(client, intervalMs, backAt - now > toleranceMs / 2 ? 0 : toleranceMs / UNTOLD_PART)
    return 0
  }

  /** What was used with other workers. */
  add(uses: readonly RateUse[]): void {
    const now = this.#clock()
    for (const [client, ms] of uses) this.#advance(client, ms, now, Number.POSITIVE_INFINITY)
  }

  /** Gives where it moves to, and moves it there only if that is not beyond what is tolerated. */
  #advance(client: string, ms: number, now: number, toleranceMs: number): number {
    this.#backAt ??= new LRUCache({ max: this.#maxClients })
    const former = this.#backAt.get(client) ?? now
    const backAt = Math.max(now, former) + ms
    if (backAt <= now + toleranceMs) this.#backAt.set(client, backAt)
    return backAt
  }

  #note(client: string, ms: number, worthMs: number): void {
    if (this.#tell === undefined) return
    const noted = this.#untold.get(client)
    if (noted !== undefined) {
      noted.ms += ms
      noted.worthMs = worthMs
    } else {
      // Those that used too little to be told of would stay for ever.
      if (this.#untold.size >= this.#maxClients) this.#untold.clear()
      this.#untold.set(client, { ms, worthMs })
    }
    this.#timer ??= setTimeout(() => this.#tellOthers(), TELLING_MS).unref()
  }

  #tellOthers(): void {
    this.#timer = undefined
    const uses: RateUse[] = []
    for (const [client, { ms, worthMs }] of this.#untold) {
      if (ms < worthMs) continue
      uses.push([client, ms])
      this.#untold.delete(client)
      if (uses.length === MAX_TOLD) break
    }
    if (uses.length > 0) this.#tell?.(uses)
    if (uses.length === MAX_TOLD) this.#timer = setTimeout(() => this.#tellOthers(), TELLING_MS).unref()
  }
}
