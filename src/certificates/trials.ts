import type { Clock } from '../system/clock.ts'
import type { Log } from '../telemetry/log.ts'
import type { Item } from './inventory.ts'
import type { Wait } from './ledger/order-facts.ts'

/** With no more than this due, all of them are a few. */
const MANY = 20
/** Renewals that must have succeeded after a change of a CA before all the others follow. */
const FIRST = 3
/** Of a lifetime: who has no more left does not wait for others. */
const URGENT_LEFT = 1 / 10
const MINUTE_MS = 60 * 1000
/** After a first one that fails, and another: a CA that has changed for the worse is not asked for all, a few at a time. */
const WAITS_MS = [MINUTE_MS, 10 * MINUTE_MS, 100 * MINUTE_MS]

type Trial = {
  readonly changes: readonly string[]
  /** Renewals that are due. */
  readonly due: Set<Item>
  succeeded: number
  failed: number
  /** Nobody begins before this. */
  notBefore: number
  /** Some have waited: from then on it is held to be so until it is over, as those that fail are due no more for a while. */
  isHolding: boolean
}

/**
 * After a change of a CA, where many renewals are due there, a few go first: the others follow once those serve and are
 * proven. Issuers by the names by which the config calls them; who renews by several counts for the preferred one.
 */
export class Trials {
  readonly #log: Log
  readonly #clock: Clock
  readonly #trials = new Map<string, Trial>()
  /** Renewals that are under way. */
  readonly #running = new Set<Item>()

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /**
   * A CA has changed: what was learned of it before is worth nothing.
   *
   * @param due what is due there now.
   */
  begin(issuer: string, changes: readonly string[], due: Iterable<Item>): void {
    const renewals = [...due].filter(({ held }) => held !== undefined)
    const counts = { succeeded: 0, failed: 0, notBefore: 0, isHolding: false }
    this.#trials.set(issuer, { changes, due: new Set(renewals), ...counts })
  }

  /** What one that is due waits for; undefined if it may be ordered now. */
  wait(item: Item, now: number): Wait | undefined {
    const issuer = issuerOf(item)
    const trial = this.#trials.get(issuer)
    if (trial === undefined || item.held === undefined || this.#running.has(item)) return undefined
    if (isUrgent(item.held, now)) return undefined
    trial.due.add(item)
    if (!this.#isMany(issuer, trial)) return undefined
    this.#sayOnce(issuer, trial)
    if (trial.notBefore <= now && trial.succeeded + this.#runningAt(issuer) < FIRST) return undefined
    const limit = `waits until ${FIRST} renewals from ${issuer} serve, which has changed`
    return { key: trialOf(item), at: Math.max(trial.notBefore, now + MINUTE_MS), limit }
  }

  started(item: Item): void {
    if (item.held !== undefined) this.#running.add(item)
    this.#trials.get(issuerOf(item))?.due.delete(item)
  }

  /** However it ended. To be called for each that was started, after `succeeded` or `failed`, and for one that is let go. */
  ended(item: Item): void {
    this.#running.delete(item)
    this.#trials.get(issuerOf(item))?.due.delete(item)
  }

  /** A renewal serves. */
  succeeded(item: Item): void {
    const issuer = issuerOf(item)
    const trial = this.#trials.get(issuer)
    if (trial === undefined) return
    trial.succeeded++
    if (trial.succeeded < FIRST) return
    this.#trials.delete(issuer)
    if (!trial.isHolding) return
    const message = `${FIRST} renewals from ${issuer} serve since it has changed: the others follow.`
    this.#log.info('renewals-resumed', message, { issuer })
  }

  /** One was in vain, and not for its names' sake. */
  failed(item: Item): void {
    const trial = this.#trials.get(issuerOf(item))
    const now = this.#clock.now()
    // Those that went together fail together.
    if (trial === undefined || item.held === undefined || trial.notBefore > now) return
    trial.failed++
    trial.notBefore = now + WAITS_MS[Math.min(trial.failed, WAITS_MS.length) - 1]!
  }

  /** A handful, over all issuers. */
  #runningAt(issuer: string): number {
    return [...this.#running].filter((item) => issuerOf(item) === issuer).length
  }

  #isMany(issuer: string, { due, isHolding }: Trial): boolean {
    return isHolding || due.size + this.#runningAt(issuer) > MANY
  }

  #sayOnce(issuer: string, trial: Trial): void {
    if (trial.isHolding) return
    trial.isHolding = true
    const waiting = trial.due.size
    const message = `${waiting} renewals are due at ${issuer}, which has changed (${trial.changes.join('; ')}): ${FIRST} go first, and the others follow once those serve.`
    this.#log.warn('renewals-held', message, { issuer, waiting })
  }
}

/** The key of what those wait for that wait for the same trial. */
export function trialOf(item: Item): string {
  return `${TRIAL}${issuerOf(item)}`
}

/** Whether what is waited for is that others go first, and no limit of a CA. */
export function isTrial({ key }: Wait): boolean {
  return key.startsWith(TRIAL)
}

const TRIAL = 'trial '

function issuerOf({ wanted }: Item): string {
  return wanted.issuers[0]!
}

function isUrgent({ certificate: { notBefore, notAfter } }: NonNullable<Item['held']>, now: number): boolean {
  return notAfter - now < (notAfter - notBefore) * URGENT_LEFT
}
